"""Start a refresh over the API, and see how far it is."""

from datetime import datetime
from http import HTTPStatus

from django.http import HttpResponse
from msgspec import Struct

from analysis.models import RefreshRun
from analysis.refreshing import request_refresh
from experiments.api.answers import answer, conflict
from experiments.api.finding import experiment_of, missing
from experiments.api.operations import Call, Operation, link
from experiments.domain.access import Scope
from experiments.domain.lifecycle import Status
from experiments.models import Experiment


class RefreshAnswer(Struct, frozen=True, kw_only=True):
    """A refresh of results, and how far it is."""

    id: int
    state: str
    percent: int
    step: str
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    links: dict[str, str]


def start(call: Call) -> HttpResponse:
    """Start a refresh or join the one under way; 202 says where to look."""
    experiment = experiment_of(call)
    if experiment.status == Status.DRAFT:
        raise conflict(f"{experiment.name} is a draft; start it before asking for results.", "not_started")
    run = request_refresh(experiment, user=None)
    response = answer(_status(experiment, run), HTTPStatus.ACCEPTED)
    response["Location"] = _where(experiment, run)
    return response


def status(call: Call) -> RefreshAnswer:
    """Say how far a refresh is."""
    experiment = experiment_of(call)
    run = RefreshRun.objects.filter(experiment=experiment, pk=call.args["run_id"]).first()
    if run is None:
        raise missing(call.project, f"experiment {experiment.key!r} with a refresh", call.args["run_id"])
    return _status(experiment, run)


def _where(experiment: Experiment, run: RefreshRun) -> str:
    return link("/experiments/{key}/refresh/{run_id}", key=experiment.key, run_id=run.pk)


def _status(experiment: Experiment, run: RefreshRun) -> RefreshAnswer:
    return RefreshAnswer(
        id=run.pk,
        state=run.state,
        percent=run.percent,
        step=run.step,
        error=run.error or None,
        created_at=run.created_at,
        finished_at=run.finished_at,
        links={"status": _where(experiment, run), "results": link("/experiments/{key}/results", key=experiment.key)},
    )


OPERATIONS = [
    # Whoever may read results may have them made anew: nothing that is set up changes.
    Operation(
        method="POST", path="/experiments/{key}/refresh", summary="Have results made anew", handle=start,
        answers=RefreshAnswer, status=HTTPStatus.ACCEPTED, scope=Scope.READ,
    ),
    Operation(
        method="GET", path="/experiments/{key}/refresh/{run_id}", summary="How far a refresh is", handle=status,
        answers=RefreshAnswer,
    ),
]  # fmt: skip
