"""A project's experiments, and the newest results of one."""

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.cache import get_conditional_response

from analysis.api.access import experiment_of, with_key
from analysis.api.answers import ApiError, answer
from analysis.results.latest import latest, newest_verdicts
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Project

LONGEST_PAGE = 100


@with_key("GET", "HEAD")
def index(request: HttpRequest, project: Project) -> HttpResponse:
    """List the project's experiments, newest first, at most 100 a page; ``next`` leads on."""
    found = Experiment.objects.filter(project=project).order_by("-id")
    if before := request.GET.get("before"):
        found = found.filter(pk__lt=_number(before))
    page = list(found[: LONGEST_PAGE + 1])
    shown, more = page[:LONGEST_PAGE], len(page) > LONGEST_PAGE
    verdicts = newest_verdicts(shown)
    following = f"{absolute('api_experiments')}?before={shown[-1].pk}" if more else None
    return answer(
        {
            "project": project.slug,
            "experiments": [_summary(project, experiment, verdicts.get(experiment.pk)) for experiment in shown],
            "next": following,
        }
    )


@with_key("GET", "HEAD")
def results(request: HttpRequest, project: Project, key: str) -> HttpResponse:
    """Return the newest results: ``analysis.results.schema.Results`` with links."""
    experiment = experiment_of(project, key)
    snapshot = latest(experiment)
    if snapshot is None:
        raise ApiError(HTTPStatus.CONFLICT, "no_results_yet", _why_none(experiment))
    etag = f'"snapshot-{snapshot.pk}"'
    unchanged = get_conditional_response(request, etag=etag)
    if isinstance(unchanged, HttpResponse):
        return unchanged
    response = answer({**snapshot.payload, "snapshot": snapshot.pk, "links": _links(project, experiment, snapshot.pk)})
    response["ETag"] = etag
    return response


def absolute(name: str, *args: object) -> str:
    """Return the address of a view as others reach it."""
    return f"{settings.BASE_URL}{reverse(name, args=args)}"


def _summary(project: Project, experiment: Experiment, verdict: dict[str, object] | None) -> dict[str, object]:
    return {
        "key": experiment.key,
        "name": experiment.name,
        "status": experiment.status,
        "unit_type": experiment.unit_type,
        "started_at": experiment.started_at,
        "stopped_at": experiment.stopped_at,
        "verdict": verdict,
        "links": _links(project, experiment),
    }


def _links(project: Project, experiment: Experiment, snapshot: int | None = None) -> dict[str, str]:
    links = {
        "results": absolute("api_results", experiment.key),
        "refresh": absolute("api_refresh", experiment.key),
        "page": absolute("experiment_results", project.slug, experiment.key),
        "csv": absolute("results_csv", project.slug, experiment.key),
    }
    if snapshot is not None:
        links["snapshot"] = absolute("result_snapshot", project.slug, experiment.key, snapshot)
    return links


def _why_none(experiment: Experiment) -> str:
    if experiment.status == Status.DRAFT:
        return f"{experiment.name} is a draft; its results begin when it is started."
    return f"{experiment.name} has no results yet; they follow within minutes, or at once with POST …/refresh."


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18:
        raise ApiError(
            HTTPStatus.BAD_REQUEST, "bad_page", f"before is {text[:40]!r}; take the address from 'next' as it stands."
        )
    return int(text)
