"""Metrics and model versions: list, read, add."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from django.db.models import Q
from msgspec import Meta, Struct

from experiments.api.answers import bad_value, conflict
from experiments.api.fields import Description, Name, Taken
from experiments.api.finding import metric_of, missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation
from experiments.domain.metrics import Direction, DisplayUnit, MetricKind
from experiments.metrics import add_metric, add_model_version
from experiments.models import Metric, ModelVersion
from experiments.models.metric import NEEDS_PROPERTY

MetricKey = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[-a-zA-Z0-9_]+$")]
EventName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\S")]
OtherName = Annotated[str, Meta(max_length=128)]


class MetricAnswer(Struct, frozen=True, kw_only=True):
    """A metric: how events of one unit become that unit's number."""

    key: str
    name: str
    description: str
    kind: MetricKind
    event: str
    property: str
    denominator_event: str
    direction: Direction
    display_unit: DisplayUnit
    created_at: datetime


class MetricList(Struct, frozen=True, kw_only=True):
    """A page of metrics, newest first."""

    metrics: list[MetricAnswer]
    next: str | None


class SearchPage(Page, frozen=True, kw_only=True):
    """Which part, and of those with a word in their key or name."""

    search: str = ""


class NewMetric(Taken, frozen=True, kw_only=True):
    """A metric; sum and average need ``property``, ratio needs ``denominator_event``."""

    key: MetricKey
    name: Name
    kind: MetricKind
    event: EventName
    direction: Direction = Direction.INCREASE
    display_unit: DisplayUnit = DisplayUnit.NUMBER
    property: OtherName = ""
    denominator_event: OtherName = ""
    description: Description = ""


class ModelVersionAnswer(Struct, frozen=True, kw_only=True):
    """A version of a model and how good it looked offline."""

    id: int
    name: str
    version: str
    offline_metric: str
    offline_value: float | None
    notes: str
    created_at: datetime


class ModelVersionList(Struct, frozen=True, kw_only=True):
    """A page of model versions, newest first."""

    model_versions: list[ModelVersionAnswer]
    next: str | None


class NewModelVersion(Taken, frozen=True, kw_only=True):
    """A version; an offline metric comes with its value."""

    name: Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]
    version: Annotated[str, Meta(min_length=1, max_length=40, pattern=r"\S")]
    offline_metric: Annotated[str, Meta(max_length=60)] = ""
    offline_value: float | None = None
    notes: Annotated[str, Meta(max_length=300)] = ""


def _metric(row: Metric) -> MetricAnswer:
    return MetricAnswer(
        key=row.key,
        name=row.name,
        description=row.description,
        kind=MetricKind(row.kind),
        event=row.event,
        property=row.property,
        denominator_event=row.denominator_event,
        direction=Direction(row.direction),
        display_unit=DisplayUnit(row.display_unit),
        created_at=row.created_at,
    )


def metrics(call: Call) -> MetricList:
    """List metrics."""
    found = Metric.objects.filter(project=call.project)
    if word := call.query.search:
        found = found.filter(Q(key__icontains=word) | Q(name__icontains=word))
    rows, following = page(call, found)
    return MetricList(metrics=[_metric(row) for row in rows], next=following)


def metric(call: Call) -> MetricAnswer:
    """Return one metric."""
    return _metric(metric_of(call))


def new_metric(call: Call, body: NewMetric) -> MetricAnswer:
    """Add a metric."""
    if bool(body.property.strip()) < (body.kind.value in NEEDS_PROPERTY):
        raise bad_value("Name the property to total or average.", "property")
    if bool(body.denominator_event.strip()) != (body.kind is MetricKind.RATIO):
        raise bad_value("A ratio, and nothing else, names the event to divide by.", "denominator_event")
    if Metric.objects.filter(project=call.project, key=body.key).exists():
        raise conflict(f"The key {body.key!r} is already used in this project; choose another.", "key_taken", "key")
    made = Metric(**{name: getattr(body, name) for name in body.__struct_fields__})
    return _metric(add_metric(call.project, None, made))


def _version(row: ModelVersion) -> ModelVersionAnswer:
    return ModelVersionAnswer(
        id=row.pk,
        name=row.name,
        version=row.version,
        offline_metric=row.offline_metric,
        offline_value=row.offline_value,
        notes=row.notes,
        created_at=row.created_at,
    )


def versions(call: Call) -> ModelVersionList:
    """List model versions."""
    found = ModelVersion.objects.filter(project=call.project)
    if word := call.query.search:
        found = found.filter(Q(name__icontains=word) | Q(version__icontains=word))
    rows, following = page(call, found)
    return ModelVersionList(model_versions=[_version(row) for row in rows], next=following)


def version(call: Call) -> ModelVersionAnswer:
    """Return one model version."""
    found = ModelVersion.objects.filter(project=call.project, pk=call.args["id"]).first()
    if found is None:
        raise missing(call.project, "model version", call.args["id"])
    return _version(found)


def new_version(call: Call, body: NewModelVersion) -> ModelVersionAnswer:
    """Register a model version."""
    if (body.offline_value is None) != (not body.offline_metric):
        raise bad_value("Give both the offline metric and its value, or neither.", "offline_value")
    if ModelVersion.objects.filter(project=call.project, name=body.name, version=body.version).exists():
        raise conflict(f"{body.name} {body.version} is registered already.", "key_taken", "version")
    made = ModelVersion(**{name: getattr(body, name) for name in body.__struct_fields__})
    return _version(add_model_version(call.project, None, made))


OPERATIONS = [
    Operation(
        method="GET", path="/metrics", summary="List metrics", handle=metrics, query=SearchPage, answers=MetricList
    ),
    Operation(
        method="POST", path="/metrics", summary="Add a metric", handle=new_metric, takes=NewMetric,
        answers=MetricAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path="/metrics/{key}", summary="Read one", handle=metric, answers=MetricAnswer),
    Operation(
        method="GET", path="/model-versions", summary="List model versions", handle=versions, query=SearchPage,
        answers=ModelVersionList,
    ),
    Operation(
        method="POST", path="/model-versions", summary="Register a model version", handle=new_version,
        takes=NewModelVersion, answers=ModelVersionAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(
        method="GET", path="/model-versions/{id}", summary="Read one", handle=version, answers=ModelVersionAnswer
    ),
]  # fmt: skip
