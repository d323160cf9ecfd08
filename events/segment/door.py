"""The HTTP door: authenticate, read, check each event, make the good ones durable, answer what became of each."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from events.row import encode
from events.segment.body import Batch, BodyError, RawEvent, plain, read_batch, read_single
from events.segment.message import CALLS, Arrival, EventError, accept, parse_time
from events.sink import Entry, LogFullError, LogRefusedError, LogUnavailableError
from experiments.domain.access import KeyGrant, Scope

Answer = tuple[int, list[tuple[str, str]], bytes]
PREFIX = "/v1/"
EVENTS_AT_A_TIME = 250
# The browser library's short addresses beside the full ones.
ROUTES = {
    "batch": None,
    "b": None,
    **{call: call for call in CALLS},
    **{call[0]: call for call in CALLS},
}
_JSON = ("content-type", "application/json")


class Refused(msgspec.Struct, frozen=True):
    """One event that was not kept, as the answer names it."""

    index: int
    message_id: str | None
    code: str
    message: str


class Durable(Protocol):
    """What the door needs of the sink (events/sink.py)."""

    async def put(self, entry: Entry) -> None:
        """Return when the events are on disk."""


class SegmentDoor:
    """Answer Segment's tracking calls, in the shape that Segment's libraries understand.

    Success is exactly 200 (some libraries send again after any other code), errors are ``{"code", "message"}``, and
    only 429 and 503 ask for another attempt.
    """

    def __init__(
        self,
        authenticate: Callable[[str], KeyGrant | None],
        sink: Durable,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._authenticate = authenticate
        self._sink = sink
        self._now = now

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; header names are lower-case."""
        del query  # this protocol has none
        name = path.removeprefix(PREFIX).rstrip("/")
        if name not in ROUTES:
            return error(404, "not_found", f"There is nothing at {path[:80]!r}. Send events to {PREFIX}batch.")
        if method != "POST":
            return error(405, "method_not_allowed", f"{method[:20]} is not possible here; use POST.", ("allow", "POST"))
        try:
            return await self._take(ROUTES[name], headers, body)
        except BodyError as refused:
            return error(refused.status, refused.code, str(refused))
        except LogUnavailableError as unavailable:
            status, code = (429, "too_busy") if isinstance(unavailable, LogFullError) else (503, "log_unavailable")
            return error(status, code, str(unavailable), ("retry-after", str(max(1, unavailable.retry_after))))
        except LogRefusedError as refused:
            return error(400, "refused_by_log", f"The event log refuses these events: {refused}")

    async def _take(self, call: str | None, headers: Mapping[str, str], body: bytes) -> Answer:
        key = key_in(headers)
        grant = self._grant(key) if key else None
        whole = plain(body, headers.get("content-encoding", "").strip().lower())
        batch = read_batch(whole) if call is None else read_single(whole)
        if grant is None:
            grant = self._grant(batch.write_key or "")
        arrival = Arrival(
            project_id=grant.project_id,
            received_at=self._now(),
            sent_at=_sent_at(batch),
            context=batch.context,
            call=call,
        )
        entry, refused = await _sort(batch.events, arrival, again=headers.get("x-retry-count", "0") != "0")
        accepted = len(entry.dated) + len(entry.undated)
        if not accepted:
            return _none_accepted(refused)
        await self._sink.put(entry)
        return 200, [_JSON], msgspec.json.encode({"success": True, "accepted": accepted, "refused": refused})

    def _grant(self, key: str) -> KeyGrant:
        # Every key is ASCII; what is not cannot even be hashed when it holds half a surrogate pair.
        grant = self._authenticate(key) if key and key.isascii() else None
        if grant is None:
            raise BodyError(
                401, "invalid_key", "The write key is missing, unknown or revoked. Use a key of the project."
            )
        if not grant.allows(Scope.INGEST):
            raise BodyError(
                403, "forbidden", f"This key may not send events; it needs the scope {Scope.INGEST.value!r}."
            )
        return grant


def _sent_at(batch: Batch) -> datetime | None:
    if not batch.sent_at:
        return None
    try:
        return parse_time("sentAt", batch.sent_at)
    except EventError as refusal:
        raise BodyError(400, refusal.code, str(refusal)) from refusal


def key_in(headers: Mapping[str, str]) -> str | None:
    """Return the key that the headers carry: Basic (as user name), Bearer or X-API-Key; None when there is none."""
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return "unreadable"  # a key was meant, so it must not fall through to another one
    return headers.get("x-api-key")


async def _sort(events: list[RawEvent], arrival: Arrival, *, again: bool) -> tuple[Entry, list[Refused]]:
    dated: list[bytes] = []
    undated: list[bytes] = []
    refused: list[Refused] = []
    for index, raw in enumerate(events):
        if index % EVENTS_AT_A_TIME == EVENTS_AT_A_TIME - 1:
            await asyncio.sleep(0)  # a full batch takes some 25 ms; assignments must not wait that long
        try:
            event = accept(raw, arrival)
            (dated if event.dated else undated).append(encode(event))
        except EventError as refusal:
            refused.append(Refused(index, refusal.message_id, refusal.code, str(refusal)))
    return Entry(dated=dated, undated=undated, again=again), refused


def _none_accepted(refused: list[Refused]) -> Answer:
    if not refused:
        return error(400, "empty_batch", "The batch holds no events.")
    first = refused[0]
    message = first.message if len(refused) == 1 else f"None of the {len(refused)} events can be kept: {first.message}"
    body = {"code": first.code, "message": message, "success": False, "accepted": 0, "refused": refused}
    return 400, [_JSON], msgspec.json.encode(body)


def error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
    """Return an error in the shape that Segment's libraries read."""
    return status, [_JSON, *headers], msgspec.json.encode({"code": code, "message": message})
