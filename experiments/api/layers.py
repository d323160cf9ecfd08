"""Layers: experiments in one share no unit."""

from http import HTTPStatus

from django.db.models import Prefetch, QuerySet
from msgspec import Struct

from experiments import layers
from experiments.api.fields import Description, Key, Name, Taken
from experiments.api.finding import layer_of
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation
from experiments.domain import layers as places
from experiments.domain.shares import WHOLE
from experiments.domain.units import UnitType
from experiments.models import Experiment, Layer, Project


class HolderAnswer(Struct, frozen=True, kw_only=True):
    """An experiment that holds a part of a layer, in ten-thousandths."""

    experiment: str
    share: int


class LayerAnswer(Struct, frozen=True, kw_only=True):
    """A layer: who holds it, and what is free, in ten-thousandths."""

    key: str
    name: str
    description: str
    unit_type: UnitType
    free: int
    holders: list[HolderAnswer]


class LayerList(Struct, frozen=True, kw_only=True):
    """A page of layers, newest first."""

    layers: list[LayerAnswer]
    next: str | None


class NewLayer(Taken, frozen=True, kw_only=True):
    """A layer over one type of unit."""

    key: Key
    name: Name
    unit_type: UnitType = UnitType.USER
    description: Description = ""


def _whole(project: Project) -> "QuerySet[Layer, Layer]":
    holding = Experiment.objects.filter(status__in=[status.value for status in layers.HOLDING]).order_by("key")
    return Layer.objects.filter(project=project).prefetch_related(Prefetch("experiments", holding))


def _answer(row: Layer) -> LayerAnswer:
    holders = [one for one in row.experiments.all() if one.layer_ranges]
    shares = [places.size(places.read_ranges(one.layer_ranges)) for one in holders]
    return LayerAnswer(
        key=row.key,
        name=row.name,
        description=row.description,
        unit_type=UnitType(row.unit_type),
        free=WHOLE - sum(shares),  # no two hold the same place
        holders=[HolderAnswer(experiment=one.key, share=share) for one, share in zip(holders, shares, strict=True)],
    )


def index(call: Call) -> LayerList:
    """List layers."""
    rows, following = page(call, _whole(call.project))
    return LayerList(layers=[_answer(row) for row in rows], next=following)


def show(call: Call) -> LayerAnswer:
    """Return one layer."""
    return _answer(_whole(call.project).get(pk=layer_of(call).pk))


def create(call: Call, body: NewLayer) -> LayerAnswer:
    """Create a layer."""
    made = layers.create_layer(call.project, None, body.key, body.name, body.unit_type, body.description)
    return _answer(_whole(call.project).get(pk=made.pk))


OPERATIONS = [
    Operation(method="GET", path="/layers", summary="List layers", handle=index, query=Page, answers=LayerList),
    Operation(
        method="POST", path="/layers", summary="Create a layer", handle=create, takes=NewLayer, answers=LayerAnswer,
        status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path="/layers/{key}", summary="Read one", handle=show, answers=LayerAnswer),
]  # fmt: skip
