"""The HTTP door of CloudEvents ("HTTP Protocol Binding for CloudEvents 1.0"): structured, batched, binary."""

import json
from typing import Any
from urllib.parse import unquote

import msgspec

from events.cloudevents.event import LIMITS, accept
from events.intake.body import Batch, BodyError, RawEvent, bounded, dumped, leniently, strict
from events.intake.door import EventDoor, Request
from events.intake.fields import Arrival
from events.row import Door, Event

PATH = "/v1/events"
_PREFIX = "ce-"
_body = msgspec.json.Decoder(list[msgspec.Raw] | dict[str, msgspec.Raw])


class CloudEventsDoor(EventDoor):
    """Take one event or a batch; where headers carry the attributes, the body is the data."""

    door = Door.CLOUDEVENTS
    limits = LIMITS

    def read(self, request: Request, body: bytes) -> Batch:
        """Split the body into its events."""
        if f"{_PREFIX}specversion" in request.headers:
            return Batch(events=[_of_headers(request, body)])
        try:
            found = _body.decode(body)
        except msgspec.ValidationError as error:
            message = f"The body does not fit: {error}. Send a CloudEvent or an array of them."
            raise BodyError(400, "invalid_batch", message) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            document = leniently(body, error)
            events = document if isinstance(document, list) else [document]
            return Batch(events=bounded([strict(element, "id") for element in events], LIMITS))
        return Batch(events=bounded(list(found), LIMITS) if isinstance(found, list) else [body])

    def accept(self, raw: RawEvent, arrival: Arrival, index: int) -> Event:
        """Return the row of one event."""
        del index  # an event has an id of its own
        return accept(raw, arrival)


def _of_headers(request: Request, body: bytes) -> RawEvent:
    """Return an event of the binary mode in the structured one; header values are percent-encoded UTF-8."""
    event: dict[str, Any] = {
        name.removeprefix(_PREFIX): unquote(value)
        for name, value in request.headers.items()
        if name.startswith(_PREFIX) and name != f"{_PREFIX}data"
    }
    if body:
        try:
            event["data"] = json.loads(body)
        except (ValueError, RecursionError):
            event["data"] = body.decode("utf-8", "replace")
    try:
        return dumped(event)
    except (ValueError, RecursionError) as error:
        raise BodyError(400, "invalid_json", f"The data is not JSON: {error}.") from error
