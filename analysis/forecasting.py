"""How long an experiment of a project would take, from the project's own traffic and its metric's own past."""

from dataclasses import dataclass, replace

from analysis import history
from analysis.decisions import wording
from analysis.decisions.reading import FORMS
from analysis.history import Source
from analysis.stats.duration import Duration, Forecast, Traffic, duration, forecast, percent
from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.group_sequential import SequentialPlan
from analysis.stats.planning import Baseline, Design, baseline_of, sample_size
from analysis.stats.sequential_planning import cost
from analysis.stats.unavailable import NotComputable
from experiments.domain.definitions import RATIOS
from experiments.domain.metrics import MetricKind
from experiments.models import Metric

_GROWTH = {MetricKind.COUNT: 1.0, MetricKind.DISTINCT: 1.0, MetricKind.SUM: 2.0}
"""How a unit's variance follows a change of its mean: counts as the mean, amounts as its square."""
_MOST_LOOKS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the experiment is to show.

    Attributes:
        change: relative, such as .02.
        variants: the control included; equal shares.
        guardrails: that must be shown to hold as well.
        sequential: looked at every day with O'Brien-Fleming spending.
        share: of the traffic that the experiment takes in.
        power, alpha: of the whole decision.
    """

    change: float
    variants: int = 2
    guardrails: int = 0
    sequential: bool = False
    share: float = 1.0
    power: float = 0.8
    alpha: float = 0.05

    @property
    def design(self) -> Design:
        """Return the design of one look."""
        return Design(
            alpha=self.alpha,
            power=self.power,
            control_share=1 / self.variants,
            treatment_share=1 / self.variants,
            comparisons=self.variants - 1,
            guardrails=self.guardrails,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer, with what it rests on. ``looks`` is 1 where the experiment is read once."""

    metric: Metric
    source: Source
    value: float
    design: Design
    looks: int
    forecast: Forecast


def plan(metric: Metric, source: Source, wish: Wish) -> Plan | NotComputable:
    """Plan an experiment on one success metric; the source's control and traffic stand for the future."""
    kind = MetricKind(metric.kind)
    found = estimate(FORMS[kind], history.control_moments(source.experiment, metric))
    if isinstance(found, NotComputable):
        return found
    if not (found.value > 0 and found.variance > 0):
        return NotComputable("in the control's past it is not above zero, or the same for every unit")
    baseline, traffic = baseline_for(kind, found), history.traffic(source.experiment, wish.share)
    design, looks = wish.design, 1
    if wish.sequential:
        looks = _looks(sample_size(baseline, wish.change, design), traffic)
        design = replace(design, inflation=looks_inflation(design, looks))
    return Plan(
        metric=metric,
        source=source,
        value=found.value,
        design=design,
        looks=looks,
        forecast=forecast(baseline, wish.change, traffic, design),
    )


def _looks(needed: float | NotComputable, traffic: Traffic) -> int:
    """Return how many daily looks an experiment of this size has, of which more than 28 cost hardly more."""
    length = needed if isinstance(needed, NotComputable) else duration(needed, traffic)
    return min(_MOST_LOOKS, length.enrolment_days) if isinstance(length, Duration) else _MOST_LOOKS


def baseline_for(kind: MetricKind, found: Estimate) -> Baseline:
    """Return a metric's baseline from what its control was."""
    return baseline_of(found, share=FORMS[kind] is Form.PROPORTION, growth=_GROWTH.get(kind, 1.0))


def looks_inflation(design: Design, looks: int) -> float:
    """Return how many more units a number of planned looks costs."""
    spending = SequentialPlan(alpha=design.alpha / design.comparisons, planned_information=1.0, planned_looks=looks)
    return max(1.0, cost(spending, design.test_power).inflation)


def in_words(found: Plan, change: float) -> list[str]:
    """Return the plan as lines for people: what it rests on, the answer, and what can be seen week by week."""
    metric, experiment, design = found.metric, found.source.experiment, found.design
    is_share = FORMS[MetricKind(metric.kind)] is Form.PROPORTION
    value = wording.percent(found.value) if is_share else f"{found.value:,.4g} a unit"
    if MetricKind(metric.kind) in RATIOS:
        value = f"{found.value:,.4g}"
    said = [
        f"{metric.name} is {value} in the control of {experiment.name}, whose {found.source.units:,} units "
        f"({experiment.unit_type}) also stand for the traffic.",
        _promise(design, change, found.looks),
        found.forecast.sentence,
    ]
    if not isinstance(found.forecast.needed, NotComputable):
        variants = design.comparisons + 1
        each = found.forecast.needed / variants
        said.insert(2, f"That takes {found.forecast.needed:,.0f} units, {each:,.0f} in each of {variants} variants.")
    said += [
        f"After {days} days the smallest rise that can be seen is {percent(lift)}." for days, lift in _weeks(found)
    ]
    return [line.replace(" %", "%") for line in said]


def _weeks(found: Plan) -> list[tuple[int, float]]:
    return [week for week in found.forecast.by_week if week[0] in (7, 14, 28, 56)]


def _promise(design: Design, change: float, looks: int) -> str:
    what = "rise" if change > 0 else "drop"
    said = f"A {what} of {percent(change)} is to be seen with {design.power:.0%} chance at {design.alpha:.0%} risk"
    if design.comparisons > 1:
        said += f", shared by {design.comparisons} treatments"
    if design.guardrails:
        count = "1 guardrail" if design.guardrails == 1 else f"{design.guardrails} guardrails"
        said += f", with {count} held as well (so each test is planned at {design.test_power:.0%})"
    if looks > 1:
        said += f", looking daily, {looks} times (at most {design.inflation - 1:.1%} more units)"
    return said + "."
