"""Set up experiments from a typed plan: everything that must hold before one can exist."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction
from django.db.models import Q

from experiments import audit
from experiments.changes import announce
from experiments.domain.designs.stored import Design, as_json, read
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricKind, MetricRole, StandsFor
from experiments.domain.names import KEY as KEY
from experiments.domain.names import KEY_RULE as KEY_RULE
from experiments.domain.names import key_problem
from experiments.domain.units import UnitType
from experiments.domain.values import same
from experiments.models import (
    Experiment,
    ExperimentMetric,
    Flag,
    FlagRule,
    Metric,
    ModelVersion,
    Override,
    Prerequisite,
    Project,
    User,
    Variant,
)
from experiments.models.experiment import WHOLE
from experiments.names import lock_names
from experiments.rules import misfits

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
    the kind needs beyond that.
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


def create_experiment(
    project: Project, user: User | None, plan: ExperimentPlan, *, unfinished: bool = False
) -> Experiment:
    """Create a draft. The same plan sent twice (a double click) is created once.

    An ``unfinished`` one may still lack what decides; it cannot start so.
    """
    check(plan, unfinished=unfinished)
    plan = _settled(plan, project, None)
    try:
        with transaction.atomic():
            _refuse_key_of_flag(project, plan.key)
            experiment = Experiment.objects.create(project=project, created_by=user, owner=user, **_columns(plan))
            _write_parts(experiment, plan)
            audit.record(project, user, "experiment.create", f"experiment:{plan.key}", after=describe(plan))
            announce()
    except IntegrityError:
        existing = Experiment.objects.filter(project=project, key=plan.key).first()
        if existing is None:
            raise
        if existing.created_by != user or existing.status != Status.DRAFT or plan_of(existing) != plan:
            raise PlanError([_key_is_taken(plan.key)]) from None
        return existing
    return experiment


def revise_experiment(
    experiment: Experiment, user: User | None, plan: ExperimentPlan, *, unfinished: bool = False
) -> Experiment:
    """Replace a draft's plan. A started experiment keeps its plan, or its numbers would change their meaning."""
    check(plan, unfinished=unfinished)
    try:
        with transaction.atomic():
            lock_names(experiment.project)
            drafts = Experiment.objects.select_for_update(of=("self",)).select_related("project", "layer")
            locked = drafts.get(pk=experiment.pk)
            _refuse_revision(locked, plan)
            plan = _settled(plan, locked.project, locked)
            before = describe(plan_of(locked))
            for name, value in _columns(plan).items():
                setattr(locked, name, value)
            locked.revision += 1
            locked.save()
            _replace_parts(locked, plan)
            audit.record(
                locked.project, user, "experiment.revise", f"experiment:{plan.key}", before=before, after=describe(plan)
            )
            announce()
    except IntegrityError as error:
        raise PlanError([_key_is_taken(plan.key)]) from error
    return locked


def _settled(plan: ExperimentPlan, project: Project, stored: Experiment | None) -> ExperimentPlan:
    """Return the plan with what each metric stands for where somebody said so: for the experiment, else in general.

    The project's north star is the business.
    """
    said = {} if stored is None else dict(stored.plan.values_list("metric_id", "stands_for"))
    metrics = []
    for use in plan.metrics:
        own = use.metric.stands_for or ("business" if use.metric.pk == project.north_star_id else "")
        known = said.get(use.metric.pk, own) if use.role is not MetricRole.GUARDRAIL else ""
        metrics.append(replace(use, stands_for=use.stands_for or (StandsFor(known) if known else None)))
    return replace(plan, metrics=tuple(metrics))


def _refuse_revision(experiment: Experiment, plan: ExperimentPlan) -> None:
    if experiment.status != Status.DRAFT:
        raise PlanError(
            [Problem("status", f"{experiment.name} has started: its plan is frozen. Create a new experiment.")]
        )
    if experiment.layer is not None and plan.unit_type != experiment.unit_type:
        raise PlanError([Problem("unit_type", f"It is in a layer of {experiment.unit_type}s; leave that first.")])
    if plan.key != experiment.key:
        _refuse_key_of_flag(experiment.project, plan.key)
    _refuse_breaking_others(experiment, plan)


def _refuse_breaking_others(experiment: Experiment, plan: ExperimentPlan) -> None:
    """Refuse another key, or variants without a value, that a prerequisite names: it could never be met again."""
    of_project = Q(experiment__project=experiment.project) | Q(flag__project=experiment.project)
    for needing in Prerequisite.objects.filter(of_project, parent_key=experiment.key):
        owner = needing.experiment or needing.flag
        if plan.key != experiment.key:
            raise PlanError([Problem("key", f"The key {experiment.key!r} stays: it is a prerequisite of {owner}.")])
        served = [variant.key if variant.value is None else variant.value for variant in plan.variants]
        if not any(same(needing.value, value) for value in served):
            raise PlanError([Problem("variants", f"A variant must serve {needing.value!r}: {owner} needs that value.")])


