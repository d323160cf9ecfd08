"""Every address that takes events, and which protocol answers it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from events.cloudevents import CloudEventsDoor
from events.cloudevents.door import PATH as CLOUDEVENTS_PATH
from events.intake.door import Answer, Authenticate, Durable, EventDoor
from events.posthog import PostHogDoor
from events.posthog.door import CAPTURE_PATHS, FLAG_PATHS, is_posthog
from events.sdk import SdkDoor
from events.segment import SegmentDoor
from events.segment.door import PREFIX as SEGMENT_PREFIX
from events.watch import NOBODY, Watching

SHARED_PATH = "/track"
_POSTHOG_PATHS = frozenset((*CAPTURE_PATHS, *FLAG_PATHS))


class EventDoors:
    """All doors of one server process, on one sink."""

    def __init__(
        self,
        authenticate: Authenticate,
        sink: Durable,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch: Watching = NOBODY,
    ) -> None:
        self._segment = SegmentDoor(authenticate, sink, now, watch)
        self._sdk = SdkDoor(authenticate, sink, now, watch)
        self._posthog = PostHogDoor(authenticate, sink, now, watch)
        self._cloudevents = CloudEventsDoor(authenticate, sink, now, watch)

    @staticmethod
    def takes(path: str) -> bool:
        """Say whether an address is one of these doors'."""
        return path.startswith(SEGMENT_PREFIX) or path.rstrip("/") in _POSTHOG_PATHS

    @staticmethod
    def most_bytes(path: str) -> int:
        """Return how large a body an address reads at most."""
        door = SegmentDoor if path.startswith(SEGMENT_PREFIX) else PostHogDoor
        return 2 * door.limits.body

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; header names are lower-case."""
        return await self._door(path, query, body).handle(method, path, headers, query, body)

    def error(self, path: str, status: int, code: str, message: str) -> Answer:
        """Return an error in the shape of the protocol of an address."""
        return self._door(path, "", b"").error(status, code, message)

    def _door(self, path: str, query: str, body: bytes) -> EventDoor:
        address = path.rstrip("/")
        if address == CLOUDEVENTS_PATH:
            return self._cloudevents
        if path.startswith(SEGMENT_PREFIX):
            return self._segment
        if address == SHARED_PATH and ("client_key=" in query or not is_posthog(body)):
            return self._sdk
        return self._posthog
