"""Messages as a Segment library would send them, and stand-ins for the log."""

import asyncio
import itertools
import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from events.segment import SegmentDoor
from events.segment.message import Arrival
from events.sink import Entry
from experiments.domain.access import KeyGrant, Scope

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = "tl_good"
PROJECT = 7
GRANTS = {
    KEY: KeyGrant(project_id=PROJECT, scopes=frozenset({Scope.INGEST})),
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
) -> Answered:
    """Send one request to a door of its own."""
    door = SegmentDoor(GRANTS.get, sink if sink is not None else MemorySink(), now=lambda: NOW)
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = basic(KEY) if headers is None else headers
    return Answered(*asyncio.run(door.handle(method, path, given, "", encoded)))
