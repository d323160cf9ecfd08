"""The metric that a project's business goes by."""

from django.db import transaction

from experiments import audit
from experiments.models import Metric, Project, User


@transaction.atomic
def choose(project: Project, metric: Metric | None, user: User | None, why: str = "") -> bool:
    """Have the project go by a metric, or by none; return whether this call changed it.

    Raises
    ------
    ValueError
        The metric is another project's.
    """
    if metric is not None and metric.project_id != project.pk:
        raise ValueError(f"{metric.key} is no metric of {project.slug}")
    mine = Project.objects.select_for_update(of=("self",)).select_related("north_star").get(pk=project.pk)
    before, after = mine.north_star, metric
    if before == after:
        return False
    mine.north_star = metric
    mine.save(update_fields=["north_star"])
    audit.record(
        project,
        user,
        "project.north-star",
        f"project:{project.slug}",
        before={"north_star": before.key if before else None},
        after={"north_star": after.key if after else None},
        why=why,
    )
    project.north_star = metric
    return True
