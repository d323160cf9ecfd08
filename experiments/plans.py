"""A plan as typed values, and everything that must hold before it can be an experiment."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from experiments.domain.designs.stored import Design
from experiments.domain.kinds import ExperimentKind
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricKind, MetricRole, StandsFor
from experiments.domain.names import KEY, KEY_RULE, key_problem
from experiments.domain.units import UnitType
from experiments.models import Metric, ModelVersion
from experiments.models.experiment import WHOLE

MOST_VARIANTS = 20
SHORT_LIVED = (UnitType.SESSION, UnitType.IMPRESSION)
"""Units that ask once: shares that change move none of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantPlan:
    """One of the things to compare; the first of a plan is the control. ``weight`` is in ten-thousandths."""

    key: str
    name: str
    weight: int
    value: object = None
    model_version: ModelVersion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """What a metric is for. ``margin`` (guardrails alone) is in ten-thousandths of the control's value.

    ``stands_for`` is what it stands for on the way to the business: None leaves that to what the experiment has, else
    to the metric.
    """

    metric: Metric
    role: MetricRole
    margin: int | None = None
    stands_for: StandsFor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """Everything that an experiment is. ``allocation`` is the share of traffic in ten-thousandths.

    ``planned_units`` (all variants together) is needed where ``reading`` allows for looking early. ``matters`` is the
    smallest change of a primary metric worth acting on, in ten-thousandths of the control's value. ``design`` is what
    the kind needs beyond that. ``adjusted``: results are read adjusted for what units did before their exposure.
    """

    key: str
    name: str
    variants: tuple[VariantPlan, ...]
    metrics: tuple[MetricPlan, ...]
    hypothesis: str = ""
    unit_type: UnitType = UnitType.USER
    planned_days: int = 14
    allocation: int = WHOLE
    reading: ReadingPlan = ReadingPlan.FIXED
    planned_units: int | None = None
    matters: int | None = None
    adjusted: bool = True
    kind: ExperimentKind = ExperimentKind.STANDARD
    design: Design | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one part of a plan: ``part`` is key, name, variants, metrics or a field of the plan."""

    part: str
    message: str


NO_PRIMARY = Problem("metrics", "Choose a primary metric: the one that decides.")


class PlanError(Exception):
    """A plan that cannot be an experiment, with every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.message for problem in problems))
        self.problems = problems


def check(plan: ExperimentPlan, *, unfinished: bool = False) -> None:
    """Raise ``PlanError`` with every problem of the plan, or return. ``unfinished`` forgives what is not there yet."""
    missing = {NO_PRIMARY} if unfinished else set()
    if problems := [problem for problem in problems_of(plan) if problem not in missing]:
        raise PlanError(problems)


def problems_of(plan: ExperimentPlan) -> Iterator[Problem]:
    """Yield everything that keeps the plan from being started."""
    if problem := key_problem(plan.key):
        yield Problem("key", problem)
    if not plan.name.strip():
        yield Problem("name", "Give the experiment a name.")
    if plan.planned_days < 1:
        yield Problem("planned_days", "Plan at least one day.")
    if not 0 < plan.allocation <= WHOLE:
        yield Problem("allocation", "The share of traffic must be more than 0 % and at most 100 %.")
    yield from _reading_problems(plan)
    yield from _variant_problems(plan.variants)
    yield from _metric_problems(plan.metrics, plan.kind)
    yield from _design_problems(plan)


def _design_problems(plan: ExperimentPlan) -> Iterator[Problem]:
    if (plan.unit_type is UnitType.BLOCK) != (plan.kind is ExperimentKind.SWITCHBACK):
        yield Problem("unit_type", "Blocks are the units of switchbacks, and of nothing else.")
    if plan.design is None:
        return
    if plan.kind is ExperimentKind.BANDIT and plan.unit_type not in SHORT_LIVED:
        yield Problem("unit_type", f"A bandit deals sessions or impressions: {plan.unit_type}s come back, and would "
                      "change their variant when shares do. Compare them in an A/B test.")  # fmt: skip
    primary = next((use.metric for use in plan.metrics if use.role is MetricRole.PRIMARY), None)
    for part, message in plan.design.problems(len(plan.variants), MetricKind(primary.kind) if primary else None):
        yield Problem(part, message)
    for use in plan.metrics:
        if not is_plain(use.metric):
            yield Problem("metric", f"{use.metric.name} has filters, refunds, a delay, a window or a cap of its own; a "
                          f"{plan.kind.replace('_', '-')} counts plain events. Choose a metric without.")  # fmt: skip


def is_plain(metric: Metric) -> bool:
    """Say whether a metric counts events by their name and property alone."""
    return not (
        metric.filters
        or metric.denominator_filters
        or metric.denominator_property
        or metric.refund_event
        or metric.steps
        or metric.delay_hours
        or metric.window_hours
        or metric.minimum_hours
        or metric.cap_value is not None
        or metric.cap_share is not None
    )


def _reading_problems(plan: ExperimentPlan) -> Iterator[Problem]:
    if plan.planned_units is not None and plan.planned_units < 1:
        yield Problem("planned_units", "Plan at least one unit.")
    if plan.reading is not ReadingPlan.FIXED and plan.planned_units is None:
        yield Problem("planned_units", "Looking early needs the number of units that you plan for: it sets the bar.")
    if plan.matters is not None and not 1 <= plan.matters <= WHOLE:
        yield Problem("matters", "The smallest change that matters is more than 0 % and at most 100 %.")


def _variant_problems(variants: tuple[VariantPlan, ...]) -> Iterator[Problem]:
    if not 2 <= len(variants) <= MOST_VARIANTS:
        yield Problem(
            "variants", f"There are {len(variants)} variants; compare at least 2 and at most {MOST_VARIANTS}."
        )
    for key in sorted({variant.key for variant in variants}):
        if not KEY.fullmatch(key):
            yield Problem("variants", f"The variant key {key!r} is not allowed; {KEY_RULE}.")
    for key, count in Counter(variant.key for variant in variants).items():
        if count > 1:
            yield Problem("variants", f"The variant key {key!r} is used {count} times; give each variant its own.")
    if any(variant.weight <= 0 for variant in variants):
        yield Problem("variants", "Every variant needs a weight above 0 %.")
    total = sum(variant.weight for variant in variants)
    if total != WHOLE:
        yield Problem("variants", f"The weights add up to {total / 100:g} %; they must add up to exactly 100 %.")


def _metric_problems(metrics: tuple[MetricPlan, ...], kind: ExperimentKind) -> Iterator[Problem]:
    if kind is not ExperimentKind.INTERLEAVING and not any(use.role is MetricRole.PRIMARY for use in metrics):
        yield NO_PRIMARY
    for metric, count in Counter(use.metric for use in metrics).items():
        if count > 1:
            yield Problem("metrics", f"{metric.name} is chosen {count} times; give each metric one role.")
    for use in metrics:
        if use.role is MetricRole.GUARDRAIL and (use.margin is None or not 0 <= use.margin <= WHOLE):
            yield Problem(
                "metrics",
                f"The guardrail {use.metric.name} needs a margin between 0 % and 100 %: how much worse is OK?",
            )
        if use.role is not MetricRole.GUARDRAIL and use.margin is not None:
            yield Problem("metrics", f"{use.metric.name} is no guardrail, so it has no margin.")


def key_is_taken(key: str) -> Problem:
    """Return the problem of a key that belongs to something else."""
    return Problem("key", f"The key {key!r} is already used in this project; choose another.")
