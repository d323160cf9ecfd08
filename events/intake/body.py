"""Turn a request body into the raw events it carries, within bounds."""

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from events.intake.fields import DEEPEST, EventError, printable

_GZIP_WINDOW = 31


class BodyError(Exception):
    """The request as a whole cannot be used."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one door takes: bytes of a body (unpacked too), events of a batch, bytes of an event."""

    body: int = 500 * 1024
    events: int = 2_500
    event: int = 32 * 1024


class Unreadable(msgspec.Struct, frozen=True):
    """One element of a batch that is not JSON although the batch around it can be read."""

    reason: str
    message_id: str | None


RawEvent = msgspec.Raw | bytes | Unreadable


class Batch(msgspec.Struct, kw_only=True):
    """The raw events of one request, and what they share; ``call`` is the protocol's word for a single event."""

    events: list[RawEvent]
    sent_at: str | None = None
    key: str | None = None
    context: dict[str, Any] | None = None
    call: str | None = None


def plain(body: bytes, encoding: str, limits: Limits) -> bytes:
    """Return the body as sent before its content encoding, refusing one that would grow past the limit."""
    if encoding in ("", "identity"):
        if len(body) > limits.body:
            raise _too_large(limits)
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise BodyError(
            415, "unsupported_encoding", f"Content-Encoding is {encoding[:40]!r}; send gzip or no encoding."
        )
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    try:
        whole = inflate.decompress(body, limits.body + 1)
    except zlib.error as error:
        raise BodyError(400, "invalid_gzip", f"The body is not valid gzip: {error}.") from error
    if len(whole) > limits.body:
        raise _too_large(limits)
    if not inflate.eof:
        raise BodyError(400, "invalid_gzip", "The gzip body is cut off; send it again whole.")
    if inflate.unused_data:
        raise BodyError(400, "invalid_gzip", "The gzip body is followed by other bytes.")
    return whole


def bounded(events: Sequence[RawEvent], limits: Limits) -> list[RawEvent]:
    """Return the events of a batch, unless they are too many."""
    if len(events) > limits.events:
        raise BodyError(
            413,
            "too_many_events",
            f"The batch holds {len(events)} events; at most {limits.events} are allowed. Send smaller ones.",
        )
    return list(events)


def leniently(body: bytes, first: Exception) -> Any:
    """Read a body with Python's more forgiving parser, so that one bad event does not cost the others.

    It accepts NaN, Infinity and lone surrogates, which some clients do write; the event that holds them is refused
    (``strict``).
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BodyError(400, "invalid_json", f"The body is not JSON: {first}.") from error


def strict(element: object, id_field: str) -> RawEvent:
    """Return an element of a leniently read batch as JSON again, or why it is none."""
    message_id = element.get(id_field) if isinstance(element, Mapping) else None
    known = message_id if isinstance(message_id, str) and message_id.isprintable() else None
    try:
        return dumped(element)
    except UnicodeEncodeError:
        return Unreadable("It holds half a surrogate pair, which is no character; send whole characters.", known)
    except (ValueError, RecursionError):
        return Unreadable("It holds NaN or an infinite number, which JSON does not have; send null or nothing.", known)


def dumped(value: object) -> bytes:
    """Return a value as strict JSON."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


class EventReader:
    """Reads one raw event into a protocol's own shape; what that shape does not name is not used."""

    def __init__(self, shape: type[Any], id_field: str, most_bytes: int) -> None:
        self._decode = msgspec.json.Decoder(shape).decode
        self._find_id = msgspec.json.Decoder(msgspec.defstruct("_Id", [(id_field, str, "")])).decode
        self._id_field = id_field
        self._most_bytes = most_bytes

    def read(self, raw: RawEvent) -> Any:
        """Return the event.

        Raises
        ------
        EventError
            It is too large, no JSON, or a field is of the wrong type.
        """
        if isinstance(raw, Unreadable):
            raise EventError("invalid_event", raw.reason, raw.message_id)
        size = len(memoryview(raw))
        if size > self._most_bytes:
            message = f"The event is {size} bytes; at most {self._most_bytes} are allowed."
            raise EventError("event_too_large", message, self._id_of(raw))
        try:
            return self._decode(raw)
        except msgspec.ValidationError as error:
            raise EventError("invalid_event", f"{error}.", self._id_of(raw)) from error
        except RecursionError as error:
            raise EventError("too_deep", f"The event nests deeper than {DEEPEST} levels.") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EventError("invalid_event", f"The event is not JSON: {error}.") from error

    def _id_of(self, raw: msgspec.Raw | bytes) -> str | None:
        """Return the id of an event that cannot be read otherwise, so that its sender can find it."""
        try:
            return printable(getattr(self._find_id(raw), self._id_field)) or None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


def _too_large(limits: Limits) -> BodyError:
    return BodyError(
        413, "body_too_large", f"The body is larger than {limits.body} bytes; send the events in smaller batches."
    )
