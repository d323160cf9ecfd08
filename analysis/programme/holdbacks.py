"""Does it last? Each holdback is held to what its launch was believed to bring; an alert says when that is gone."""

import math
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import numpy as np

from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.raising import close_alert, raise_alert
from analysis.models import HoldbackWatch
from analysis.programme import blocks, holdback_words, vectors
from analysis.programme.cells import FORMS
from analysis.programme.schema import BlockFact, HoldbackFact, Holdbacks
from analysis.programme.vectors import Vector
from analysis.stats.decay import ALPHA, Decay, Promise, decay, promised
from analysis.stats.moments import Array
from analysis.stats.programme.launches import FEWEST
from analysis.stats.shrinkage import Prior, learn_prior
from analysis.stats.unavailable import NotComputable
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import Experiment, Metric, Project

BLOCK_DAYS = 14
"""Two whole weeks: short enough to hear of a decay within a month, long enough for a small held-back share to say
something, and the same weekdays in each."""
WHAT_TO_DO = (
    "See what changed since: the season, rivals, the data that the model was trained on. Train it anew or take it back."
)
Z95 = 1.959964


def watch(project: Project, now: datetime) -> int:
    """Declare what new holdbacks are held to, and read those that finished another block; return how many were read."""
    held = Experiment.objects.filter(project=project, kind=ExperimentKind.HOLDBACK.value).select_related("parent")
    kept = {one.holdback_id: one for one in HoldbackWatch.objects.filter(holdback__project=project)}
    read = 0
    for one in held:
        one.project = project
        mine = kept.get(one.pk)
        if one.status == Status.STOPPED:
            close_alert(project, AlertKind.HOLDBACK_DECAYED, one.key, because="The holdback has ended.", now=now)
            continue
        if mine is None:
            mine = _declare(one, now)
        if mine.effect is not None and one.started_at is not None:
            finished = blocks.finished(one.started_at, mine.block_days, now)
            if finished > len(mine.blocks):
                _read(one, mine, finished, now)
                read += 1
    return read


def _declare(holdback: Experiment, now: datetime) -> HoldbackWatch:
    """Write down what the holdback is held to, before it is looked at; it never changes afterwards."""
    metric, vector, reason = _promise_from(holdback, now)
    columns: dict[str, object] = {"metric": metric.key if metric else "", "declared_at": now, "alpha": ALPHA}
    columns |= {"sign": -1 if metric and metric.direction == "decrease" else 1, "block_days": BLOCK_DAYS}
    if metric is not None and vector is not None:
        place = vector.place(metric.key)
        assert place is not None  # noqa: S101  (``_promise_from`` has looked)
        lift = float(vector.log_lifts[place]) * (-1 if metric.direction == "decrease" else 1)
        error = math.sqrt(float(vector.log_covariance[place, place]))
        found = promised(lift, error, _prior(holdback.project, metric, now))
        columns |= {"effect": found.effect, "standard_error": found.standard_error, "scale": found.scale}
    made, _ = HoldbackWatch.objects.get_or_create(holdback=holdback, defaults={**columns, "reason": reason})
    return made


def _promise_from(holdback: Experiment, now: datetime) -> tuple[Metric | None, Vector | None, str]:
    """Return the metric that decided and what the launched experiment said of it, or why nothing can be held to."""
    parent = holdback.parent
    if parent is None:
        return None, None, "it follows no experiment"
    uses = parent.plan.filter(role=MetricRole.PRIMARY.value).select_related("metric")
    metric = next((use.metric for use in uses if MetricKind(use.metric.kind) in FORMS), None)
    if metric is None:
        return None, None, "no primary metric of the launched experiment can be told block by block"
    found = [
        one
        for one in vectors.load(holdback.project, now, unfinished=True)
        if one.experiment == parent.pk and one.variant == parent.shipped_variant_id
    ]
    place = found[0].place(metric.key) if found else None
    if not found or place is None or not math.isfinite(found[0].log_lifts[place]):
        return metric, None, "the launched experiment has no result that may be believed"
    return metric, found[0], ""


def _prior(project: Project, metric: Metric, now: datetime) -> Prior | None:
    """Return how effects on the metric are spread, better as positive; None where too few say."""
    sign = -1.0 if metric.direction == "decrease" else 1.0
    effects, errors = [], []
    for one in vectors.load(project, now):
        place = one.place(metric.key)
        if place is not None and math.isfinite(one.log_lifts[place]) and one.log_covariance[place, place] > 0:
            effects.append(sign * float(one.log_lifts[place]))
            errors.append(math.sqrt(float(one.log_covariance[place, place])))
    found = learn_prior(effects, errors) if len(effects) >= FEWEST else None
    return found if isinstance(found, Prior) else None


def _read(holdback: Experiment, mine: HoldbackWatch, finished: int, now: datetime) -> None:
    metric = Metric.objects.get(project=holdback.project, key=mine.metric)
    found = blocks.effects(holdback, metric, mine.block_days, finished)
    if found is None:
        mine.reason = "a block has nobody on one side, or a value that is not above zero"
        mine.save(update_fields=["reason"])
        return
    mine.blocks, mine.covariance = (
        (mine.sign * found.lifts).tolist(),
        found.covariance[np.triu_indices(finished)].tolist(),
    )
    mine.read_at, mine.reason = now, ""
    told = _decay(mine)
    if isinstance(told, Decay):
        mine.largest = max(mine.largest, told.largest)
        if mine.largest >= 1 / mine.alpha and mine.decayed_at is None:
            mine.decayed_at = now
    mine.save()
    _tell(holdback, mine, metric, now)


