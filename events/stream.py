"""Read what has just arrived: the last accepted events from the log, refused ones and rates from Valkey."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import redis
from django.conf import settings
from django.db import connection

from events.partitions import DAYS_BEHIND
from events.row import ENVIRONMENT_CODES, PRODUCTION, Door
from events.watch import Shown, count_key, minute_of, refusal_key

SHOWN_EVENTS = 100
SHOWN_REFUSALS = 50
NEWEST_ROWS = 20_000
"""How far back in the whole log a project's events are looked for: a busy neighbour must not make the page slow."""
DAYS_SHOWN = DAYS_BEHIND
"""Planning a query over a year of partitions takes longer than the query: the page is asked for every two seconds."""
RATE_MINUTES = 30
LONGEST_FILTER = 255
PREVIEW_CHARACTERS = 48

COLUMNS = "l.at, l.received_at, l.door, l.environment, l.name, l.user_id, l.anonymous_id, l.props, l.id, l.xid"
NEWEST = f"""
SELECT {COLUMNS} FROM (SELECT * FROM events_log WHERE ts >= %(since)s ORDER BY xid DESC LIMIT {NEWEST_ROWS}) l
WHERE l.project_id = %(project)s AND (%(name)s = '' OR l.name = %(name)s)
LIMIT {SHOWN_EVENTS}
"""  # noqa: S608  (constants)
OF_UNIT = f"""
SELECT {COLUMNS} FROM events_log l
WHERE l.project_id = %(project)s AND (%(name)s = '' OR l.name = %(name)s) AND {{unit}} = %(unit)s
  AND l.ts >= %(since)s
ORDER BY l.at DESC LIMIT {SHOWN_EVENTS}
"""  # noqa: S608  (constants)
# Conditions of the log's own indexes on units.
UNITS = (
    "l.user_id",
    "l.anonymous_id",
    *(
        f"l.props ? '{unit}_id' AND char_length(l.props ->> '{unit}_id') <= 255 AND (l.props ->> '{unit}_id')"
        for unit in ("session", "account", "impression")
    ),
)
_ENVIRONMENTS = {code: environment.value for environment, code in ENVIRONMENT_CODES.items()}
_DOORS = {
    Door.SEGMENT: "Segment",
    Door.SDK: "SDK plugin",
    Door.POSTHOG: "PostHog",
    Door.CLOUDEVENTS: "CloudEvents",
    Door.EVALUATION: "Evaluation",
    Door.IMPORT: "Import",
}
_UNIT_PROPERTIES = ("session_id", "account_id", "impression_id")


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the log as the page shows it."""

    at: datetime
    received_at: datetime
    door: str
    environment: str
    name: str
    units: list[tuple[str, str]]
    link: tuple[str, str] | None
    props: str
    preview: str
    id: str
    order: tuple[int, datetime]


class RefusedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What was not kept, in words."""

    at: datetime
    door: str
    environment: str
    code: str
    message: str
    message_id: str | None
    snippet: str


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """How often one event came: in the last whole minute, and in the last ``RATE_MINUTES``."""

    name: str
    last_minute: int
    recent: int


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Rates by name, most frequent first, and all events a minute, oldest first."""

    by_name: list[Rate]
    per_minute: list[int]

    @property
    def last_minute(self) -> int:
        """Return how many events came in the last whole minute."""
        return self.per_minute[-2] if len(self.per_minute) > 1 else 0


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """What Valkey knows; None when it is away."""

    refused: list[RefusedEvent]
    rates: Rates


def accepted(project_id: int, now: datetime, *, name: str = "", unit: str = "") -> list[Accepted]:
    """Return a project's last events of the last ``DAYS_SHOWN`` days by their own time stamps, newest first."""
    chosen: dict[str, str | int | datetime] = {
        "project": project_id,
        "name": name[:LONGEST_FILTER],
        "unit": unit[:LONGEST_FILTER],
        "since": now - timedelta(days=DAYS_SHOWN),
    }
    statement = NEWEST
    if unit:
        statement = " UNION ".join(f"({OF_UNIT.format(unit=each)})" for each in UNITS)
    with connection.cursor() as cursor:
        cursor.execute(statement, chosen)
        found = [_accepted(row) for row in cursor.fetchall()]
    return sorted(found, key=lambda event: event.order, reverse=True)[:SHOWN_EVENTS]


