"""Create experiments, read them and change drafts."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from experiments.api.answers import bad_value
from experiments.api.fields import Key, Name, Share, ShareOrNone, Taken
from experiments.api.finding import experiment_of, named_metric
from experiments.api.operations import Call, Operation
from experiments.api.shapes import ExperimentAnswer, ModelRef, experiment_answer
from experiments.domain.designs.stored import Design, DesignError, as_json, read
from experiments.domain.kinds import FOLLOW_UPS, ExperimentKind, ValueType
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricRole, StandsFor
from experiments.domain.shares import WHOLE
from experiments.domain.units import UnitType, usual_unit
from experiments.domain.values import LARGEST_WHOLE, ValueTypeError, checked, same
from experiments.models import ModelVersion, Project
from experiments.setup import (
    ExperimentPlan,
    MetricPlan,
    VariantPlan,
    create_experiment,
    describe,
    plan_of,
    revise_experiment,
)

Hypothesis = Annotated[str, Meta(max_length=2000)]
Days = Annotated[int, Meta(ge=1, le=365)]
Units = Annotated[int, Meta(ge=1, le=LARGEST_WHOLE)]
DesignFields = Annotated[
    dict[str, Any],
    Meta(description="What the kinds off_policy, interleaving, bandit and switchback need; what is left out is usual."),
]
VariantKey = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9._-]+$")]


class NewVariant(Taken, frozen=True, kw_only=True):
    """A variant; the first is the control. Apps get ``value``, or the key where it is null."""

    key: VariantKey
    weight: Share
    name: Name | None = None
    value: Any = None
    model: ModelRef | None = None


class NewUse(Taken, frozen=True, kw_only=True):
    """What a metric is for; a guardrail needs a margin, in ten-thousandths of the control's value.

    Without ``stands_for`` the metric's own holds, and without that its words.
    """

    metric: str
    role: MetricRole
    margin: ShareOrNone | None = None
    stands_for: StandsFor | None = None


class NewExperiment(Taken, frozen=True, kw_only=True):
    """A draft.

    Without ``unit_type`` a bandit deals sessions, a switchback blocks and any other kind users. Only an interleaving
    needs no metrics: its clicks decide.
    """

    key: Key
    name: Name
    variants: list[NewVariant]
    metrics: list[NewUse] = []
    hypothesis: Hypothesis = ""
    unit_type: UnitType | UnsetType = UNSET
    planned_days: Days = 14
    traffic: Share = WHOLE
    reading: ReadingPlan = ReadingPlan.FIXED
    planned_units: Units | None = None
    matters: Share | None = None
    adjusted: bool = True
    kind: ExperimentKind = ExperimentKind.STANDARD
    design: DesignFields = {}


class DraftChanges(Taken, frozen=True, kw_only=True):
    """What is to be different in a draft; what is left out stays."""

    key: Key | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    variants: list[NewVariant] | UnsetType = UNSET
    metrics: list[NewUse] | UnsetType = UNSET
    hypothesis: Hypothesis | UnsetType = UNSET
    unit_type: UnitType | UnsetType = UNSET
    planned_days: Days | UnsetType = UNSET
    traffic: Share | UnsetType = UNSET
    reading: ReadingPlan | UnsetType = UNSET
    planned_units: Units | UnsetType | None = UNSET
    matters: Share | UnsetType | None = UNSET
    adjusted: bool | UnsetType = UNSET
    design: DesignFields | UnsetType = UNSET


def create(call: Call, body: NewExperiment) -> ExperimentAnswer:
    """Create a draft."""
    plan = ExperimentPlan(
        key=body.key,
        name=body.name,
        variants=variants_of(call.project, body.variants),
        metrics=metrics_of(call.project, body.metrics),
        hypothesis=body.hypothesis,
        unit_type=usual_unit(body.kind) if body.unit_type is UNSET else body.unit_type,
        planned_days=body.planned_days,
        allocation=body.traffic,
        reading=body.reading,
        planned_units=body.planned_units,
        matters=body.matters,
        adjusted=body.adjusted,
        kind=body.kind,
        design=_design(body.kind, body.design),
    )
    return experiment_answer(create_experiment(call.project, None, plan))


def show(call: Call) -> ExperimentAnswer:
    """Return one experiment."""
    return experiment_answer(experiment_of(call))


def change(call: Call, body: DraftChanges) -> ExperimentAnswer:
    """Change a draft's plan."""
    experiment = experiment_of(call)
    given: dict[str, Any] = {
        name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not UNSET
    }
    if "variants" in given:
        given["variants"] = variants_of(call.project, given["variants"])
    if "metrics" in given:
        given["metrics"] = metrics_of(call.project, given["metrics"])
    if "traffic" in given:
        given["allocation"] = given.pop("traffic")
    before = plan_of(experiment)
    if "design" in given:
        given["design"] = _design(before.kind, {**as_json(before.design), **given["design"]})
    wanted = replace(before, **given)
    if not same(describe(wanted), describe(before)):
        # A draft that people have begun and not finished may be changed so, and not be made less finished.
        unfinished = not any(use.role is MetricRole.PRIMARY for use in before.metrics)
        experiment = revise_experiment(experiment, None, wanted, unfinished=unfinished)
    return experiment_answer(experiment)


def _design(kind: ExperimentKind, given: dict[str, Any]) -> Design | None:
    if kind in FOLLOW_UPS:
        raise bad_value(f"A {kind} is not set up by itself: it follows from what it is for.", "kind")
    try:
        return read(kind, given)
    except DesignError as error:
        raise bad_value(str(error), "design") from error


def variants_of(project: Project, given: Sequence[NewVariant]) -> tuple[VariantPlan, ...]:
    """Return variants as the set-up takes them."""
    return tuple(
        VariantPlan(
            key=one.key,
            name=one.name or one.key,
            weight=one.weight,
            value=_value(one.value, f"variants[{index}].value"),
            model_version=_model(project, one.model, f"variants[{index}].model"),
        )
        for index, one in enumerate(given)
    )


def metrics_of(project: Project, given: Sequence[NewUse]) -> tuple[MetricPlan, ...]:
    """Return uses of metrics as the set-up takes them."""
    return tuple(
        MetricPlan(
            metric=named_metric(project, one.metric, f"metrics[{index}].metric"),
            role=one.role,
            margin=one.margin,
            stands_for=one.stands_for,
        )
        for index, one in enumerate(given)
    )


def _value(given: Any, field: str) -> Any:
    """Return a value that every client can read, of whatever type: the list around it is of the widest one."""
    try:
        return checked([given], ValueType.OBJECT)[0]
    except ValueTypeError as error:
        raise bad_value(str(error), field) from error


def _model(project: Project, given: ModelRef | None, field: str) -> ModelVersion | None:
    if given is None:
        return None
    found = ModelVersion.objects.filter(project=project, name=given.name, version=given.version).first()
    if found is None:
        raise bad_value(
            f"There is no model version {given.name[:80]!r} {given.version[:40]!r}. Register it first.", field
        )
    return found


OPERATIONS = [
    Operation(
        method="POST", path="/experiments", summary="Create a draft", handle=create,
        takes=NewExperiment, answers=ExperimentAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path="/experiments/{key}", summary="Read one", handle=show, answers=ExperimentAnswer),
    Operation(
        method="PATCH", path="/experiments/{key}", summary="Change a draft's plan", handle=change,
        takes=DraftChanges, answers=ExperimentAnswer, current=show,
    ),
]  # fmt: skip
