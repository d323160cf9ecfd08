"""A project's experiments, and the newest results of one."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from msgspec import Struct

from analysis.overview.finding import of_stages
from analysis.results.latest import latest, newest_verdicts
from analysis.results.schema import Results
from experiments.api.answers import answer, conflict
from experiments.api.finding import experiment_of
from experiments.api.listing import Page, number, page
from experiments.api.operations import Call, Operation, link
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.stages import Stage
from experiments.domain.units import UnitType
from experiments.models import Experiment, Project
from experiments.staging import staged


class ExperimentSummary(Struct, frozen=True, kw_only=True):
    """An experiment with its newest verdict, if it has results."""

    key: str
    name: str
    kind: ExperimentKind
    status: Status
    stage: Stage
    unit_type: UnitType
    owner: str | None
    tags: list[str]
    archived_at: datetime | None
    started_at: datetime | None
    stopped_at: datetime | None
    verdict: dict[str, Any] | None
    links: dict[str, str]


class ExperimentList(Struct, frozen=True, kw_only=True):
    """A page of experiments, newest first."""

    project: str
    experiments: list[ExperimentSummary]
    next: str | None


class ExperimentPage(Page, frozen=True, kw_only=True):
    """Which experiments; ``search`` looks into keys, names and hypotheses, ``before`` is ``cursor`` by its old name.

    ``owner`` is an e-mail address. What is archived is listed alone, with ``archived=true``.
    """

    search: str = ""
    status: Status | None = None
    stage: Stage | None = None
    kind: ExperimentKind | None = None
    tag: str = ""
    owner: str = ""
    archived: bool = False
    before: str = ""


class ResultsAnswer(Results, frozen=True, kw_only=True):
    """The newest results, which snapshot they are, and where people see them."""

    snapshot: int
    links: dict[str, str]


def index(call: Call) -> ExperimentList:
    """List the project's experiments."""
    query: ExperimentPage = call.query
    of_project = Experiment.objects.filter(project=call.project, archived_at__isnull=not query.archived)
    found = staged(of_project, timezone.now()).select_related("owner")
    if query.search:
        word = query.search
        found = found.filter(Q(key__icontains=word) | Q(name__icontains=word) | Q(hypothesis__icontains=word))
    if query.status is not None:
        found = found.filter(status=query.status.value)
    if query.kind is not None:
        found = found.filter(kind=query.kind.value)
    if query.stage is not None:
        found = of_stages(found, [query.stage])
    if query.tag:
        found = found.filter(tags__contains=[query.tag.lower()])
    if query.owner:
        found = found.filter(owner__email=query.owner.lower())
    if query.before:
        found = found.filter(pk__lt=number(query.before, "before"))
    shown, following = page(call, found)
    verdicts = newest_verdicts(shown)
    return ExperimentList(
        project=call.project.slug,
        experiments=[_summary(call.project, one, verdicts.get(one.pk)) for one in shown],
        next=following,
    )


def results(call: Call) -> HttpResponse:
    """Return the newest results: ``analysis.results.schema.Results`` with links."""
    experiment = experiment_of(call)
    snapshot = latest(experiment)
    if snapshot is None:
        raise conflict(_why_none(experiment), "no_results_yet")
    links = _links(call.project, experiment, snapshot.pk)
    response = answer({**snapshot.payload, "snapshot": snapshot.pk, "links": links})
    response["ETag"] = f'"snapshot-{snapshot.pk}"'
    return response


def _summary(project: Project, experiment: Experiment, verdict: dict[str, Any] | None) -> ExperimentSummary:
    return ExperimentSummary(
        key=experiment.key,
        name=experiment.name,
        kind=ExperimentKind(experiment.kind),
        status=Status(experiment.status),
        stage=Stage(experiment.stage),  # type: ignore[attr-defined]  # annotated by experiments.staging
        owner=experiment.owner.email if experiment.owner else None,
        tags=experiment.tags,
        archived_at=experiment.archived_at,
        unit_type=UnitType(experiment.unit_type),
        started_at=experiment.started_at,
        stopped_at=experiment.stopped_at,
        verdict=verdict,
        links=_links(project, experiment),
    )


def _links(project: Project, experiment: Experiment, snapshot: int | None = None) -> dict[str, str]:
    links = {
        "results": link("/experiments/{key}/results", key=experiment.key),
        "refresh": link("/experiments/{key}/refresh", key=experiment.key),
        "page": _page("experiment_results", project.slug, experiment.key),
        "csv": _page("results_csv", project.slug, experiment.key),
    }
    if snapshot is not None:
        links["snapshot"] = _page("result_snapshot", project.slug, experiment.key, snapshot)
    return links


def _page(name: str, *args: object) -> str:
    return f"{settings.BASE_URL}{reverse(name, args=args)}"


def _why_none(experiment: Experiment) -> str:
    if experiment.status == Status.DRAFT:
        return f"{experiment.name} is a draft; its results begin when it is started."
    return f"{experiment.name} has no results yet; they follow within minutes, or at once with POST …/refresh."


OPERATIONS = [
    Operation(
        method="GET", path="/experiments", summary="List experiments", handle=index, query=ExperimentPage,
        answers=ExperimentList,
    ),
    Operation(
        method="GET", path="/experiments/{key}/results", summary="The newest results", handle=results,
        answers=ResultsAnswer,
    ),
]  # fmt: skip
