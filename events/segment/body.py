"""Split the body of a Segment call into its raw events."""

from typing import Any

import msgspec

from events.intake.body import Batch, BodyError, Limits, RawEvent, bounded, dumped, leniently, strict

LIMITS = Limits()
MESSAGE_ID = "messageId"


class Envelope(msgspec.Struct, rename="camel", kw_only=True):
    """What surrounds the events of a batch. The write key may stand here or in the headers."""

    batch: list[msgspec.Raw]
    sent_at: str | None = None
    write_key: str | None = None
    context: dict[str, Any] | None = None


_envelope = msgspec.json.Decoder(Envelope)
_write_key = msgspec.json.Decoder(msgspec.defstruct("_WriteKey", [("writeKey", str | None, None)]))


def read_batch(body: bytes) -> Batch:
    """Split the body of a batch call into its events without judging them."""
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError as error:
        raise BodyError(400, "invalid_batch", f"The batch does not fit: {error}. It needs a list `batch`.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _read_leniently(body, error)
    return _batch(envelope, list(envelope.batch))


def read_single(body: bytes, call: str) -> Batch:
    """Take the body of a single call as one event; its write key stands inside it."""
    try:
        found = _write_key.decode(body)
    except msgspec.ValidationError as error:
        raise BodyError(400, "invalid_event", f"The body does not fit: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(400, "invalid_json", f"The body is not JSON: {error}.") from error
    return Batch(events=[body], key=found.writeKey, call=call)  # type: ignore[attr-defined]


def _read_leniently(body: bytes, first: Exception) -> Batch:
    document = leniently(body, first)
    try:
        batch = document["batch"]
        shared = {key: document[key] for key in ("sentAt", "writeKey", "context") if key in document}
        envelope = _envelope.decode(dumped({"batch": [], **shared}))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BodyError(400, "invalid_json", f"The body is not JSON: {first}.") from error
    if not isinstance(batch, list):
        raise BodyError(400, "invalid_batch", "The batch does not fit: `batch` must be a list.")
    return _batch(envelope, [strict(element, MESSAGE_ID) for element in batch])


def _batch(envelope: Envelope, events: list[RawEvent]) -> Batch:
    return Batch(
        events=bounded(events, LIMITS), sent_at=envelope.sent_at, key=envelope.write_key, context=envelope.context
    )
