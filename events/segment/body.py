"""Turn a request body into the raw events it carries, within bounds."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

MOST_BODY_BYTES = 500 * 1024
MOST_EVENTS = 2_500
_GZIP_WINDOW = 31


class BodyError(Exception):
    """The request as a whole cannot be used."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Unreadable(msgspec.Struct, frozen=True):
    """One element of a batch that is not JSON although the batch around it can be read."""

    reason: str
    message_id: str | None


RawEvent = msgspec.Raw | bytes | Unreadable


class Envelope(msgspec.Struct, rename="camel", kw_only=True):
    """What surrounds the events of a batch. The write key may stand here or in the headers."""

    batch: list[msgspec.Raw]
    sent_at: str | None = None
    write_key: str | None = None
    context: dict[str, Any] | None = None


class Batch(msgspec.Struct, kw_only=True):
    """The raw events of one request, and what they share."""

    events: list[RawEvent]
    sent_at: str | None = None
    write_key: str | None = None
    context: dict[str, Any] | None = None


_envelope = msgspec.json.Decoder(Envelope)
_write_key = msgspec.json.Decoder(msgspec.defstruct("_WriteKey", [("writeKey", str | None, None)]))


def plain(body: bytes, encoding: str) -> bytes:
    """Return the body as sent before its content encoding, refusing one that would grow past the limit."""
    if encoding in ("", "identity"):
        if len(body) > MOST_BODY_BYTES:
            raise _too_large()
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise BodyError(
            415, "unsupported_encoding", f"Content-Encoding is {encoding[:40]!r}; send gzip or no encoding."
        )
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    try:
        whole = inflate.decompress(body, MOST_BODY_BYTES + 1)
    except zlib.error as error:
        raise BodyError(400, "invalid_gzip", f"The body is not valid gzip: {error}.") from error
    if len(whole) > MOST_BODY_BYTES:
        raise _too_large()
    if not inflate.eof:
        raise BodyError(400, "invalid_gzip", "The gzip body is cut off; send it again whole.")
    if inflate.unused_data:
        raise BodyError(400, "invalid_gzip", "The gzip body is followed by other bytes.")
    return whole


def read_batch(body: bytes) -> Batch:
    """Split the body of a batch call into its events without judging them."""
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError as error:
        raise BodyError(400, "invalid_batch", f"The batch does not fit: {error}. It needs a list `batch`.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _read_leniently(body, error)
    return _bounded(envelope, list(envelope.batch))


def read_single(body: bytes) -> Batch:
    """Take the body of a single call as one event; its write key stands inside it."""
    try:
        found = _write_key.decode(body)
    except msgspec.ValidationError as error:
        raise BodyError(400, "invalid_event", f"The body does not fit: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(400, "invalid_json", f"The body is not JSON: {error}.") from error
    return Batch(events=[body], write_key=found.writeKey)  # type: ignore[attr-defined]


def _read_leniently(body: bytes, first: Exception) -> Batch:
    """Read a batch with Python's more forgiving parser, so that one bad event does not cost the others.

    It accepts NaN, Infinity and lone surrogates, which some clients do write; the event that holds them is refused.
    """
    try:
        document = json.loads(body)
        batch = document["batch"]
        shared = {key: document[key] for key in ("sentAt", "writeKey", "context") if key in document}
        envelope = _envelope.decode(_dumped({"batch": [], **shared}))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BodyError(400, "invalid_json", f"The body is not JSON: {first}.") from error
    if not isinstance(batch, list):
        raise BodyError(400, "invalid_batch", "The batch does not fit: `batch` must be a list.")
    return _bounded(envelope, [_strict(element) for element in batch])


def _bounded(envelope: Envelope, events: list[RawEvent]) -> Batch:
    if len(events) > MOST_EVENTS:
        raise BodyError(
            413,
            "too_many_events",
            f"The batch holds {len(events)} events; at most {MOST_EVENTS} are allowed. Send smaller ones.",
        )
    return Batch(events=events, sent_at=envelope.sent_at, write_key=envelope.write_key, context=envelope.context)


def _strict(element: object) -> RawEvent:
    message_id = element.get("messageId") if isinstance(element, Mapping) else None
    known = message_id if isinstance(message_id, str) and message_id.isprintable() else None
    try:
        return _dumped(element)
    except UnicodeEncodeError:
        return Unreadable("It holds half a surrogate pair, which is no character; send whole characters.", known)
    except (ValueError, RecursionError):
        return Unreadable("It holds NaN or an infinite number, which JSON does not have; send null or nothing.", known)


def _dumped(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


def _too_large() -> BodyError:
    return BodyError(
        413, "body_too_large", f"The body is larger than {MOST_BODY_BYTES} bytes; send the events in smaller batches."
    )
