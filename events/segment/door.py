"""The HTTP door of the Segment API: which addresses it has and how their bodies are read."""

from events.intake.body import Batch, RawEvent
from events.intake.door import Answer, EventDoor, Request
from events.intake.fields import Arrival
from events.row import Door, Event
from events.segment.body import LIMITS, read_batch, read_single
from events.segment.message import CALLS, accept

PREFIX = "/v1/"
# The browser library's short addresses beside the full ones.
ROUTES = {
    "batch": None,
    "b": None,
    **{call: call for call in CALLS},
    **{call[0]: call for call in CALLS},
}


class SegmentDoor(EventDoor):
    """Answer Segment's tracking calls."""

    door = Door.SEGMENT
    limits = LIMITS

    def refusal(self, request: Request) -> Answer | None:
        """Refuse addresses that Segment does not have."""
        if _route(request) not in ROUTES:
            return self.error(
                404, "not_found", f"There is nothing at {request.path[:80]!r}. Send events to {PREFIX}batch."
            )
        return super().refusal(request)

    def read(self, request: Request, body: bytes) -> Batch:
        """Read a batch, or the one event of a call."""
        call = ROUTES[_route(request)]
        return read_batch(body) if call is None else read_single(body, call)

    def accept(self, raw: RawEvent, arrival: Arrival, index: int) -> Event:
        """Return the row of one message."""
        del index  # a message has an id of its own
        return accept(raw, arrival)


def _route(request: Request) -> str:
    return request.path.removeprefix(PREFIX).rstrip("/")
