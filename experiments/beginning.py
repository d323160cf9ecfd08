"""Begin an experiment from something: a template of the project or of the product, or another experiment."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from django.db import transaction

from experiments import audit
from experiments.changes import announce
from experiments.domain.environments import Environment
from experiments.domain.kinds import ExperimentKind
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import Direction, MetricRole
from experiments.domain.names import LONGEST_KEY, key_problem
from experiments.domain.templates import BuiltIn, Content, UseContent, VariantContent, built_in
from experiments.models import Experiment, ExperimentMetric, ExperimentTemplate, Prerequisite, Project, Screenshot, User
from experiments.names import free_key, lock_names
from experiments.refusals import RefusedError
from experiments.setup import ExperimentPlan, MetricPlan, VariantPlan, create_experiment, plan_of
from experiments.shipping import ENDING as HOLDBACK_ENDING

COPY_ENDING = "-copy"
MOST_TEMPLATES = 100


class TemplateError(RefusedError):
    """A template or a copy cannot be made as asked."""


def content_of(experiment: Experiment) -> Content:
    """Return an experiment's set-up without what is its own: key, name, models, layer, times."""
    plan = plan_of(experiment)
    return Content(
        hypothesis=plan.hypothesis,
        unit_type=plan.unit_type,
        planned_days=plan.planned_days,
        allocation=plan.allocation,
        reading=plan.reading,
        planned_units=plan.planned_units,
        matters=plan.matters,
        adjusted=plan.adjusted,
        variants=tuple(VariantContent(key=v.key, name=v.name, weight=v.weight, value=v.value) for v in plan.variants),
        metrics=tuple(UseContent(metric=use.metric.key, role=use.role, margin=use.margin) for use in plan.metrics),
        targeting=experiment.targeting,
        environments=tuple(Environment(name) for name in experiment.environments),
        respects_holdout=experiment.respects_holdout,
        page_address=experiment.page_address,
    )


@transaction.atomic
def save_template(
    experiment: Experiment, user: User | None, key: str, name: str, description: str = ""
) -> ExperimentTemplate:
    """Keep an experiment's set-up as a template; the same one sent twice is kept once."""
    project = experiment.project
    if problem := key_problem(key):
        raise TemplateError(problem)
    if not name.strip():
        raise TemplateError("Give the template a name.")
    lock_names(project)
    content = msgspec.json.decode(msgspec.json.encode(content_of(experiment)))  # as the row will give it back
    found = project.templates.filter(key=key).first()
    if found is not None:
        if (found.name, found.description, found.content) == (name, description, content):
            return found
        raise TemplateError(f"The key {key!r} is already used by a template of this project; choose another.")
    if built_in(key) is not None:
        raise TemplateError(f"The key {key!r} is already used by a template of the product; choose another.")
    if project.templates.count() >= MOST_TEMPLATES:
        raise TemplateError(f"There are {MOST_TEMPLATES} templates, which is the most. Remove one first.")
    made = ExperimentTemplate.objects.create(
        project=project, key=key, name=name, description=description, content=content, created_by=user
    )
    audit.record(project, user, "template.create", f"template:{key}", after={"name": name, "from": experiment.key})
    return made


@transaction.atomic
def remove_template(template: ExperimentTemplate, user: User | None) -> bool:
    """Remove a template; what was begun from it stays. Return whether this call did it."""
    found = ExperimentTemplate.objects.select_for_update(of=("self",)).select_related("project").filter(pk=template.pk)
    mine = found.first()
    if mine is None:
        return False
    audit.record(mine.project, user, "template.remove", f"template:{mine.key}", before={"name": mine.name})
    mine.delete()
    return True


@transaction.atomic
def begin(
    project: Project, user: User | None, *, key: str, name: str, hypothesis: str = "", template: str = ""
) -> Experiment:
    """Create a draft, from the template of that key if one is named. The same one sent twice is created once.

    Raises
    ------
    TemplateError
        When there is no such template.
    PlanError
        When the key or the name cannot be used.
    """
    content = template_content(project, template) if template else Content()
    plan = replace(_plan(project, content), key=key, name=name, hypothesis=hypothesis or content.hypothesis)
    is_new = not Experiment.objects.filter(project=project, key=key).exists()
    made = create_experiment(project, user, plan, unfinished=True)
    if is_new:
        _set_audience(made, content)
    return made


def template_content(project: Project, key: str) -> Content:
    """Return what a template holds: the project's own, or one of the product's fitted to the project's metrics."""
    own = project.templates.filter(key=key).first()
    if own is not None:
        return msgspec.convert(own.content, Content)
    known = built_in(key)
    if known is None:
        raise TemplateError(f"There is no template {key[:80]!r}.")
    return msgspec.structs.replace(known.content, metrics=tuple(_guardrails(project, known)))


