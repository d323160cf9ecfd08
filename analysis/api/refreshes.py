"""Start a refresh over the API, and see how far it is."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from analysis.api.access import experiment_of, with_key
from analysis.api.answers import ApiError, answer
from analysis.api.experiments import absolute
from analysis.models import RefreshRun
from analysis.refreshing import request_refresh
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Project


@with_key("POST")
def start(request: HttpRequest, project: Project, key: str) -> HttpResponse:  # noqa: ARG001  (a view's signature)
    """Start a refresh or join the one under way; 202 says where to look."""
    experiment = experiment_of(project, key)
    if experiment.status == Status.DRAFT:
        raise ApiError(
            HTTPStatus.CONFLICT, "not_started", f"{experiment.name} is a draft; start it before asking for results."
        )
    run = request_refresh(experiment, user=None)
    response = answer(_status(experiment, run), HTTPStatus.ACCEPTED)
    response["Location"] = absolute("api_refresh_status", experiment.key, run.pk)
    return response


@with_key("GET", "HEAD")
def status(request: HttpRequest, project: Project, key: str, run_id: int) -> HttpResponse:  # noqa: ARG001
    """Say how far a refresh is."""
    experiment = experiment_of(project, key)
    run = RefreshRun.objects.filter(experiment=experiment, pk=run_id).first()
    if run is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", f"Experiment {key!r} has no refresh {run_id}.")
    return answer(_status(experiment, run))


def _status(experiment: Experiment, run: RefreshRun) -> dict[str, object]:
    return {
        "id": run.pk,
        "state": run.state,
        "percent": run.percent,
        "step": run.step,
        "error": run.error or None,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
        "links": {
            "status": absolute("api_refresh_status", experiment.key, run.pk),
            "results": absolute("api_results", experiment.key),
        },
    }
