"""What moved the north star? Launches with their luck removed, against what a holdout measured of it all together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import structs

from analysis.programme import holdbacks, launched, north_star_words, quarters, vectors
from analysis.programme.launched import Tried, Window
from analysis.programme.schema import Bar, HoldoutFact, LaunchFact, LeeShen, NorthStar
from analysis.programme.vectors import Vector
from analysis.stats.programme.launches import FEWEST, Account, Launch, Sum, account
from analysis.stats.shrinkage import Prior, Shrunk, learn_prior
from analysis.stats.unavailable import NotComputable
from analysis.stats.winners_curse import CumulativeImpact, cumulative_impact
from experiments.domain.kinds import ExperimentKind
from experiments.domain.metrics import MetricKind
from experiments.models import Metric, Project, Variant

Z95 = 1.959964
ADDS_UP = (MetricKind.SUM.value, MetricKind.COUNT.value)
"""Kinds whose units' totals add up over time, so that a year's worth can be told."""
YEAR = 365.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effect:
    """A treatment's effect on the north-star metric."""

    vector: Vector
    place: int
    lift: float
    error: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Everything that the reading rests on."""

    metric: Metric
    now: datetime
    span: tuple[datetime, datetime]
    tried: Mapping[int, Tried]
    weights: Mapping[int, float]
    effects: list[Effect]
    concluded: list[Effect]
    prior: Prior | None
    holdout: Effect | None

    @property
    def window(self) -> Window | None:
        """Return the time that the holdout measures."""
        if self.holdout is None:
            return None
        one = self.tried[self.holdout.vector.experiment]
        return Window(start=one.started_at, end=min(one.stopped_at or self.now, self.holdout.vector.as_of))


def read(project: Project, quarter: str, now: datetime) -> NorthStar:
    """Say what moved the project's north-star metric in a quarter (this one, where none is named)."""
    tried = launched.tried(project)
    word = named(quarter, now)
    first = min((one.shipped_at for one in tried.values() if one.shipped_at is not None), default=now)
    listed = quarters.between(first, now)
    listed = listed if word in listed else [word, *listed]
    metric = project.north_star
    if metric is None:
        return north_star_words.without_metric(project, word, listed)
    scene = _scene(project, metric, tried, word, now)
    return _reading(project, scene, word, listed)


def named(quarter: str, now: datetime) -> str:
    """Return the quarter, or this one where the word is none."""
    return quarter if quarters.bounds(quarter) else quarters.of(now)


def _scene(project: Project, metric: Metric, tried: Mapping[int, Tried], word: str, now: datetime) -> Scene:
    span = quarters.bounds(word)
    assert span is not None  # noqa: S101  (``read`` has seen to it)
    every = _effects(vectors.load(project, now, unfinished=True), metric.key)
    concluded = [one for one in every if _is_over(one, now)]
    weights = dict(Variant.objects.filter(experiment__project=project, position__gt=0).values_list("pk", "weight"))
    return Scene(
        metric=metric,
        now=now,
        span=span,
        tried=tried,
        weights={pk: weight / 10_000 for pk, weight in weights.items()},
        effects=every,
        concluded=concluded,
        prior=_prior(concluded),
        holdout=_holdout(project, metric.key, tried, span, now),
    )


def _effects(found: Sequence[Vector], metric: str) -> list[Effect]:
    effects = []
    for vector in found:
        place = vector.place(metric)
        if place is None or not math.isfinite(vector.log_lifts[place]) or not vector.log_covariance[place, place] > 0:
            continue
        error = math.sqrt(float(vector.log_covariance[place, place]))
        effects.append(Effect(vector=vector, place=place, lift=float(vector.log_lifts[place]), error=error))
    return effects


def _is_over(one: Effect, now: datetime) -> bool:
    return one.vector.ended_at is not None or one.vector.past_plan(now)


def _prior(concluded: Sequence[Effect]) -> Prior | None:
    if len(concluded) < FEWEST:
        return None
    found = learn_prior([one.lift for one in concluded], [one.error for one in concluded])
    return None if isinstance(found, NotComputable) else found


def _holdout(
    project: Project, metric: str, tried: Mapping[int, Tried], span: tuple[datetime, datetime], now: datetime
) -> Effect | None:
    """Return the holdout that covers most of the quarter and measures the metric."""
    found = _effects(vectors.load(project, now, kinds=[ExperimentKind.HOLDOUT.value], unfinished=True), metric)
    quarter = Window(start=span[0], end=min(span[1], now))

    def covered(one: Effect) -> float:
        held = tried[one.vector.experiment]
        return quarter.part(held.started_at, held.stopped_at)

    best = max(found, key=covered, default=None)
    return best if best is not None and covered(best) > 0 else None


