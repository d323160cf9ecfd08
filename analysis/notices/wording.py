"""Sentences and facts of occurrences."""

from analysis.mail.contents import status
from analysis.mail.wording import count
from analysis.results.schema import Comparison, MetricResult, Results
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricRole
from experiments.domain.shares import WHOLE
from experiments.models import Experiment
from experiments.pages import formats

MOST_METRICS = 4
Facts = list[tuple[str, str]]


def plan(experiment: Experiment) -> str:
    """Say when there is something to read."""
    if experiment.reading == ReadingPlan.FIXED:
        why = "reading early finds effects that are not there"
        return f"It is read on day {experiment.planned_days} and not before, because {why}."
    return f"Look when you like: its plan allows for it. It is planned for {experiment.planned_days} days."


def plan_facts(experiment: Experiment) -> Facts:
    """Return what an experiment's plan is, in few words."""
    variants = [f"{one.name} {formats.weight(one.weight)}" for one in experiment.variants.all()]
    uses = list(experiment.plan.select_related("metric"))
    decides = [use.metric.name for use in uses if use.role == MetricRole.PRIMARY]
    guards = [use.metric.name for use in uses if use.role == MetricRole.GUARDRAIL]
    facts = [
        ("Variants", ", ".join(variants)),
        ("Traffic", formats.weight(experiment.allocation)),
        ("Decides", ", ".join(decides) or "no metric"),
    ]
    return [*facts, *([("Guardrails", ", ".join(guards))] if guards else [])]


def result_facts(results: Results) -> Facts:
    """Return where a result stands and its decisive numbers, which a broken experiment has not."""
    units = sum(variant.units for variant in results.variants)
    facts = [("Status", status(results)), ("Exposed", count(units, results.experiment.unit_type))]
    if not results.health.trustworthy:
        return facts
    several = len(results.variants) > 2
    names = {variant.key: variant.name for variant in results.variants}
    shown = [
        (
            f"{metric.name}, {names[one.variant]}" if several else metric.name,
            change(metric, one, results.experiment.currency),
        )
        for metric in results.metrics
        for one in metric.comparisons
        if metric.role == MetricRole.PRIMARY or one.margin_crossed
    ]
    return [*facts, *shown[:MOST_METRICS]]


def change(metric: MetricResult, one: Comparison, currency: str) -> str:
    """Write a comparison in one line: the change, its interval and its reading."""
    if one.lift is not None:
        interval = f" ({formats.bounds(one.lift_interval)})" if one.lift_interval else ""
        return f"{formats.lift(one.lift)}{interval}, {one.reading.value}"
    if one.difference is not None:
        return f"{formats.change(one.difference, metric.display_unit, currency)}, {one.reading.value}"
    return one.reading.value


def to_whom(experiment: Experiment) -> str:
    """Say whom a shipped variant reaches."""
    if experiment.shipped_share >= WHOLE and not experiment.holdback_share:
        return " to everyone"
    if experiment.shipped_share < WHOLE:
        return f", to {formats.weight(experiment.shipped_share)} to begin with"
    return f" to everyone but the {formats.weight(experiment.holdback_share)} held back"


def after_shipping(experiment: Experiment) -> str:
    """Say what is next."""
    if experiment.holdback_share:
        return "Watch its holdback: it goes on measuring what the variant brings."
    return "Nothing measures it any more. A holdback would have."
