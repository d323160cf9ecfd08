"""The global holdout: read what runs, start one, stop it."""

from http import HTTPStatus
from typing import Annotated

from msgspec import Meta, Struct

from experiments import holdouts
from experiments.api.fields import ReasonOnly, Taken, Why
from experiments.api.finding import experiment_of, missing, named_metric
from experiments.api.operations import Call, Operation
from experiments.api.shapes import ExperimentAnswer, experiment_answer
from experiments.domain.kinds import ExperimentKind
from experiments.domain.units import UnitType
from experiments.models import Experiment


class HoldoutList(Struct, frozen=True, kw_only=True):
    """The holdouts that run: at most one for each type of unit."""

    holdouts: list[ExperimentAnswer]


class NewHoldout(Taken, frozen=True, kw_only=True):
    """How much is held out of what starts or ships from now on (ten-thousandths); the first metric decides."""

    size: Annotated[int, Meta(ge=holdouts.LEAST_SIZE, le=holdouts.MOST_SIZE)]
    metrics: Annotated[list[str], Meta(min_length=1)]
    unit_type: UnitType = UnitType.USER
    planned_days: Annotated[int, Meta(ge=1, le=3650)] = 90
    why: Why = ""


def index(call: Call) -> HoldoutList:
    """List the holdouts that run."""
    running = [holdouts.running(call.project, unit_type) for unit_type in UnitType]
    return HoldoutList(holdouts=[experiment_answer(one) for one in running if one is not None])


def _holdout(call: Call) -> Experiment:
    experiment = experiment_of(call)
    if experiment.kind != ExperimentKind.HOLDOUT:
        raise missing(call.project, "holdout", experiment.key)
    return experiment


def show(call: Call) -> ExperimentAnswer:
    """Return one holdout."""
    return experiment_answer(_holdout(call))


def start(call: Call, body: NewHoldout) -> ExperimentAnswer:
    """Start a holdout."""
    metrics = [named_metric(call.project, key, f"metrics[{index}]") for index, key in enumerate(body.metrics)]
    made = holdouts.start(
        call.project,
        None,
        body.size,
        metrics,
        unit_type=body.unit_type,
        why=body.why,
        planned_days=body.planned_days,
    )
    return experiment_answer(made)


def stop(call: Call, body: ReasonOnly) -> ExperimentAnswer:
    """Stop a holdout."""
    holdout = _holdout(call)
    holdouts.stop(holdout, None, body.why)
    return experiment_answer(holdout)


OPERATIONS = [
    Operation(method="GET", path="/holdouts", summary="List what runs", handle=index, answers=HoldoutList),
    Operation(
        method="POST", path="/holdouts", summary="Start a holdout", handle=start, takes=NewHoldout,
        answers=ExperimentAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path="/holdouts/{key}", summary="Read one", handle=show, answers=ExperimentAnswer),
    Operation(
        method="POST", path="/holdouts/{key}/stop", summary="Stop a holdout", handle=stop, takes=ReasonOnly,
        answers=ExperimentAnswer, current=show,
    ),
]  # fmt: skip