def _reading(project: Project, scene: Scene, word: str, listed: list[str]) -> NorthStar:
    mine = [one for one in _launches(scene) if scene.span[0] <= _shipped_at(scene, one) < scene.span[1]]
    summed = _account(scene, mine, measured=False)
    facts = [_fact(scene, one, kept) for one, kept in zip(mine, summed.shrunk, strict=True)]
    facts.sort(key=lambda fact: -(fact.believed or 0.0) * _sign(scene.metric))
    facts += _unreadable(scene, {one.vector.experiment for one in mine})
    faded = holdbacks.faded(project)
    facts = [structs.replace(one, faded=faded.get(one.experiment, "")) for one in facts]
    bars, unexplained = _bars(scene, mine)
    yearly = _yearly_sum(facts)
    found = NorthStar(
        metric=scene.metric.key,
        name=scene.metric.name,
        display_unit=scene.metric.display_unit,
        currency=project.currency,
        quarter=word,
        quarters=listed,
        headline="",
        explanation="",
        tone="flat",
        launches=facts,
        together=summed.together.value if mine else None,
        together_interval=summed.together.interval if mine else None,
        claimed=summed.claimed if mine else None,
        yearly=yearly[0] if yearly else None,
        yearly_interval=yearly[1] if yearly else None,
        comparisons=len(scene.concluded),
        lee_shen=_lee_shen(scene),
        holdout=_holdout_fact(scene),
        bars=bars,
        unexplained=unexplained.value if unexplained else None,
        unexplained_interval=unexplained.interval if unexplained else None,
        notes=_notes(scene),
        lower_is_better=_sign(scene.metric) < 0,
    )
    return north_star_words.told(found, _sign(scene.metric))


def _sign(metric: Metric) -> float:
    return -1.0 if metric.direction == "decrease" else 1.0


def _launches(scene: Scene) -> list[Effect]:
    return [one for one in scene.effects if one.vector.shipped and _shipped_at(scene, one) <= scene.now]


def _shipped_at(scene: Scene, one: Effect) -> datetime:
    found = scene.tried[one.vector.experiment].shipped_at
    return found if found is not None else scene.now + timedelta(days=1)


def _account(scene: Scene, chosen: Sequence[Effect], *, measured: bool) -> Account:
    launches = [Launch(effect=one.lift, standard_error=one.error, weight=_weight(scene, one)) for one in chosen]
    held = scene.holdout
    together = (held.lift, held.error) if measured and held is not None else None
    return account(launches, scene.prior, together, learned_from=[one.error for one in scene.concluded])


def _weight(scene: Scene, one: Effect) -> float:
    """Return how much of a treatment's effect on its audience is in the holdout's lift."""
    window = scene.window
    if window is None:
        return 0.0
    tried = scene.tried[one.vector.experiment]
    held = scene.tried[scene.holdout.vector.experiment] if scene.holdout is not None else tried
    if tried.unit_type != held.unit_type or tried.started_at < held.started_at:
        return 0.0
    return launched.felt(tried, scene.weights.get(one.vector.variant, 0.0), window) * _reach(scene, one)


def _reach(scene: Scene, one: Effect) -> float:
    held = scene.holdout
    if held is None or scene.metric.kind not in ADDS_UP:
        return 1.0
    everyone = launched.daily_total(held.vector, held.place, scene.tried[held.vector.experiment])
    return launched.reach(launched.daily_total(one.vector, one.place, scene.tried[one.vector.experiment]), everyone)


def _fact(scene: Scene, one: Effect, kept: Shrunk) -> LaunchFact:
    tried, window = scene.tried[one.vector.experiment], scene.window
    span = (kept.value - Z95 * kept.standard_error, kept.value + Z95 * kept.standard_error)
    yearly, yearly_span = _yearly(scene, one, kept)
    return LaunchFact(
        experiment=one.vector.key,
        name=one.vector.name,
        shipped_at=_shipped_at(scene, one),
        raw=one.lift,
        raw_interval=(one.lift - Z95 * one.error, one.lift + Z95 * one.error),
        believed=kept.value,
        believed_interval=span,
        kept=kept.weight,
        reach=_reach(scene, one),
        felt=launched.felt(tried, scene.weights.get(one.vector.variant, 0.0), window) if window else None,
        contribution=_weight(scene, one) * kept.value if window else None,
        yearly=yearly,
        yearly_interval=yearly_span,
    )


def _yearly(scene: Scene, one: Effect, kept: Shrunk) -> tuple[float | None, tuple[float, float] | None]:
    """Return what a launch brings in a year in the metric's unit, if the audience stays as large as it was."""
    if scene.metric.kind not in ADDS_UP:
        return None, None
    total = YEAR * launched.daily_total(one.vector, one.place, scene.tried[one.vector.experiment])
    low, value, high = (total * math.expm1(kept.value + side * Z95 * kept.standard_error) for side in (-1.0, 0.0, 1.0))
    return value, (min(low, high), max(low, high))