def _replace_parts(experiment: Experiment, plan: ExperimentPlan) -> None:
    overrides = list(experiment.overrides.select_related("variant"))
    experiment.variants.all().delete()  # and with them the overrides, which stay where their variant does
    experiment.plan.all().delete()
    _write_parts(experiment, plan)
    variants = {variant.key: variant for variant in experiment.variants.all()}
    kept = [one for one in overrides if one.variant.key in variants]
    for one in kept:
        one.pk, one.variant = None, variants[one.variant.key]
    Override.objects.bulk_create(kept)


def _refuse_key_of_flag(project: Project, key: str) -> None:
    lock_names(project)
    if Flag.objects.filter(project=project, key=key).exists():
        raise PlanError([Problem("key", f"The key {key!r} is already used by a flag of this project; choose another.")])


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


def _key_is_taken(key: str) -> Problem:
    return Problem("key", f"The key {key!r} is already used in this project; choose another.")


def _columns(plan: ExperimentPlan) -> dict[str, object]:
    return {
        "key": plan.key,
        "name": plan.name,
        "hypothesis": plan.hypothesis,
        "unit_type": plan.unit_type.value,
        "planned_days": plan.planned_days,
        "allocation": plan.allocation,
        "reading": plan.reading.value,
        "planned_units": plan.planned_units,
        "matters": plan.matters,
        "kind": plan.kind.value,
        "design": as_json(plan.design),
    }


def _write_parts(experiment: Experiment, plan: ExperimentPlan) -> None:
    Variant.objects.bulk_create(
        Variant(
            experiment=experiment,
            key=variant.key,
            name=variant.name,
            position=position,
            weight=variant.weight,
            value=variant.value,
            model_version=variant.model_version,
        )
        for position, variant in enumerate(plan.variants)
    )
    ExperimentMetric.objects.bulk_create(
        ExperimentMetric(
            experiment=experiment,
            metric=use.metric,
            role=use.role.value,
            margin=use.margin,
            position=position,
            stands_for=use.stands_for or "",
        )
        for position, use in enumerate(plan.metrics)
    )


def plan_of(experiment: Experiment) -> ExperimentPlan:
    """Read a stored experiment back into its plan."""
    return ExperimentPlan(
        key=experiment.key,
        name=experiment.name,
        hypothesis=experiment.hypothesis,
        unit_type=UnitType(experiment.unit_type),
        planned_days=experiment.planned_days,
        allocation=experiment.allocation,
        reading=ReadingPlan(experiment.reading),
        planned_units=experiment.planned_units,
        matters=experiment.matters,
        kind=ExperimentKind(experiment.kind),
        design=read(ExperimentKind(experiment.kind), experiment.design),
        variants=tuple(
            VariantPlan(key=v.key, name=v.name, weight=v.weight, value=v.value, model_version=v.model_version)
            for v in experiment.variants.select_related("model_version")
        ),
        metrics=tuple(
            MetricPlan(
                metric=use.metric,
                role=MetricRole(use.role),
                margin=use.margin,
                stands_for=StandsFor(use.stands_for) if use.stands_for else None,
            )
            for use in experiment.plan.select_related("metric")
        ),
    )


def describe(plan: ExperimentPlan) -> dict[str, object]:
    """Return the plan as the audit keeps it."""
    of_its_kind = {"kind", "design"} if plan.design is None else set()
    return {
        **{name: value for name, value in _columns(plan).items() if name not in of_its_kind},
        "variants": [
            {
                "key": v.key,
                "name": v.name,
                "weight": v.weight,
                "value": v.value,
                "model_version": str(v.model_version) if v.model_version else None,
            }
            for v in plan.variants
        ],
        "metrics": [_described(use) for use in plan.metrics],
    }


def _described(use: MetricPlan) -> dict[str, object]:
    said: dict[str, object] = {"key": use.metric.key, "role": use.role.value, "margin": use.margin}
    return said if use.stands_for is None else {**said, "stands_for": use.stands_for.value}


def missing_for_start(experiment: Experiment, plan: ExperimentPlan | None = None) -> list[str]:
    """Return what a draft still lacks, in words; empty when it can start."""
    rules = FlagRule.objects.filter(experiment=experiment, flag__archived_at__isnull=True).select_related("flag")
    unfit = [problem for rule in rules for problem in misfits(rule.flag, experiment)]
    filed = ["It is archived; restore it first."] if experiment.archived_at is not None else []
    return [*filed, *(problem.message for problem in problems_of(plan or plan_of(experiment))), *unfit]
