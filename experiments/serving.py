"""Guardrails of serving for an experiment of models: named by default once the project has them, else at one click."""

from dataclasses import replace

from django.db import transaction

from experiments.domain.metrics import Direction, MetricRole, StandsFor
from experiments.domain.serving import SERVING, ServingMetric
from experiments.drafting import change_plan
from experiments.metrics import add_metric
from experiments.models import Experiment, Metric, Project, User
from experiments.models.metric import columns_of
from experiments.names import lock_names
from experiments.plans import ExperimentPlan, MetricPlan
from experiments.setup import plan_of

DESCRIPTION = "Each answer of the model counts, by the version that the user got."


def is_of_models(plan: ExperimentPlan) -> bool:
    """Say whether two or more variants serve different versions of a model."""
    return len({one.model_version.pk for one in plan.variants if one.model_version is not None}) > 1


def lacking(experiment: Experiment, plan: ExperimentPlan) -> list[ServingMetric]:
    """Return what an experiment of models does not hold yet; nothing for any other experiment."""
    if not is_of_models(plan):
        return []
    named = {use.metric.key for use in plan.metrics}
    archived = experiment.project.metrics.exclude(archived_at=None).values_list("key", flat=True)
    return [one for one in SERVING if one.key not in named and one.key not in set(archived)]


def hold(experiment: Experiment, user: User | None, *, only_known: bool = False) -> list[str]:
    """Name every guardrail of serving in the plan and return which were new there, by name.

    With ``only_known`` those alone that the project has already; else the others are added to it.

    Raises:
        PlanError: the plan would be wrong, or the experiment has started.
    """
    with transaction.atomic():
        lock_names(experiment.project)
        wanted = lacking(experiment, plan_of(experiment))
        found = {one.key: one for one in experiment.project.metrics.filter(key__in=[one.key for one in wanted])}
        if not only_known:
            found |= {one.key: _added(experiment.project, user, one) for one in wanted if one.key not in found}
        uses = tuple(
            MetricPlan(metric=found[one.key], role=MetricRole.GUARDRAIL, margin=one.margin)
            for one in wanted
            if one.key in found
        )
        if uses:
            change_plan(experiment, user, lambda plan: replace(plan, metrics=(*plan.metrics, *uses)))
    return [use.metric.name for use in uses]


def _added(project: Project, user: User | None, one: ServingMetric) -> Metric:
    metric = Metric(
        key=one.key, name=one.name, description=DESCRIPTION, direction=Direction.DECREASE.value,
        display_unit=one.unit.value, stands_for=StandsFor.NEITHER.value, **columns_of(one.definition),
    )  # fmt: skip
    return add_metric(project, user, metric, "Guardrail of serving a model")
