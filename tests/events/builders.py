"""Messages as a Segment library would send them, and stand-ins for the log."""

import asyncio
import itertools
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

from events.doors import EventDoors
from events.intake.fields import Arrival
from events.row import COLUMNS
from events.sink import Entry
from events.watch import NOBODY
from experiments.domain.access import KeyGrant, Scope
from experiments.domain.environments import Environment
from experiments.models import Project
from tests.builders import log

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = "tl_good"
PROJECT = 7
GRANTS = {
    KEY: KeyGrant(project_id=PROJECT, scopes=frozenset({Scope.INGEST})),
    "tl_staging": KeyGrant(project_id=PROJECT, scopes=frozenset({Scope.INGEST}), environment=Environment.STAGING),
    "tl_reader": KeyGrant(project_id=PROJECT, scopes=frozenset({Scope.READ, Scope.EVALUATE})),
}

_serial = itertools.count(1)


def track(event: Any = "Order Completed", **fields: Any) -> dict[str, Any]:
    made = {
        "type": "track",
        "event": event,
        "userId": "user-1",
        "properties": {"revenue": 12.5},
        "timestamp": "2026-03-02T08:59:59.500Z",
        "messageId": f"message-{next(_serial)}",
    }
    return {name: value for name, value in {**made, **fields}.items() if value is not ...}


def exposure(**properties: Any) -> dict[str, Any]:
    given = {"experiment_id": "new-ranker", "variation_id": "treatment", **properties}
    return track("Experiment Viewed", properties={name: value for name, value in given.items() if value is not ...})


def arrival(**fields: Any) -> Arrival:
    return Arrival(**{"project_id": PROJECT, "received_at": NOW, **fields})


def basic(key: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}


def arrive(home: Project, name: str, unit: str | None = "u1", **fields: Any) -> None:
    """Put an event into the log that has just happened."""
    log(home, name, unit, at=datetime.now(UTC), **fields)


class MemorySink:
    """Keeps entries in a list, or fails as it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.entries: list[Entry] = []
        self.error = error

    async def put(self, entry: Entry) -> None:
        if self.error is not None:
            raise self.error
        self.entries.append(entry)

    @property
    def rows(self) -> list[bytes]:
        return [row for entry in self.entries for row in (*entry.dated, *entry.undated)]


class Answered:
    """What the door answered, with its JSON body read."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = dict(headers)
        self.body = json.loads(body)


def call(
    body: object,
    *,
    path: str = "/v1/batch",
    headers: dict[str, str] | None = None,
    sink: Any = None,
    method: str = "POST",
    query: str = "",
    watch: Any = NOBODY,
) -> Answered:
    """Send one request to doors of its own."""
    doors = EventDoors(GRANTS.get, sink if sink is not None else MemorySink(), now=lambda: NOW, watch=watch)
    assert doors.takes(path)
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = basic(KEY) if headers is None else headers
    return Answered(*asyncio.run(doors.handle(method, path, given, query, encoded)))


def sent(body: object, **request: Any) -> list[dict[str, Any]]:
    """Send one request whose events are all good, and return the columns of each as the log has them."""
    sink = MemorySink()
    answer = call(body, sink=sink, **request)
    assert (answer.status, answer.body["refused"]) == (200, []), answer.body
    return [columns(row) for row in sink.rows]


def columns(row: bytes) -> dict[str, Any]:
    """Read a row of binary COPY back."""
    made, place = {}, 2
    for name in COLUMNS.split(", "):
        length = int.from_bytes(row[place : place + 4], signed=True)
        place += 4
        field = None if length < 0 else row[place : place + length]
        place += max(length, 0)
        made[name] = _read(name, field)
    return made


def _read(name: str, field: bytes | None) -> Any:
    if field is None or name == "id":
        return field
    if name == "props":
        return json.loads(field[1:])
    if name in ("ts", "at", "received_at"):
        return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=int.from_bytes(field, signed=True))
    return int.from_bytes(field, signed=True) if name in ("project_id", "environment", "door") else field.decode()
