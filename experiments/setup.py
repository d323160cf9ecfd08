"""Set up experiments from a typed plan: create drafts and revise them."""

from dataclasses import replace

from django.db import IntegrityError, transaction
from django.db.models import Q

from experiments import audit
from experiments.changes import announce
from experiments.domain.designs.stored import as_json, read
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricRole, StandsFor
from experiments.domain.names import KEY as KEY
from experiments.domain.names import KEY_RULE as KEY_RULE
from experiments.domain.units import UnitType
from experiments.domain.values import same
from experiments.models import (
    Experiment,
    ExperimentMetric,
    Flag,
    FlagRule,
    Override,
    Prerequisite,
    Project,
    User,
    Variant,
)
from experiments.names import lock_names
from experiments.plans import MOST_VARIANTS as MOST_VARIANTS
from experiments.plans import NO_PRIMARY as NO_PRIMARY
from experiments.plans import ExperimentPlan as ExperimentPlan
from experiments.plans import MetricPlan as MetricPlan
from experiments.plans import PlanError as PlanError
from experiments.plans import Problem as Problem
from experiments.plans import VariantPlan as VariantPlan
from experiments.plans import check as check
from experiments.plans import is_plain as is_plain
from experiments.plans import key_is_taken, problems_of
from experiments.rules import misfits


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
            raise PlanError([key_is_taken(plan.key)]) from None
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
        raise PlanError([key_is_taken(plan.key)]) from error
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
        "adjusted": plan.adjusted,
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
        adjusted=experiment.adjusted,
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
