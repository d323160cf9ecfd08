"""The HTTP door of PostHog's capture API."""

import base64
import binascii
from typing import Any
from urllib.parse import parse_qs

import msgspec

from events.intake.body import Batch, BodyError, RawEvent, bounded, dumped, leniently, plain, strict
from events.intake.door import JSON, Answer, EventDoor, Refused, Request
from events.intake.fields import Arrival
from events.posthog.event import EVENT_ID, LIMITS, accept
from events.row import Door, Event
from events.watch import GZIP_MAGIC

CAPTURE_PATHS = ("/batch", "/capture", "/e", "/i/v0/e", "/track")
FLAG_PATHS = ("/decide", "/flags")

Key = str | None


class Envelope(msgspec.Struct, kw_only=True):
    """What may surround events: the key under either name, the client's clock."""

    batch: list[msgspec.Raw] | None = None
    api_key: Key = None
    token: Key = None
    sent_at: str | None = None


class _Keyed(msgspec.Struct):
    """Where a lone event of the browser library carries its key."""

    class Properties(msgspec.Struct):
        token: Key = None

    properties: Properties | None = None
    api_key: Key = None
    token: Key = None


_body = msgspec.json.Decoder(list[msgspec.Raw] | Envelope)
_keyed = msgspec.json.Decoder(_Keyed)


def is_posthog(body: bytes) -> bool:
    """Say whether the body of ``/track/``, which two protocols share, is of this one: it carries its key."""
    if body.startswith((GZIP_MAGIC, b"data=")):
        return True
    try:
        found = _body.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(found, Envelope) and (found.api_key or found.token) is not None


class PostHogDoor(EventDoor):
    """Take a batch, one event, or an array of events; the key stands in the body."""

    door = Door.POSTHOG
    limits = LIMITS

    def refusal(self, request: Request) -> Answer | None:
        """Say of the addresses that decide about flags where this product's are."""
        if request.path.rstrip("/") in FLAG_PATHS:
            message = (
                "Truelift takes PostHog's events but does not answer its flag calls. Ask for variants by OpenFeature "
                "(POST /ofrep/v1/evaluate/flags/<key>) and send $feature_flag_called."
            )
            return self.error(404, "not_found", message)
        return super().refusal(request)

    def unpacked(self, request: Request) -> bytes:
        """Undo what the browser library does to bodies: gzip without a header, or base64 in a form."""
        encoding = request.headers.get("content-encoding", "").strip().lower()
        if not encoding and request.body.startswith(GZIP_MAGIC):
            encoding = "gzip"
        body = plain(request.body, encoding, self.limits)
        return _of_form(body) if body.startswith(b"data=") else body

    def read(self, request: Request, body: bytes) -> Batch:
        """Split the body into its events."""
        del request  # the body alone says what it holds
        try:
            found = _body.decode(body)
        except msgspec.ValidationError as error:
            message = f"The body does not fit: {error}. Send an event, or a list `batch` of events."
            raise BodyError(400, "invalid_batch", message) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _read_leniently(leniently(body, error))
        if isinstance(found, Envelope):
            events: list[RawEvent] = [body] if found.batch is None else list(found.batch)
            return Batch(
                events=bounded(events, LIMITS), sent_at=found.sent_at, key=found.api_key or found.token or _key_of(body)
            )
        return Batch(events=bounded(list(found), LIMITS), key=_key_of(bytes(found[0])) if found else None)

    def accept(self, raw: RawEvent, arrival: Arrival, index: int) -> Event:
        """Return the row of one event."""
        del index  # an event has an id of its own
        return accept(raw, arrival)

    def success(self, accepted: int, refused: list[Refused]) -> Answer:
        """Return the answer in the protocol's shape."""
        return 200, [JSON], msgspec.json.encode({"status": 1, "accepted": accepted, "refused": refused})

    def error(self, status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
        """Return an error whose words the libraries find in ``detail``."""
        kind = "authentication_error" if status in (401, 403) else "validation_error"
        said = {"type": kind, "code": code, "detail": message, "message": message}
        return status, [JSON, *headers], msgspec.json.encode(said)


def _read_leniently(document: Any) -> Batch:
    envelope = document if isinstance(document, dict) else {}
    events = envelope.get("batch", [document]) if envelope else document
    if not isinstance(events, list):
        raise BodyError(400, "invalid_batch", "The body does not fit: send an event, or a list `batch` of events.")
    key = envelope.get("api_key") or envelope.get("token")
    sent_at = envelope.get("sent_at")
    return Batch(
        events=bounded([strict(element, EVENT_ID) for element in events], LIMITS),
        key=key if isinstance(key, str) else _key_of(_dumped_or_nothing(events[:1])),
        sent_at=sent_at if isinstance(sent_at, str) else None,
    )


def _dumped_or_nothing(events: list[Any]) -> bytes:
    try:
        return dumped(events[0]) if events else b""
    except (ValueError, RecursionError):
        return b""


def _key_of(event: bytes) -> Key:
    """Return the key that a lone event carries among its properties."""
    try:
        found = _keyed.decode(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found.api_key or found.token or (found.properties.token if found.properties else None)


def _of_form(body: bytes) -> bytes:
    try:
        data = parse_qs(body.decode("ascii"), max_num_fields=10)["data"][0]
        return base64.b64decode(data.replace(" ", "+"), validate=True)
    except (ValueError, KeyError, binascii.Error) as error:
        raise BodyError(400, "invalid_json", "The form field `data` is not base64 of JSON.") from error