def _decay(mine: HoldbackWatch) -> Decay | NotComputable:
    """Hold the blocks that are kept to what was declared."""
    if mine.effect is None or mine.standard_error is None or mine.scale is None:
        return NotComputable(mine.reason)
    promise = Promise(effect=mine.effect, standard_error=mine.standard_error, scale=mine.scale, alpha=mine.alpha)
    return _held(promise, tuple(mine.blocks), tuple(mine.covariance))


@lru_cache(maxsize=1024)
def _held(promise: Promise, blocks: tuple[float, ...], covariance: tuple[float, ...]) -> Decay | NotComputable:
    """Return the comparison: it follows from its numbers alone, and a page asks for those of every holdback."""
    return decay(promise, blocks, _square(covariance, len(blocks)))


def _square(upper: Sequence[float], size: int) -> Array:
    full = np.zeros((size, size))
    rows, columns = np.triu_indices(size)
    full[rows, columns] = upper
    full[columns, rows] = upper
    return full


def _tell(holdback: Experiment, mine: HoldbackWatch, metric: Metric, now: datetime) -> None:
    if mine.decayed_at is None or holdback.parent is None:
        return
    fact = _fact(holdback, mine, metric.name)
    raise_alert(
        holdback.project,
        AlertKind.HOLDBACK_DECAYED,
        holdback.key,
        fact.sentence,
        what_to_do=WHAT_TO_DO,
        severity=Severity.WARNING,
        experiment=holdback,
        now=now,
    )


def read(project: Project) -> Holdbacks:
    """Return every holdback with what it says so far, decayed ones first."""
    names = dict(Metric.objects.filter(project=project).values_list("key", "name"))
    held = Experiment.objects.filter(project=project, kind=ExperimentKind.HOLDBACK.value)
    facts = []
    for one in held.select_related("parent", "watch"):
        mine = getattr(one, "watch", None)
        facts.append(_fact(one, mine, names.get(mine.metric, mine.metric) if mine else ""))
    return holdback_words.reading(facts)


def of_experiment(experiment: Experiment) -> HoldbackFact | None:
    """Return what a holdback says of its launch; None where the experiment is no holdback."""
    if experiment.kind != ExperimentKind.HOLDBACK.value:
        return None
    mine = HoldbackWatch.objects.filter(holdback=experiment).first()
    metric = Metric.objects.filter(project=experiment.project, key=mine.metric).first() if mine else None
    return _fact(experiment, mine, metric.name if metric else "")


def faded(project: Project) -> dict[str, str]:
    """Return what to say of each launch whose holdback has seen its lift go, by the launched experiment's key."""
    held = HoldbackWatch.objects.filter(holdback__project=project, decayed_at__isnull=False)
    names = dict(Metric.objects.filter(project=project).values_list("key", "name"))
    return {
        one.holdback.parent.key: holdback_words.faded(_fact(one.holdback, one, names.get(one.metric, one.metric)))
        for one in held.select_related("holdback__parent")
        if one.holdback.parent is not None
    }


def _fact(holdback: Experiment, mine: HoldbackWatch | None, name: str) -> HoldbackFact:
    parent = holdback.parent
    told = _decay(mine) if mine is not None else NotComputable("it has not been looked at yet")
    known = mine is not None and mine.effect is not None and mine.standard_error is not None
    half = Z95 * (mine.standard_error or 0.0) if mine is not None else 0.0
    effect, sign = (mine.effect or 0.0, mine.sign) if mine is not None else (0.0, 1)
    since = None
    if isinstance(told, Decay) and mine is not None and told.since is not None and holdback.started_at is not None:
        since = blocks.span(holdback.started_at, mine.block_days, told.since)[0]
    fact = HoldbackFact(
        experiment=holdback.key,
        name=holdback.name,
        parent=parent.key if parent else "",
        parent_name=parent.name if parent else "",
        metric=mine.metric if mine else "",
        metric_name=name,
        shipped_at=parent.shipped_at if parent else None,
        state=holdback_words.state(holdback.status, mine, told),
        sentence="",
        tone="flat",
        promised=_lift(effect, sign) if known else None,
        promised_interval=_ends(effect - half, effect + half, sign) if known else None,
        lately=_lift(told.lately, sign) if isinstance(told, Decay) else None,
        lately_interval=_ends(*told.lately_interval, sign) if isinstance(told, Decay) else None,
        overall=_lift(told.overall, sign) if isinstance(told, Decay) else None,
        overall_interval=_ends(*told.overall_interval, sign) if isinstance(told, Decay) else None,
        evidence=max(mine.largest, told.largest) if isinstance(told, Decay) and mine is not None else None,
        needed=1 / (mine.alpha if mine is not None else ALPHA),
        since=since,
        blocks=_block_facts(holdback, mine),
    )
    return holdback_words.told(fact, mine.reason if mine is not None else "")


def _block_facts(holdback: Experiment, mine: HoldbackWatch | None) -> list[BlockFact]:
    if mine is None or holdback.started_at is None:
        return []
    noise = np.sqrt(np.maximum(np.diag(_square(mine.covariance, len(mine.blocks))), 0.0))
    return [
        BlockFact(
            start=blocks.span(holdback.started_at, mine.block_days, place)[0],
            end=blocks.span(holdback.started_at, mine.block_days, place)[1],
            lift=_lift(value, mine.sign),
            interval=_ends(value - Z95 * float(noise[place]), value + Z95 * float(noise[place]), mine.sign),
        )
        for place, value in enumerate(mine.blocks)
    ]


def _lift(value: float, sign: int) -> float:
    """Return a log lift that has better as positive as the metric's own relative change."""
    return math.expm1(sign * value)


def _ends(low: float, high: float, sign: int) -> tuple[float, float]:
    ends = _lift(low, sign), _lift(high, sign)
    return min(ends), max(ends)
