"""Whom an id counts for, over the API: the first thing to ask where a person's events seem to be missing."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from analysis import people
from experiments.api.fields import Taken
from experiments.api.operations import Call, Operation


class IdentityQuery(Taken, frozen=True, kw_only=True):
    """The id to look up: of a user or of a device."""

    id: Annotated[str, Meta(min_length=1, max_length=255)]


class LinkAnswer(Struct, frozen=True, kw_only=True):
    """An app said that ``alias`` is ``user_id``, and when it said so first."""

    alias: str
    user_id: str
    linked_at: datetime


class IdentityAnswer(Struct, frozen=True, kw_only=True):
    """Whom an id counts for, all ids that count for that person, and every link that names the id, earliest first."""

    id: str
    person: str
    ids: list[str]
    links: list[LinkAnswer]


def show(call: Call) -> IdentityAnswer:
    """Return whom an id counts for; one that nothing links counts for itself."""
    found = people.who_is(call.project, call.query.id.replace("\x00", "\ufffd"))
    return IdentityAnswer(
        id=found.id,
        person=found.person,
        ids=found.ids,
        links=[LinkAnswer(alias=alias, user_id=user, linked_at=at) for alias, user, at in found.links],
    )


OPERATIONS = [
    Operation(
        method="GET", path="/identities", summary="Whom an id counts for", handle=show, query=IdentityQuery,
        answers=IdentityAnswer,
    ),
]  # fmt: skip