def _yearly_sum(facts: Sequence[LaunchFact]) -> tuple[float, tuple[float, float]] | None:
    """Add up what launches bring in a year; their errors are independent."""
    known = [(one.yearly, one.yearly_interval) for one in facts if one.yearly is not None and one.yearly_interval]
    if not known:
        return None
    value = sum(one for one, _ in known)
    half = math.sqrt(sum(((span[1] or 0.0) - (span[0] or 0.0)) ** 2 for _, span in known)) / 2
    return value, (value - half, value + half)


def _unreadable(scene: Scene, told: set[int]) -> list[LaunchFact]:
    """Return launches of the quarter of which nothing can be said, with the reason."""
    return [
        LaunchFact(
            experiment=one.key,
            name=one.name,
            shipped_at=one.shipped_at,
            reason=f"its results do not hold {scene.metric.name}, or must not be believed",
        )
        for pk, one in scene.tried.items()
        if pk not in told and one.shipped_at is not None and scene.span[0] <= one.shipped_at < scene.span[1]
    ]


def _holdout_fact(scene: Scene) -> HoldoutFact | None:
    held, window = scene.holdout, scene.window
    if held is None or window is None:
        return None
    return HoldoutFact(
        experiment=held.vector.key,
        name=held.vector.name,
        started_at=window.start,
        until=window.end,
        lift=held.lift,
        interval=(held.lift - Z95 * held.error, held.lift + Z95 * held.error),
    )


MOST_BARS = 8
"""Launches drawn one by one; the rest stand together."""


def _bars(scene: Scene, mine: Sequence[Effect]) -> tuple[list[Bar], Sum | None]:
    """Return the way from nothing to what the holdout measured, and what stays unexplained of it."""
    held = scene.holdout
    if held is None:
        return [], None
    everything = [one for one in scene.effects if _weight(scene, one) > 0]
    whole = _account(scene, everything, measured=True)
    now = {id(one) for one in mine}
    parts = [(one, _part(scene, one, kept)) for one, kept in zip(everything, whole.shrunk, strict=True)]
    own = sorted((pair for pair in parts if id(pair[0]) in now), key=lambda pair: -abs(pair[1].value))
    earlier = [part for one, part in parts if id(one) not in now and one.vector.shipped]
    trials = [part for one, part in parts if not one.vector.shipped]
    bars = [Bar(name=one.vector.name, value=part.value, interval=part.interval, experiment=one.vector.key)
            for one, part in own[:MOST_BARS]]  # fmt: skip
    for name, group in (
        (f"{len(own) - MOST_BARS} more of this quarter", [part for _, part in own[MOST_BARS:]]),
        ("Launched before this quarter", earlier),
        ("Trials while they ran", trials),
    ):
        if group:
            bars.append(_together(name, group))
    bars.append(Bar(name="Explained", value=whole.expected.value, interval=whole.expected.interval, is_total=True))
    left = whole.unexplained
    if left is not None:
        bars.append(Bar(name="Unexplained", value=left.value, interval=left.interval))
    fact = _holdout_fact(scene)
    if fact is not None:
        bars.append(Bar(name="Measured by the holdout", value=fact.lift, interval=fact.interval, is_total=True))
    return bars, left


def _part(scene: Scene, one: Effect, kept: Shrunk) -> Sum:
    weight = _weight(scene, one)
    value, error = weight * kept.value, weight * kept.standard_error
    return Sum(value=value, standard_error=error, interval=(value - Z95 * error, value + Z95 * error))


def _together(name: str, parts: Sequence[Sum]) -> Bar:
    value = sum(one.value for one in parts)
    half = Z95 * math.sqrt(sum(one.standard_error**2 for one in parts))
    return Bar(name=name, value=value, interval=(value - half, value + half))


def _lee_shen(scene: Scene) -> LeeShen | None:
    """Return the check by Lee and Shen over the comparisons that ended in the quarter."""
    ended = [
        one
        for one in scene.concluded
        if one.vector.ended_at is not None and scene.span[0] <= one.vector.ended_at < scene.span[1]
    ]
    if scene.prior is None or len(ended) < FEWEST:
        return None
    sign = _sign(scene.metric)
    turned = Prior(mean=sign * scene.prior.mean, variance=scene.prior.variance)
    found = cumulative_impact([sign * one.lift for one in ended], [one.error for one in ended], Z95, turned)
    if not isinstance(found, CumulativeImpact):
        return None
    return LeeShen(
        comparisons=len(ended),
        chosen=found.chosen,
        claimed=sign * found.claimed,
        corrected=sign * found.corrected,
        shrunk=sign * found.shrunk,
    )


def _notes(scene: Scene) -> list[str]:
    notes = []
    if scene.prior is None:
        notes.append(
            f"{len(scene.concluded)} comparisons measure {scene.metric.name}; from {FEWEST} on, luck can be told from "
            "gain and is taken out. Until then effects stand as they were measured."
        )
    if scene.holdout is None:
        notes.append(
            "No holdout measured it all together in this quarter. Start one: without it nobody can tell whether what "
            "was launched adds up."
        )
    return notes
