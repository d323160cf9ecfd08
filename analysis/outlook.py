"""What a plan can promise while somebody writes it: from the project's own traffic and its metrics' own past."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.core.cache import cache
from redis.exceptions import RedisError

from analysis import history
from analysis.decisions.reading import FORMS
from analysis.forecasting import baseline_for, looks_inflation
from analysis.history import Source
from analysis.stats import confidence_sequence
from analysis.stats.duration import WEEK, Duration, Traffic, duration
from analysis.stats.duration import percent as spaced_percent
from analysis.stats.estimates import estimate
from analysis.stats.planning import Baseline, Design, detectable, guardrail_power, power, sample_size
from analysis.stats.unavailable import NotComputable
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import Direction, MetricKind
from experiments.models import Metric

KEPT_SECONDS = 1800
"""How long a metric's past is kept between two questions: the past changes slowly, and somebody is typing."""
MOST_WEEKS = 8
LIKELY = 0.8
"""A chance below this is called too small: the usual power of a plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A metric's baseline and the traffic that stand for the future, and where both are from."""

    metric: Metric
    source: Source
    value: float
    baseline: Baseline
    cumulative: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A plan as it stands. Shares are fractions; ``matters`` is relative, None where it is not named yet."""

    days: int
    control_share: float
    treatment_share: float
    share: float = 1.0
    treatments: int = 1
    primaries: int = 1
    reading: ReadingPlan = ReadingPlan.FIXED
    planned_units: int | None = None
    matters: float | None = None
    guardrails: tuple[tuple[Metric, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One guardrail and the chance to show that it holds, if nothing changes; None with the reason where unknown."""

    metric: Metric
    margin: float
    chance: float | None
    reason: str = ""

    @property
    def says(self) -> str:
        """Say what the plan promises of the guardrail."""
        if self.chance is None:
            return f"{self.metric.name}: {self.reason}."
        held = f"{self.metric.name}: if nothing changes, its margin of {percent(self.margin)} is shown to hold with a"
        said = f"{held} chance of {chance_words(self.chance)}."
        return said if self.is_likely else f"{said} Plan longer, or allow more."

    @property
    def is_likely(self) -> bool:
        """Say whether it will probably be shown."""
        return self.chance is not None and self.chance >= LIKELY


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the plan can promise.

    Attributes:
        units: that will have come by the planned end.
        least: smallest change that the plan can see, or why none.
        needed_days: whole weeks for the change that matters, None where it is not named or never seen.
        chance: to see the change that matters, None where it is not named.
        floor: smallest change that eight weeks of today's traffic could see.
        weeks: (days, smallest change that can be seen after them).
    """

    past: Past
    asked: Asked
    units: float
    least: float | NotComputable
    needed_days: int | NotComputable | None
    chance: float | None
    floor: tuple[int, float] | None
    weeks: tuple[tuple[int, float], ...]
    promises: tuple[Promise, ...]

    @property
    def is_enough(self) -> bool:
        """Say whether the planned days see what matters."""
        return self.chance is not None and self.chance >= LIKELY - 1e-9

    @property
    def headline(self) -> str:
        """Answer the question in one sentence."""
        days = _days(self.asked.days)
        if isinstance(self.least, NotComputable):
            return f"{days.capitalize()} can show nothing: {self.least.reason}."
        if self.asked.matters is None:
            return f"{days.capitalize()} can see a change of {percent(self.least)} or more."
        wanted = percent(self.asked.matters)
        if self.is_enough:
            return f"{days.capitalize()} are enough to see a change of {wanted}."
        if isinstance(self.needed_days, int):
            return f"{days.capitalize()} are too short for a change of {wanted}: that takes {self.needed_days} days."
        return f"A change of {wanted} cannot be seen with today's traffic."

    @property
    def lines(self) -> list[str]:
        """Say what the headline rests on."""
        said = []
        if self.asked.matters is not None and not isinstance(self.least, NotComputable):
            least = min(self.least, self.asked.matters) if self.is_enough else self.least
            said.append(f"The planned end sees {percent(least)} or more with {LIKELY:.0%} chance.")
        if self.chance is not None and not self.is_enough:
            said.append(f"The chance to see the change that matters is {chance_words(self.chance)}.")
        if self.floor is not None:
            days, least = self.floor
            said.append(f"In {days} days, today's traffic cannot see less than {percent(least)}.")
        source = self.past.source
        said.append(
            f"About {self.units:,.0f} units will have come. {self.past.metric.name} is taken from the control of "
            f"{source.experiment.name}, the traffic from its {source.units:,} units."
        )
        return said


def past(metric: Metric, source: Source) -> Past | NotComputable:
    """Return a metric's past, from the cache where it was asked for lately; read anew where that does not answer."""
    name = f"metric-past:{metric.pk}:{source.experiment.pk}:{source.units}"
    try:
        found = cache.get(name)
        if found is None:
            found = _read_past(metric, source)
            cache.set(name, found, KEPT_SECONDS)
    except RedisError:
        found = _read_past(metric, source)
    if isinstance(found, NotComputable):
        return found
    value, baseline, cumulative = found
    return Past(metric=metric, source=source, value=value, baseline=baseline, cumulative=cumulative)


