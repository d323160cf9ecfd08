"""Model versions: list, read, add."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from django.db.models import Q
from msgspec import Meta, Struct

from experiments.api.answers import bad_value, conflict
from experiments.api.fields import Taken
from experiments.api.finding import missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation
from experiments.metrics import add_model_version
from experiments.models import ModelVersion


class SearchPage(Page, frozen=True, kw_only=True):
    """Which part, and of those with a word in their key or name."""

    search: str = ""


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
