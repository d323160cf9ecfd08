"""OFREP's event stream: web clients hear that their flags may have changed, and ask again."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import parse_qs

import msgspec

from assignment.doors.streams import EVENT_STREAM, State, StreamExchange, Streams, encode_event, known
from assignment.ofrep import STREAM as PATH
from assignment.tokens import Tokens
from assignment.wire import JSON, Answer, Headers

__all__ = ["PATH", "Changing", "RefetchDoor"]

LIFETIME_SECONDS = 900.0
"""Longer than the SDKs' streams live: these clients evaluate everything again after each reconnection."""


class Changing(Protocol):
    """One environment of a project as the edge serves it (assignment/table.py)."""

    @property
    def payload_etag(self) -> str: ...  # noqa: D102
    @property
    def date_updated(self) -> str: ...  # noqa: D102


Find = Callable[[int, str], Changing | None]
"""Returns an environment of a project, or None where there is none."""


class RefetchDoor:
    """Answers ``GET /ofrep/v1/stream?token=…`` with ``refetchEvaluation`` messages.

    A browser's EventSource sends no headers, so a short-lived token stands in the address; the address of this door
    is never logged.
    """

    def __init__(
        self,
        find: Find,
        tokens: Tokens,
        streams: Streams,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._find = find
        self._tokens = tokens
        self._streams = streams
        self._now = now

    async def stream(
        self, method: str, query: str, headers: Mapping[str, str], exchange: StreamExchange, extra: Headers
    ) -> Answer | None:
        """Stream until the end and return None, or return why there is no stream."""
        if method != "GET":
            return _refused(405, f"{method[:20]} is not answered here; use GET.", ("allow", "GET"))
        opened = self._tokens.read(parse_qs(query).get("token", [""])[0])
        environment = None if opened is None else self._find(opened.project_id, opened.environment)
        if opened is None or environment is None:
            return _refused(401, "The token is no good, or its time is over. Evaluate all flags for a new address.")
        if self._streams.full:
            return _refused(503, "This server has as many streams as it holds; poll instead.", ("retry-after", "30"))
        project_id, name = opened.project_id, opened.environment

        async def latest() -> State | None:
            newest = self._find(project_id, name)
            return None if newest is None else _state(newest)

        updated_at = datetime.fromisoformat(environment.date_updated)
        seen = known(headers, _state(environment), updated_at, self._now())
        await self._streams.serve(exchange, [*EVENT_STREAM, *extra], latest, seen, LIFETIME_SECONDS)
        return None


def _state(environment: Changing) -> State:
    moment = datetime.fromisoformat(environment.date_updated).timestamp()
    number = str(int(moment * 1000))
    message = {"type": "refetchEvaluation", "etag": environment.payload_etag, "lastModified": int(moment)}
    return State(id=number, event=encode_event("message", number, msgspec.json.encode(message)))


def _refused(status: int, details: str, *headers: tuple[str, str]) -> Answer:
    body = msgspec.json.encode({"errorCode": "GENERAL", "errorDetails": details})
    return status, [JSON, ("cache-control", "no-store"), *headers], body
