"""A project's front page: every experiment with where it stands and what it says so far."""

from dataclasses import dataclass

import msgspec
from django.contrib.auth.decorators import login_required
from django.db.models import OuterRef, Subquery
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from analysis.models import ResultSnapshot
from analysis.results.schema import Comparison, Health, MetricResult, Verdict
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.domain.lifecycle import day_of
from experiments.domain.metrics import MetricRole
from experiments.models import Experiment, Project
from experiments.pages.formats import change, lift

STATUS_ORDER = {"running": 0, "paused": 1, "draft": 2, "stopped": 3}


class Glimpse(msgspec.Struct, frozen=True, kw_only=True):
    """What the list needs of a snapshot: the answer, and whether to believe it. Not the curves, which are long."""

    experiment_id: int
    verdict: Verdict
    health: Health
    metrics: list[MetricResult]

    @property
    def primary(self) -> MetricResult | None:
        """Return the metric that decides."""
        return next((metric for metric in self.metrics if metric.role == MetricRole.PRIMARY), None)

    @property
    def comparison(self) -> Comparison | None:
        """Return the primary metric's comparison, if there is one and it may be believed."""
        if not self.health.trustworthy or self.primary is None or len(self.primary.comparisons) != 1:
            return None
        return self.primary.comparisons[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One experiment of the list."""

    experiment: Experiment
    day: int
    glimpse: Glimpse | None

    @property
    def change(self) -> str:
        """Return the primary metric's change: relative, else in its own unit."""
        found = self.glimpse.comparison if self.glimpse else None
        if found is None or self.glimpse is None or self.glimpse.primary is None:
            return ""
        if found.lift is not None:
            return lift(found.lift)
        return change(found.difference, self.glimpse.primary.display_unit, self.experiment.project.currency)


@login_required
@require_GET
def project_home(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the experiments: running first, then drafts, then stopped ones, newest first."""
    project, role = get_project(request.user, project_slug)
    rows = _rows(project)
    context = {"project": project, "rows": rows, "may_edit": may(role, Role.EDITOR)}
    return render(request, "results/project_home.html", context)


def _rows(project: Project) -> list[Row]:
    newest = ResultSnapshot.objects.filter(experiment=OuterRef("pk")).order_by("-id").values("id")[:1]
    experiments = list(Experiment.objects.filter(project=project).annotate(newest_snapshot=Subquery(newest)))
    glimpses = _glimpses([e.newest_snapshot for e in experiments if e.newest_snapshot])
    for experiment in experiments:
        experiment.project = project  # no query each for its currency
    experiments.sort(key=lambda e: STATUS_ORDER[e.status])
    now = timezone.now()
    return [
        Row(experiment=e, day=day_of(e.counts_from, e.stopped_at, now), glimpse=glimpses.get(e.pk)) for e in experiments
    ]


def _glimpses(snapshots: list[int]) -> dict[int, Glimpse]:
    # The database takes the payload apart: the curves of two hundred experiments would be megabytes.
    rows = ResultSnapshot.objects.filter(pk__in=snapshots).values(
        "experiment_id", "payload__verdict", "payload__health", "payload__metrics"
    )
    found = [
        Glimpse(
            experiment_id=row["experiment_id"],
            verdict=msgspec.convert(row["payload__verdict"], Verdict, strict=False),
            health=msgspec.convert(row["payload__health"], Health, strict=False),
            metrics=msgspec.convert(row["payload__metrics"], list[MetricResult], strict=False),
        )
        for row in rows
    ]
    return {glimpse.experiment_id: glimpse for glimpse in found}