def _guardrails(project: Project, template: BuiltIn) -> Sequence[UseContent]:
    usable = project.metrics.filter(archived_at=None, direction=Direction.DECREASE.value)
    lower = usable.filter(display_unit__in=list(template.guardrails))
    margins = {str(unit): margin for unit, margin in template.guardrails.items()}
    return [
        UseContent(metric=metric.key, role=MetricRole.GUARDRAIL, margin=margins[metric.display_unit])
        for metric in lower[:3]
    ]


def _plan(project: Project, content: Content) -> ExperimentPlan:
    """Return the plan of a set-up; metrics that the project has not any more are left out."""
    metrics = {metric.key: metric for metric in project.metrics.filter(archived_at=None)}
    return ExperimentPlan(
        key="",
        name="",
        unit_type=content.unit_type,
        planned_days=content.planned_days,
        allocation=content.allocation,
        reading=content.reading if content.planned_units else ReadingPlan.FIXED,
        planned_units=content.planned_units,
        matters=content.matters,
        adjusted=content.adjusted,
        variants=tuple(VariantPlan(key=v.key, name=v.name, weight=v.weight, value=v.value) for v in content.variants),
        metrics=tuple(
            MetricPlan(metric=metrics[use.metric], role=use.role, margin=use.margin)
            for use in content.metrics
            if use.metric in metrics
        ),
    )


def _set_audience(experiment: Experiment, content: Content) -> None:
    experiment.targeting = content.targeting
    experiment.environments = [one.value for one in content.environments]
    experiment.respects_holdout = content.respects_holdout
    experiment.page_address = content.page_address
    experiment.save(update_fields=["targeting", "environments", "respects_holdout", "page_address"])
    announce()


@transaction.atomic
def duplicate(experiment: Experiment, user: User | None, *, key: str = "", name: str = "") -> Experiment:
    """Create a draft with the whole set-up of an experiment, with its models, pictures and prerequisites; in no layer.

    Its salt is new, so that who had the treatment before is no more likely to have it again; its results begin empty.

    Raises
    ------
    TemplateError
        When it is a holdout or holdback, which follow from what they were started for.
    """
    if experiment.kind not in COPIED_KINDS:
        raise TemplateError(f"{experiment.name} is a {experiment.kind}, which follows from another; copy that one.")
    project = experiment.project
    lock_names(project)
    base = experiment.key.removesuffix(HOLDBACK_ENDING)
    wanted = key or free_key(project, base[: LONGEST_KEY - len(COPY_ENDING)] + COPY_ENDING)
    plan = replace(plan_of(experiment), key=wanted, name=name or f"{experiment.name[:112]} (copy)")
    made = create_experiment(project, user, plan, unfinished=True)
    _set_audience(made, content_of(experiment))
    Prerequisite.objects.bulk_create(
        Prerequisite(experiment=made, parent_key=need.parent_key, value=need.value)
        for need in experiment.prerequisites.all()
    )
    _copy_pictures(experiment, made, user)
    after: dict[str, object] = {"from": experiment.key}
    audit.record(project, user, "experiment.duplicate", f"experiment:{made.key}", after=after)
    return made


COPIED_KINDS = (ExperimentKind.STANDARD,)


def _copy_pictures(source: Experiment, made: Experiment, user: User | None) -> None:
    for one in source.screenshots.all():
        one.pk, one.experiment, one.created_by = None, made, user
        one.save(force_insert=True)


def usual_guardrails(project: Project, besides: Sequence[int] = (), most: int = 3) -> list[MetricPlan]:
    """Return the guardrails that the project's experiments name most often, each with its newest margin."""
    in_use = ExperimentMetric.objects.filter(metric__project=project, metric__archived_at=None)
    uses = in_use.filter(role=MetricRole.GUARDRAIL.value)
    counted: dict[int, list[tuple[int, int]]] = {}
    for metric, margin, experiment in uses.values_list("metric_id", "margin", "experiment_id"):
        if metric not in besides and margin is not None:
            counted.setdefault(metric, []).append((experiment, margin))
    often = sorted(counted, key=lambda metric: (-len(counted[metric]), metric))[:most]
    found = project.metrics.in_bulk(often)
    return [MetricPlan(metric=found[pk], role=MetricRole.GUARDRAIL, margin=max(counted[pk])[1]) for pk in often]


def pictures_of(experiment: Experiment) -> dict[str, list[Screenshot]]:
    """Return an experiment's pictures by the variant's key, without their content."""
    found: dict[str, list[Screenshot]] = {}
    for one in experiment.screenshots.defer("content"):
        found.setdefault(one.variant_key, []).append(one)
    return found
