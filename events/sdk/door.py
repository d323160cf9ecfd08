"""The HTTP door of the SDKs' tracking plugins: ``POST /track?client_key=…``."""

from typing import Any
from urllib.parse import parse_qs

import msgspec

from events.intake.body import Batch, BodyError, RawEvent, bounded, leniently, strict
from events.intake.door import EventDoor, Request, key_in
from events.intake.fields import Arrival
from events.row import Door, Event
from events.sdk.event import LIMITS, accept


class Envelope(msgspec.Struct, kw_only=True):
    """Events with the client's clock beside them."""

    events: list[msgspec.Raw]
    sent_at: str | None = msgspec.field(name="sentAt", default=None)


_body = msgspec.json.Decoder(list[msgspec.Raw] | Envelope)


class SdkDoor(EventDoor):
    """Take an array of events, or ``{"sentAt", "events"}``, under any content type (SDKs send text/plain)."""

    door = Door.SDK
    limits = LIMITS

    def key_in(self, request: Request) -> str | None:
        """Return the key of the address, which is where SDKs put it."""
        named = parse_qs(request.query).get("client_key")
        return named[0] if named else key_in(request.headers)

    def read(self, request: Request, body: bytes) -> Batch:
        """Split the body into its events."""
        del request  # the body alone says what it holds
        try:
            found = _body.decode(body)
        except msgspec.ValidationError as error:
            message = f'The body does not fit: {error}. Send an array of events, or {{"sentAt", "events": […]}}.'
            raise BodyError(400, "invalid_batch", message) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._read_leniently(leniently(body, error))
        if isinstance(found, Envelope):
            return Batch(events=bounded(list(found.events), LIMITS), sent_at=found.sent_at)
        return Batch(events=bounded(list(found), LIMITS))

    def accept(self, raw: RawEvent, arrival: Arrival, index: int) -> Event:
        """Return the row of one event."""
        return accept(raw, arrival, index)

    def _read_leniently(self, document: Any) -> Batch:
        events = document.get("events") if isinstance(document, dict) else document
        sent_at = document.get("sentAt") if isinstance(document, dict) else None
        if not isinstance(events, list) or not isinstance(sent_at, str | None):
            message = 'The body does not fit: send an array of events, or {"sentAt", "events": […]}.'
            raise BodyError(400, "invalid_batch", message)
        return Batch(events=bounded([strict(element, "event_name") for element in events], LIMITS), sent_at=sent_at)
