"""What a stopped loser would have cost in a year.

Per unit, the treatment was d worse than the control (with its interval) for N exposed units in D days, at a share a of
the traffic. Everyone, for a year: d · N / a · 365 / D. Only what adds up over units and days can be extrapolated so:
counts, sums and shares of units, not averages and ratios. A loss that was picked for being clear is overstated on
average (Gelman and Carlin 2014, "type M error"); the text says so.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.mail.wording import count
from analysis.results.schema import Comparison, ExperimentFacts, MetricResult, Reading, Results
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole
from experiments.domain.shares import WHOLE
from experiments.pages import formats

DAYS_A_YEAR = 365
ADDITIVE = frozenset({MetricKind.SUM, MetricKind.COUNT, MetricKind.PROPORTION})
DIGITS = 2
"""More than two digits of such an extrapolation would be false precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What was avoided, in words."""

    sentence: str
    explanation: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    metric: MetricResult
    one: Comparison
    variant: str


def avoided_loss(results: Results, traffic: int) -> Loss | None:
    """Return the loss that an ended experiment's stop avoided, or None where no treatment was clearly worse.

    ``traffic`` is the share of the audience that was in the experiment, in ten-thousandths.
    """
    if not results.health.trustworthy or results.experiment.stopped_at is None:
        return None
    found = _worst(results)
    if found is None:
        return None
    yearly = _yearly(found, results, traffic)
    facts = (
        [("Change", f"{formats.lift(found.one.lift)} ({formats.bounds(found.one.lift_interval)})")]
        if (found.one.lift is not None)
        else []
    )
    if yearly is None:
        return _without_a_sum(found, results, facts)
    low, middle, high = yearly
    level = formats.level(found.one.alpha)
    return Loss(
        sentence=_sentence(found, results.experiment.name, middle),
        explanation=f"{level} interval {low} to {high}. {_how(found, results)} Losses that are clear enough to stop "
        "for are overstated a little on average.",
        facts=[("A year", f"{middle} ({low} to {high})"), *facts],
    )


def _sentence(found: _Found, name: str, amount: str) -> str:
    metric = found.metric
    if metric.display_unit == DisplayUnit.CURRENCY and metric.direction == Direction.INCREASE:
        return f"Stopping {name} avoided a loss of about {amount} a year."
    fate = "losing" if metric.direction == Direction.INCREASE else "growing by"
    return f"Stopping {name} kept {metric.name} from {fate} about {amount} a year."


def _worst(results: Results) -> _Found | None:
    """Return the worse comparison to speak of: money before what the plan decides by, and that before guardrails."""
    names = {variant.key: variant.name for variant in results.variants}
    worse = [
        _Found(metric=metric, one=one, variant=names.get(one.variant, one.variant))
        for metric in results.metrics
        for one in metric.comparisons
        if one.reading is Reading.WORSE or one.margin_crossed
    ]
    if not any(found.metric.role != MetricRole.SECONDARY for found in worse):
        return None
    return min(worse, key=_rank)


def _rank(found: _Found) -> tuple[bool, bool, bool, float]:
    metric = found.metric
    adds_up = metric.kind in ADDITIVE
    return (
        not (adds_up and metric.display_unit == DisplayUnit.CURRENCY),
        metric.role != MetricRole.PRIMARY,
        not adds_up,
        -abs(found.one.lift or 0.0),
    )


def _yearly(found: _Found, results: Results, traffic: int) -> tuple[str, str, str] | None:
    one, facts = found.one, results.experiment
    interval = one.difference_interval
    if found.metric.kind not in ADDITIVE or one.difference is None or interval is None or not traffic:
        return None
    low, high = interval
    if low is None or high is None:
        return None
    units = sum(variant.units for variant in results.variants) * WHOLE / traffic
    pace = units * DAYS_A_YEAR / _days(facts.started_at, facts.stopped_at)
    bounds = sorted((_harm(found.metric, low) * pace, _harm(found.metric, high) * pace))
    middle = _harm(found.metric, one.difference) * pace
    if bounds[0] <= 0:
        return None  # the interval of this reading does not exclude that nothing was lost
    words = [_amount(found.metric, value, facts) for value in (bounds[0], middle, bounds[1])]
    return words[0], words[1], words[2]


def _harm(metric: MetricResult, difference: float) -> float:
    return -difference if metric.direction == Direction.INCREASE else difference


def _days(started_at: datetime, stopped_at: datetime | None) -> float:
    if stopped_at is None:
        raise ValueError("Only an ended experiment has avoided something.")
    return max((stopped_at - started_at) / timedelta(days=1), 1.0)


def _amount(metric: MetricResult, value: float, about: ExperimentFacts) -> str:
    rounded = float(f"{value:.{DIGITS}g}")
    if metric.display_unit == DisplayUnit.CURRENCY:
        text = formats.money(rounded, about.currency)
        return text.replace(".00", "") if rounded >= 10 else text
    number = f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"
    return f"{number} {about.unit_type}s" if metric.kind == MetricKind.PROPORTION else number


def _how(found: _Found, results: Results) -> str:
    facts = results.experiment
    units = count(sum(variant.units for variant in results.variants), facts.unit_type)
    days = _days(facts.started_at, facts.stopped_at)
    change = formats.change(found.one.difference, found.metric.display_unit, facts.currency)
    return (
        f"{found.metric.name} differed by {change} a {facts.unit_type} with {found.variant}, over {units} in "
        f"{days:.0f} day{'' if round(days) == 1 else 's'}; everyone in the audience, at this pace, for a year."
    )


def _without_a_sum(found: _Found, results: Results, facts: list[tuple[str, str]]) -> Loss:
    return Loss(
        sentence=f"Stopping {results.experiment.name} kept {found.variant} from everyone: "
        f"{found.metric.name} was clearly worse.",
        explanation="What that would have come to in a year cannot be said: the metric does not add up over people and "
        "days, or its interval is open.",
        facts=facts,
    )
