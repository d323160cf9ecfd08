"""Add to a project's catalogue: metrics and model versions, each with its audit row."""

from django.db import transaction

from experiments import audit
from experiments.models import Metric, ModelVersion, Project, User


@transaction.atomic
def add_metric(project: Project, user: User | None, metric: Metric) -> Metric:
    """Save a new metric of the project."""
    metric.project, metric.created_by = project, user
    metric.save(force_insert=True)
    audit.record(
        project,
        user,
        "metric.create",
        f"metric:{metric.key}",
        after={
            name: getattr(metric, name)
            for name in ("name", "kind", "event", "property", "denominator_event", "direction", "display_unit")
        },
    )
    return metric


@transaction.atomic
def add_model_version(project: Project, user: User | None, version: ModelVersion) -> ModelVersion:
    """Save a new model version of the project."""
    version.project, version.created_by = project, user
    version.save(force_insert=True)
    audit.record(
        project,
        user,
        "model_version.create",
        f"model:{version}",
        after={"offline_metric": version.offline_metric, "offline_value": version.offline_value},
    )
    return version