def _read_past(metric: Metric, source: Source) -> tuple[float, Baseline, tuple[float, ...]] | NotComputable:
    kind = MetricKind(metric.kind)
    if kind not in FORMS:
        return NotComputable(f"a {kind} is not planned yet")
    found = estimate(FORMS[kind], history.control_moments(source.experiment, metric))
    if isinstance(found, NotComputable):
        return found
    if not (found.value > 0 and found.variance > 0):
        return NotComputable("in the control's past it is not above zero, or the same for every unit")
    return found.value, baseline_for(kind, found), history.traffic(source.experiment).cumulative


def outlook(found: Past, asked: Asked, pasts: dict[int, Past]) -> Outlook:
    """Say what a plan can promise; ``pasts`` are those of the guardrails, by the metric's id."""
    traffic = Traffic(cumulative=found.cumulative, share=asked.share)
    plain = _design(asked)
    units = traffic.units(asked.days)
    design = replace(plain, inflation=_inflation(plain, asked, units))
    lift = _lift(found.metric, asked.matters)
    weeks = [(week * WEEK, detectable(found.baseline, traffic.units(week * WEEK), design)) for week in _weeks()]
    seen = tuple((days, least) for days, least in weeks if not isinstance(least, NotComputable))
    return Outlook(
        past=found,
        asked=asked,
        units=units,
        least=detectable(found.baseline, units, design),
        needed_days=None if lift is None else _needed_days(found.baseline, lift, traffic, design),
        chance=None if lift is None else _chance(found.baseline, lift, units, design),
        floor=seen[-1] if seen else None,
        weeks=seen,
        promises=tuple(_promise(metric, margin, units, plain, pasts) for metric, margin in asked.guardrails),
    )


def _weeks() -> range:
    return range(1, MOST_WEEKS + 1)


def _design(asked: Asked) -> Design:
    return Design(
        control_share=asked.control_share,
        treatment_share=asked.treatment_share,
        comparisons=asked.treatments * asked.primaries,
        guardrails=len(asked.guardrails),
    )


def _inflation(design: Design, asked: Asked, units: float) -> float:
    """Return how many more units looking early costs, at the planned number of units."""
    match asked.reading:
        case ReadingPlan.FIXED:
            return 1.0
        case ReadingPlan.GROUP_SEQUENTIAL:
            return looks_inflation(design, min(28, max(2, asked.days)))
        case ReadingPlan.ALWAYS_VALID:
            tuned_for = float(asked.planned_units or max(units, 1.0))
            bound = confidence_sequence.boundary(tuned_for, design.alpha / design.comparisons, tuned_for)
            return ((bound + design.reach - design.quantile) / design.reach) ** 2


def _lift(metric: Metric, matters: float | None) -> float | None:
    """Return the change that matters in its good direction; a metric cannot fall by more than all of it."""
    if matters is None:
        return None
    return matters if metric.direction == Direction.INCREASE else -min(matters, 0.99)


def _chance(baseline: Baseline, lift: float, units: float, design: Design) -> float:
    """Return the chance to see the change with every guardrail held, as the plan counts it."""
    if units <= 0 or (baseline.share and baseline.value * (1 + lift) > 1):
        return 0.0
    return max(0.0, 1 - (1 - power(baseline, lift, units, design)) * (design.guardrails + 1))


def _needed_days(baseline: Baseline, lift: float, traffic: Traffic, design: Design) -> int | NotComputable:
    needed = sample_size(baseline, lift, design)
    if isinstance(needed, NotComputable):
        return needed
    length = duration(needed, traffic)
    return length.total_days if isinstance(length, Duration) else length


def _promise(metric: Metric, margin: float, units: float, design: Design, pasts: dict[int, Past]) -> Promise:
    found = pasts.get(metric.pk)
    if found is None:
        return Promise(metric=metric, margin=margin, chance=None, reason="no experiment has units for it yet")
    if margin <= 0:
        return Promise(metric=metric, margin=margin, chance=None, reason="without a margin it can never be shown")
    # One that may rise by its margin is planned as one that may fall by it: the distance is the same, the noise nearly.
    chance = guardrail_power(found.baseline, min(margin, 0.99), units, design)
    return Promise(metric=metric, margin=margin, chance=chance)


def percent(share: float) -> str:
    """Return a share in words of two digits, as the results write them: 2%, 1.1%."""
    return spaced_percent(share).replace(" ", "")


def chance_words(chance: float) -> str:
    """Return a chance as people should read it: never none, never certain."""
    if chance < 0.01:
        return "less than 1%"
    return "more than 99%" if chance > 0.99 else f"{chance:.0%}"


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def sources(metrics: Sequence[Metric]) -> dict[int, Source]:
    """Return where each metric's past is, by its id; metrics of one project."""
    return history.sources(metrics[0].project, metrics) if metrics else {}
