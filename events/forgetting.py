"""Forget one unit in the log, the catalogue's examples and the refusals that the event debugger shows.

``linked`` are the ids that count for a user because apps said so: rows of these users, and of these devices alone.
"""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
import redis
from django.conf import settings
from django.db import connection

from events.models import CatalogueMark, SeenProperty
from events.watch import Shown, refusal_key
from experiments.domain.units import UnitType
from experiments.forgetting import Unit
from experiments.models import Project

_COLUMNS = {UnitType.USER: "user_id", UnitType.DEVICE: "anonymous_id"}
SHORTEST_REST = 4
"""A refusal's text is cut: so many characters of the id at its end are taken for the id."""


class RefusalsError(Exception):
    """Valkey is away, so that the refusals shown could not be looked through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the log holds of a unit: rows, by which other units they name it, and the catalogue's examples."""

    events: int
    others: dict[UnitType, set[str]]
    examples: int


def named(project: Project, unit: Unit, linked: Collection[str] = ()) -> Named:
    """Count the unit's events, and find the other units that they name."""
    where, values = _where(project, unit, linked)
    others: dict[UnitType, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM events_log WHERE {where}", values)  # noqa: S608  (own words)
        events = int(cursor.fetchone()[0])
        for kind in UnitType:
            if events:
                column = _column(kind)
                cursor.execute(
                    f"SELECT DISTINCT {column} FROM events_log WHERE ({where}) AND {column} IS NOT NULL",  # noqa: S608
                    values,
                )
                others[kind] = {found for (found,) in cursor.fetchall()}
    others.get(unit.type, set()).discard(unit.id)
    return Named(events=events, others=others, examples=len(_examples(project, unit)))


def forget(project: Project, unit: Unit, linked: Collection[str] = ()) -> int:
    """Delete the unit's events and the examples that hold its id; return how many rows. Call it in a transaction."""
    list(CatalogueMark.objects.select_for_update())  # no catalogue run may bring an example back meanwhile
    where, values = _where(project, unit, linked)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM events_log WHERE {where}", values)  # noqa: S608
        gone = int(cursor.rowcount)
    SeenProperty.objects.filter(pk__in=_examples(project, unit)).update(example="")
    return gone


def count_refusals(project: Project, unit: Unit) -> int:
    """Return how many of the refusals shown hold the id.

    Raises:
        RefusalsError: Valkey is away.
    """
    return _refusals(project, unit, remove=False)


def forget_refusals(project: Project, unit: Unit) -> int:
    """Remove the refusals that hold the id; return how many.

    Raises:
        RefusalsError: Valkey is away; nothing or only some were removed.
    """
    return _refusals(project, unit, remove=True)


def _refusals(project: Project, unit: Unit, *, remove: bool) -> int:
    key = refusal_key(project.pk)
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5) as client:
            kept: list[bytes] = client.lrange(key, 0, -1)
            held = [one for one in kept if _holds(one, unit)]
            for one in held if remove else ():
                client.lrem(key, 0, one.decode())
    except redis.RedisError as error:
        raise RefusalsError(str(error)) from error
    return len(held)


def _holds(kept: bytes, unit: Unit) -> bool:
    try:
        shown = msgspec.json.decode(kept, type=Shown)
    except msgspec.DecodeError:
        return True  # nobody can say what it holds
    texts = (shown.snippet, shown.message, shown.message_id or "")
    if any(unit.pattern.search(text) for text in texts):
        return True
    cut = shown.snippet.removesuffix("…")
    return cut != shown.snippet and any(
        cut.endswith(unit.id[:length]) for length in range(SHORTEST_REST, len(unit.id) + 1)
    )


def _examples(project: Project, unit: Unit) -> list[int]:
    found = SeenProperty.objects.filter(event__project=project).values_list("pk", "example")
    start = unit.id[:80]
    return [pk for pk, example in found if example == start or unit.is_in(example)]


def _column(kind: UnitType) -> str:
    return _COLUMNS.get(kind) or f"(props ->> '{kind.value}_id')"


def _where(project: Project, unit: Unit, linked: Collection[str]) -> tuple[str, list[str | int | list[str]]]:
    """Return the rows of a unit; a merge of two ids (``$previous_id``) is a row of both."""
    where = f"project_id = %s AND {_column(unit.type)} = %s"
    values: list[str | int | list[str]] = [project.pk, unit.id]
    if unit.type not in _COLUMNS:
        return where, values
    parts = [where, "project_id = %s AND props ->> '$previous_id' = %s AND name LIKE '$%%'"]
    values += [project.pk, unit.id]
    if linked:
        parts += [
            "project_id = %s AND user_id = ANY(%s)",
            "project_id = %s AND anonymous_id = ANY(%s) AND user_id IS NULL",
        ]
        values += [project.pk, list(linked)] * 2
    return " OR ".join(f"({part})" for part in parts), values
