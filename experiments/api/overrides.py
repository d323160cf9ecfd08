"""QA overrides of an experiment."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from msgspec import Meta, Struct

from experiments import overrides
from experiments.api.answers import bad_value
from experiments.api.fields import Taken
from experiments.api.finding import experiment_of, missing
from experiments.api.operations import Call, Operation
from experiments.models import Override


class OverrideAnswer(Struct, frozen=True, kw_only=True):
    """A unit that sees a chosen variant, and that no result counts."""

    id: int
    unit_id: str
    variant: str
    note: str
    created_at: datetime


class OverrideList(Struct, frozen=True, kw_only=True):
    """All overrides of an experiment."""

    overrides: list[OverrideAnswer]


class NewOverride(Taken, frozen=True, kw_only=True):
    """Have a unit see a variant, instead of another that it was given before."""

    unit_id: Annotated[str, Meta(min_length=1, max_length=overrides.LONGEST_UNIT, pattern=r"\S")]
    variant: str
    note: Annotated[str, Meta(max_length=200)] = ""


def _answer(row: Override) -> OverrideAnswer:
    return OverrideAnswer(
        id=row.pk, unit_id=row.unit_id, variant=row.variant.key, note=row.note, created_at=row.created_at
    )


def index(call: Call) -> OverrideList:
    """List an experiment's overrides."""
    rows = experiment_of(call).overrides.select_related("variant")
    return OverrideList(overrides=[_answer(row) for row in rows])


def add(call: Call, body: NewOverride) -> OverrideAnswer:
    """Add or change one."""
    experiment = experiment_of(call)
    variant = experiment.variants.filter(key=body.variant).first()
    if variant is None:
        there = ", ".join(experiment.variants.values_list("key", flat=True))
        raise bad_value(f"{experiment.name} has no variant {body.variant[:60]!r}, only {there}.", "variant")
    return _answer(overrides.add(experiment, body.unit_id, variant, None, body.note))


def remove(call: Call) -> None:
    """Remove one."""
    experiment = experiment_of(call)
    found = experiment.overrides.select_related("variant").filter(pk=call.args["id"]).first()
    if found is None:
        raise missing(call.project, f"override of {experiment.key!r} with the id", call.args["id"])
    found.experiment = experiment
    overrides.remove(found, None)


MANY = "/experiments/{key}/overrides"
OPERATIONS = [
    Operation(method="GET", path=MANY, summary="List QA overrides", handle=index, answers=OverrideList),
    Operation(
        method="POST", path=MANY, summary="Have a unit see a variant", handle=add, takes=NewOverride,
        answers=OverrideAnswer, status=HTTPStatus.CREATED, current=index,
    ),
    Operation(
        method="DELETE", path=MANY + "/{id}", summary="Remove a QA override", handle=remove, answers=None,
        status=HTTPStatus.NO_CONTENT, current=index,
    ),
]  # fmt: skip