def arrivals(project_id: int, now: datetime) -> Arrivals | None:
    """Return what was refused and how much came, over all server processes; None when Valkey is away."""
    minutes = [minute_of(now - timedelta(minutes=back)) for back in reversed(range(RATE_MINUTES + 1))]
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
    try:
        with client.pipeline(transaction=False) as pipe:
            pipe.lrange(refusal_key(project_id), 0, SHOWN_REFUSALS - 1)
            for minute in minutes:
                pipe.hgetall(count_key(project_id, minute))
            kept, *counts = pipe.execute()
    except redis.RedisError:
        return None
    finally:
        client.close()
    return Arrivals(refused=[_refused(raw) for raw in kept], rates=_rates(counts))


def _accepted(row: tuple[Any, ...]) -> Accepted:
    at, received_at, door, environment, name, user_id, anonymous_id, props, identity, xid = row
    held: dict[str, Any] = json.loads(props) if isinstance(props, str) else props
    units = [("user", user_id), ("device", anonymous_id)]
    units += [(key.removesuffix("_id"), str(held[key])) for key in _UNIT_PROPERTIES if held.get(key) not in (None, "")]
    return Accepted(
        at=at,
        received_at=received_at,
        door=_DOORS.get(door, "?"),
        environment=_ENVIRONMENTS.get(environment, "?"),
        name=name,
        units=[(kind, unit) for kind, unit in units if unit is not None],
        link=_link(name, user_id, anonymous_id, held),
        props=json.dumps(held, indent=2, ensure_ascii=False) if held else "",
        preview=json.dumps(held, ensure_ascii=False)[:PREVIEW_CHARACTERS],
        id=str(identity),
        order=(int(str(xid)), received_at),
    )


def _link(name: str, user_id: str | None, anonymous_id: str | None, held: dict[str, Any]) -> tuple[str, str] | None:
    """Return the alias and the user of an event that says that they are the same."""
    alias = {"$identify": anonymous_id, "$alias": held.get("$previous_id")}.get(name)
    return (str(alias), user_id) if alias and user_id and str(alias) != user_id else None


def _refused(raw: bytes) -> RefusedEvent:
    kept = msgspec.json.decode(raw, type=Shown)
    return RefusedEvent(
        at=kept.at,
        door=_DOORS.get(Door(kept.door), "?"),
        environment=_ENVIRONMENTS.get(kept.environment, "?"),
        code=kept.code,
        message=kept.message,
        message_id=kept.message_id,
        snippet=kept.snippet,
    )


def _rates(counts: list[Mapping[bytes, bytes]]) -> Rates:
    minutes = [Counter({_named(key): int(value) for key, value in minute.items()}) for minute in counts]
    recent: Counter[str] = Counter()
    for minute in minutes:
        recent.update(minute)
    last = minutes[-2] if len(minutes) > 1 else Counter()
    return Rates(
        by_name=[Rate(name=name, last_minute=last[name], recent=count) for name, count in recent.most_common(20)],
        per_minute=[sum(minute.values()) for minute in minutes],
    )


def _named(key: bytes) -> str:
    name, _, environment = key.decode("utf-8", "replace").partition("\x00")
    return f"{name} ({_ENVIRONMENTS.get(int(environment), '?')})" if environment.isdecimal() else name


def is_production(environment: str) -> bool:
    """Say whether events of an environment are analysed."""
    return environment == _ENVIRONMENTS[PRODUCTION]
