"""For whom, when and under what an experiment is: audience, times, ramp, prerequisites, layer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from experiments import audience, layers, lifecycle
from experiments.api.answers import bad_value
from experiments.api.fields import ReasonOnly, Share, Taken, Targeting, Why, WhyOnly
from experiments.api.finding import experiment_of, flag_of, named_layer
from experiments.api.operations import Call, Operation
from experiments.api.plans import show
from experiments.api.shapes import ExperimentAnswer, experiment_answer
from experiments.domain.environments import Environment
from experiments.domain.ramps import RampStep
from experiments.domain.units import UnitType
from experiments.models import Experiment, Flag
from experiments.prerequisites import set_prerequisites

Moment = Annotated[datetime, Meta(tz=True)]


class AudienceAnswer(Struct, frozen=True, kw_only=True):
    """Who may take part."""

    targeting: dict[str, Any]
    environments: list[Environment]
    fallback_unit_type: UnitType | None
    respects_holdout: bool


class NewAudience(Taken, frozen=True, kw_only=True):
    """Who may take part; once it has started only more."""

    targeting: Targeting = {}
    environments: Annotated[list[Environment], Meta(min_length=1)] = field(default_factory=lambda: list(Environment))
    fallback_unit_type: UnitType | None = None
    respects_holdout: bool = True
    why: Why = ""


class Times(Taken, frozen=True, kw_only=True):
    """When it starts and stops by itself; null for not by itself. Times need a time zone."""

    starts_at: Moment | None = None
    ends_at: Moment | None = None
    why: Why = ""


class NewRamp(Taken, frozen=True, kw_only=True):
    """Steps by which traffic grows; none ends the ramp."""

    steps: list[RampStep]
    why: Why = ""


class PrerequisitesAnswer(Struct, frozen=True, kw_only=True):
    """What other flags or experiments must serve first, by their keys."""

    prerequisites: dict[str, Any]


class NewPrerequisites(Taken, frozen=True, kw_only=True):
    """All prerequisites, values by the keys of flags or experiments."""

    prerequisites: dict[str, Any]
    why: Why = ""


class NewPlace(Taken, frozen=True, kw_only=True):
    """A part of a layer: of a draft any, of what has started only a larger one."""

    layer: str
    share: Share
    why: Why = ""


def show_audience(call: Call) -> AudienceAnswer:
    """Return who may take part."""
    return _audience(experiment_of(call))


def _audience(experiment: Experiment) -> AudienceAnswer:
    found = audience.audience_of(experiment)
    return AudienceAnswer(
        targeting=found.targeting,
        environments=list(found.environments),
        fallback_unit_type=found.fallback_unit_type,
        respects_holdout=found.respects_holdout,
    )


def set_audience(call: Call, body: NewAudience) -> AudienceAnswer:
    """Change who may take part."""
    experiment = experiment_of(call)
    wanted = audience.Audience(
        targeting=body.targeting,
        environments=tuple(body.environments),
        fallback_unit_type=body.fallback_unit_type,
        respects_holdout=body.respects_holdout,
    )
    audience.set_audience(experiment, None, wanted, body.why)
    return _audience(experiment)


def set_times(call: Call, body: Times) -> ExperimentAnswer:
    """Plan when it starts and stops by itself."""
    if body.starts_at and body.ends_at and body.starts_at >= body.ends_at:
        raise bad_value("The end must lie after the start.", "ends_at")
    experiment = experiment_of(call)
    audience.set_times(experiment, None, body.starts_at, body.ends_at, body.why)
    return experiment_answer(experiment)


def set_ramp(call: Call, body: NewRamp) -> ExperimentAnswer:
    """Let traffic grow by steps."""
    experiment = experiment_of(call)
    lifecycle.set_ramp(experiment, None, body.steps, body.why)
    return experiment_answer(experiment)


def hold_ramp(call: Call, body: ReasonOnly) -> ExperimentAnswer:
    """Keep the ramp where it is."""
    experiment = experiment_of(call)
    lifecycle.hold_ramp(experiment, None, body.why)
    return experiment_answer(experiment)


def release_ramp(call: Call, body: WhyOnly) -> ExperimentAnswer:
    """Let a held ramp go on."""
    experiment = experiment_of(call)
    lifecycle.release_ramp(experiment, None, body.why)
    return experiment_answer(experiment)


def _needs(owner: Experiment | Flag) -> PrerequisitesAnswer:
    return PrerequisitesAnswer(prerequisites={row.parent_key: row.value for row in owner.prerequisites.all()})


def show_needs(call: Call) -> PrerequisitesAnswer:
    """Return what an experiment needs."""
    return _needs(experiment_of(call))


def show_flag_needs(call: Call) -> PrerequisitesAnswer:
    """Return what a flag needs."""
    return _needs(flag_of(call))


def set_needs(call: Call, body: NewPrerequisites) -> PrerequisitesAnswer:
    """Replace what an experiment needs."""
    return _set_needs(experiment_of(call), body.prerequisites, body.why)


def set_flag_needs(call: Call, body: NewPrerequisites) -> PrerequisitesAnswer:
    """Replace what a flag needs."""
    return _set_needs(flag_of(call), body.prerequisites, body.why)


def _set_needs(owner: Experiment | Flag, wanted: Mapping[str, Any], why: str) -> PrerequisitesAnswer:
    set_prerequisites(owner, None, wanted, why)
    return _needs(owner)


def place(call: Call, body: NewPlace) -> ExperimentAnswer:
    """Put a draft into a layer, or enlarge the part that it has."""
    experiment = experiment_of(call)
    layer = named_layer(call.project, body.layer, "layer")
    if experiment.layer_id == layer.pk and experiment.started_at is not None:
        layers.grow(experiment, body.share, None, body.why)
    else:
        layers.join(experiment, layer, body.share, None)
    return experiment_answer(experiment)


def leave(call: Call) -> ExperimentAnswer:
    """Take a draft out of its layer."""
    experiment = experiment_of(call)
    layers.leave(experiment, None)
    return experiment_answer(experiment)


def _put(
    path: str, summary: str, handle: Any, takes: type[Taken], answers: Any = ExperimentAnswer, **more: Any
) -> Operation:
    method = more.pop("method", "PUT")
    return Operation(
        method=method, path=path, summary=summary, handle=handle, takes=takes, answers=answers,
        current=more.pop("current", show),
    )  # fmt: skip


ONE = "/experiments/{key}"
NEEDS = "/flags/{key}/prerequisites"
OPERATIONS = [
    Operation(
        method="GET", path=f"{ONE}/audience", summary="Who may take part", handle=show_audience, answers=AudienceAnswer
    ),
    _put(
        f"{ONE}/audience", "Change who may take part", set_audience, NewAudience, AudienceAnswer, current=show_audience
    ),
    _put(f"{ONE}/schedule", "Plan when it starts and stops by itself", set_times, Times),
    _put(f"{ONE}/ramp", "Let traffic grow by steps", set_ramp, NewRamp),
    _put(f"{ONE}/ramp/hold", "Keep the ramp where it is", hold_ramp, ReasonOnly, method="POST"),
    _put(f"{ONE}/ramp/release", "Let a held ramp go on", release_ramp, WhyOnly, method="POST"),
    Operation(
        method="GET", path=f"{ONE}/prerequisites", summary="What must be served first", handle=show_needs,
        answers=PrerequisitesAnswer,
    ),
    _put(
        f"{ONE}/prerequisites", "Replace what must be served first", set_needs, NewPrerequisites, PrerequisitesAnswer,
        current=show_needs,
    ),
    Operation(
        method="GET", path=NEEDS, summary="What must be served first", handle=show_flag_needs,
        answers=PrerequisitesAnswer,
    ),
    _put(
        NEEDS, "Replace what must be served first", set_flag_needs, NewPrerequisites, PrerequisitesAnswer,
        current=show_flag_needs,
    ),
    _put(f"{ONE}/layer", "Put a draft into a layer, or enlarge its part", place, NewPlace),
    Operation(
        method="DELETE", path=f"{ONE}/layer", summary="Take a draft out of its layer", handle=leave,
        answers=ExperimentAnswer, current=show,
    ),
]  # fmt: skip
