"""What every door does with a request: authenticate, read, check each event, make the good ones durable, answer."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import ClassVar, Protocol

import msgspec

from events.intake.body import Batch, BodyError, Limits, RawEvent, plain
from events.intake.fields import Arrival, EventError, parse_time
from events.row import ENVIRONMENT_CODES, Door, Event, encode
from events.sink import Entry, LogFullError, LogRefusedError, LogUnavailableError
from events.watch import NOBODY, Refusal, Watching
from experiments.domain.access import KeyGrant, Scope

Answer = tuple[int, list[tuple[str, str]], bytes]
Authenticate = Callable[[str], KeyGrant | None]
EVENTS_AT_A_TIME = 250
JSON = ("content-type", "application/json")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request; header names are lower-case, ``body`` is still as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: str
    body: bytes


class Refused(msgspec.Struct, frozen=True):
    """One event that was not kept, as the answer names it."""

    index: int
    message_id: str | None
    code: str
    message: str


class Durable(Protocol):
    """What a door needs of the sink (events/sink.py)."""

    async def put(self, entry: Entry) -> None:
        """Return when the events are on disk."""


class EventDoor:
    """Answer one protocol's calls, in the shape that its clients understand.

    Success is exactly 200 (some libraries send again after any other code), and only 429 and 503 ask for another
    attempt. A protocol says how its bodies are split (``read``), what one of its events means (``accept``), and where
    its key stands besides the headers.
    """

    door: ClassVar[Door]
    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        authenticate: Authenticate,
        sink: Durable,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch: Watching = NOBODY,
    ) -> None:
        self._authenticate = authenticate
        self._sink = sink
        self._now = now
        self._watch = watch

    def read(self, request: Request, body: bytes) -> Batch:
        """Split a body, whose encoding is undone, into raw events."""
        raise NotImplementedError

    def accept(self, raw: RawEvent, arrival: Arrival, index: int) -> Event:
        """Return the row of one event, or raise ``EventError``."""
        raise NotImplementedError

    def refusal(self, request: Request) -> Answer | None:
        """Return the answer to a request that is not for this door at all."""
        if request.method != "POST":
            message = f"{request.method[:20]} is not possible here; use POST."
            return self.error(405, "method_not_allowed", message, ("allow", "POST"))
        return None

    def unpacked(self, request: Request) -> bytes:
        """Return the body without its content encoding."""
        return plain(request.body, request.headers.get("content-encoding", "").strip().lower(), self.limits)

    def key_in(self, request: Request) -> str | None:
        """Return the key that stands outside the body."""
        return key_in(request.headers)

    def success(self, accepted: int, refused: list[Refused]) -> Answer:
        """Return the answer when at least one event is on disk."""
        return 200, [JSON], msgspec.json.encode({"success": True, "accepted": accepted, "refused": refused})

    def error(self, status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
        """Return an error in a shape that the protocol's libraries read."""
        return error(status, code, message, *headers)

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; header names are lower-case."""
        request = Request(method=method, path=path, headers=headers, query=query, body=body)
        misplaced = self.refusal(request)
        if misplaced is not None:
            return misplaced
        try:
            return await self._take(request)
        except BodyError as refused:
            return self.error(refused.status, refused.code, str(refused))
        except LogUnavailableError as unavailable:
            status, code = (429, "too_busy") if isinstance(unavailable, LogFullError) else (503, "log_unavailable")
            return self.error(status, code, str(unavailable), ("retry-after", str(max(1, unavailable.retry_after))))
        except LogRefusedError as refused:
            return self.error(400, "refused_by_log", f"The event log refuses these events: {refused}")

    async def _take(self, request: Request) -> Answer:
        key = self.key_in(request)
        grant = self._grant(key) if key else None
        try:
            batch = self.read(request, self.unpacked(request))
            if grant is None:
                grant = self._grant(batch.key or "")
            arrival = self._arrival(grant, batch)
        except BodyError as refused:
            self._note_body(grant, request, refused)
            raise
        entry, names, refused_events = await self._sort(batch.events, arrival, request)
        if not entry.dated and not entry.undated:
            return self._none_accepted(refused_events)
        await self._sink.put(entry)
        self._watch.accepted(arrival.project_id, arrival.environment, names)
        return self.success(len(entry.dated) + len(entry.undated), refused_events)

    def _arrival(self, grant: KeyGrant, batch: Batch) -> Arrival:
        return Arrival(
            project_id=grant.project_id,
            environment=ENVIRONMENT_CODES[grant.environment],
            door=self.door,
            received_at=self._now(),
            sent_at=_sent_at(batch),
            sent_text=batch.sent_at,
            context=batch.context,
            call=batch.call,
        )

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

    async def _sort(
        self, events: list[RawEvent], arrival: Arrival, request: Request
    ) -> tuple[Entry, dict[str, int], list[Refused]]:
        dated: list[bytes] = []
        undated: list[bytes] = []
        names: dict[str, int] = {}
        refused: list[Refused] = []
        for index, raw in enumerate(events):
            if index % EVENTS_AT_A_TIME == EVENTS_AT_A_TIME - 1:
                await asyncio.sleep(0)  # a full batch takes some 25 ms; assignments must not wait that long
            try:
                event = self.accept(raw, arrival, index)
            except EventError as reason:
                refused.append(Refused(index, reason.message_id, reason.code, str(reason)))
                self._note_event(arrival, raw, reason)
                continue
            (dated if event.dated else undated).append(encode(event))
            names[event.name] = names.get(event.name, 0) + 1
        again = request.headers.get("x-retry-count", "0") != "0"
        return Entry(dated=dated, undated=undated, again=again), names, refused

    def _note_event(self, arrival: Arrival, raw: RawEvent, reason: EventError) -> None:
        snippet = bytes(raw) if not isinstance(raw, msgspec.Struct) else b""
        self._watch.refused(
            arrival.project_id,
            Refusal(
                at=arrival.received_at, door=self.door, environment=arrival.environment, code=reason.code,
                message=str(reason), message_id=reason.message_id, snippet=snippet,
            ),
        )  # fmt: skip

    def _note_body(self, grant: KeyGrant | None, request: Request, reason: BodyError) -> None:
        """Show the project what its own key could not send; nobody learns of keys that are not theirs."""
        if grant is None:
            return
        self._watch.refused(
            grant.project_id,
            Refusal(
                at=self._now(), door=self.door, environment=ENVIRONMENT_CODES[grant.environment], code=reason.code,
                message=str(reason), message_id=None, snippet=request.body,
            ),
        )  # fmt: skip

    def _none_accepted(self, refused: list[Refused]) -> Answer:
        if not refused:
            return self.error(400, "empty_batch", "The batch holds no events.")
        first = refused[0]
        many = f"None of the {len(refused)} events can be kept: {first.message}"
        status, headers, body = self.error(400, first.code, first.message if len(refused) == 1 else many)
        said = {**msgspec.json.decode(body), "success": False, "accepted": 0, "refused": refused}
        return status, headers, msgspec.json.encode(said)


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


def error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
    """Return an error in the shape that Segment's libraries read."""
    return status, [JSON, *headers], msgspec.json.encode({"code": code, "message": message})
