"""The same numbers read in three ways beside each other: one look, every look, and as a belief."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import expm1

from analysis.decisions.arms import compared
from analysis.results.schema import Comparison, MetricResult, Results
from analysis.stats.bayes import LearnedPrior, Posterior, posterior
from analysis.stats.compare import ComparisonNumbers, Difference
from analysis.stats.estimates import Estimate
from analysis.stats.lift import log_lift
from analysis.stats.looks import AnyLooks, at_look
from analysis.stats.unavailable import NotComputable
from analysis.stats.weak_prior import WEAK
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import Direction
from experiments.pages.formats import bounds, change, level, lift, p_value, percent

EVERY_LOOK = {
    ReadingPlan.GROUP_SEQUENTIAL: "At every look of the plan",
    ReadingPlan.ALWAYS_VALID: "At every look",
    ReadingPlan.FIXED: "As if looked at every day",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One reading. ``counts`` says that the verdict rests on it."""

    name: str
    shown: str
    interval: str
    p: str
    sentence: str
    counts: bool = False
    notes: tuple[str, ...] = ()


def readings(results: Results, metric: MetricResult, one: Comparison, prior: LearnedPrior | NotComputable) -> list[Way]:
    """Return the three readings of one treatment; nothing where the comparison cannot be made."""
    numbers = compared(metric, one.control, one.variant, one.alpha)
    if not isinstance(numbers.difference, Difference):
        return []
    plan = ReadingPlan(results.looks.plan) if results.looks else ReadingPlan.FIXED
    writer = _Writer(metric, results.experiment.currency, one.alpha)
    return [
        _one_look(writer, numbers, numbers.difference, plan),
        _every_look(writer, results, one, numbers, plan),
        *_belief(writer, numbers, prior),
    ]


@dataclass(frozen=True, slots=True)
class _Writer:
    """Write changes of one metric: relative where there is a lift, else in its own unit."""

    metric: MetricResult
    currency: str
    alpha: float

    def shown(self, value: float | None, difference: float | None) -> str:
        return lift(value) if value is not None else change(difference, self.metric.display_unit, self.currency)

    def interval(self, relative: object, difference: tuple[float | None, float | None] | None) -> str:
        if isinstance(relative, tuple):
            return bounds(relative)
        if difference is None or None in difference:
            return "not known"
        low, high = (change(end, self.metric.display_unit, self.currency) for end in difference)
        return f"{low} to {high}"


def _one_look(writer: _Writer, numbers: ComparisonNumbers, found: Difference, plan: ReadingPlan) -> Way:
    interval = writer.interval(numbers.lift_interval, found.interval)
    fixed = plan is ReadingPlan.FIXED
    said = "This is what the plan reads, once, at its end." if fixed else (
        "Right only if nobody had looked before: read early and often, it finds changes that are not there."
    )  # fmt: skip
    return Way(
        name="One look",
        shown=writer.shown(numbers.lift, found.value),
        interval=interval,
        p=p_value(found.p_value),
        sentence=f"{_verdict(found.p_value < numbers.alpha, writer.alpha)} {said}",
        counts=fixed,
    )


def _every_look(
    writer: _Writer, results: Results, one: Comparison, numbers: ComparisonNumbers, plan: ReadingPlan
) -> Way:
    name = EVERY_LOOK[plan]
    if plan is not ReadingPlan.FIXED:
        clear = one.p_value is not None and one.p_value < one.alpha
        return Way(
            name=name,
            shown=writer.shown(one.lift, one.difference),
            interval=writer.interval(one.lift_interval, one.difference_interval),
            p=p_value(one.p_value),
            sentence=f"{_verdict(clear, writer.alpha)} This is what the plan reads: it holds however often one looks.",
            counts=True,
        )
    planned = results.looks.planned_units if results.looks else None
    wide = at_look(numbers, AnyLooks(tuned_for=max(2, planned or one.n + one.control_n)))
    if not isinstance(wide.difference, Difference):
        reason = wide.difference.reason
        return Way(name=name, shown="–", interval="", p="–", sentence=f"Cannot be said yet: {reason}.")
    return Way(
        name=name,
        shown=writer.shown(wide.lift, wide.difference.value),
        interval=writer.interval(wide.lift_interval, wide.difference.interval),
        p=p_value(wide.difference.p_value),
        sentence=f"{_verdict(wide.difference.p_value < numbers.alpha, writer.alpha)} "
        "Wider, because it holds however often one looks; the plan does not need that.",
    )


def _verdict(clear: bool, alpha: float) -> str:
    interval = f"The {level(alpha)} interval"
    return f"{interval} excludes zero: a change is shown." if clear else f"{interval} includes no change at all."


def _belief(writer: _Writer, numbers: ComparisonNumbers, prior: LearnedPrior | NotComputable) -> Iterator[Way]:
    before, after = numbers.control, numbers.treatment
    if not isinstance(before, Estimate) or not isinstance(after, Estimate):
        return
    found = log_lift(before, after, numbers.covariance)
    name = "As a belief (Bayesian)"
    if isinstance(found, NotComputable) or found.standard_error <= 0:
        why = found.reason if isinstance(found, NotComputable) else "every unit has the same value"
        yield Way(name=name, shown="–", interval="", p="", sentence=f"Cannot be said: {why}.")
        return
    upwards = writer.metric.direction != Direction.DECREASE
    own = prior.prior if isinstance(prior, LearnedPrior) else WEAK
    level_ = 1 - writer.alpha
    belief = posterior(found.value, found.standard_error, own, higher_is_better=upwards, level=level_)
    yield Way(
        name=name,
        shown=lift(expm1(belief.mean)),
        interval=bounds((expm1(belief.interval[0]), expm1(belief.interval[1]))),
        p="",
        sentence=_believed(belief),
        notes=(prior_words(prior), belief.notes[-1]),
    )


def _believed(belief: Posterior) -> str:
    return (
        f"The chance that it is better is {chance(belief.better)}. If it is shipped and is worse after all, that "
        f"costs {loss(belief.loss_if_shipped)} of the metric on average; if it is kept back and is better, "
        f"{loss(belief.loss_if_kept)}."
    )


def prior_words(prior: LearnedPrior | NotComputable) -> str:
    """Say what was believed before the data."""
    if isinstance(prior, LearnedPrior):
        return " ".join(prior.notes)
    reach = percent(2 * WEAK.variance**0.5, 0)
    return (
        f"Before the data, true changes were taken to lie within ±{reach} of nothing nineteen times out of twenty, "
        f"because {prior.reason}."
    )


def loss(share: float) -> str:
    """Write what is lost on average, never as nothing."""
    return percent(share) if share >= 0.0001 else "less than 0.01%"


def chance(share: float) -> str:
    """Write a probability, never as certain."""
    if share > 0.999:
        return "above 99.9%"
    return "below 0.1%" if share < 0.001 else percent(share, 1)
