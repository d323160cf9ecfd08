"""The SDK streaming door: clients that evaluate by themselves hear of a change within a second."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from assignment.doors.connections import Connect, Connection, RefusedError, need_method
from assignment.doors.payload import Payloads
from assignment.doors.streams import EVENT_STREAM, State, StreamExchange, Streams, encode_event, known
from assignment.wire import Answer, Headers, key_of
from experiments.domain.kinds import Delivery

PATH = "/sub/"


class SubDoor:
    """Answers ``GET /sub/{key}``: ``features`` with the whole payload, or ``features-updated`` (fetch again)."""

    def __init__(
        self,
        connect: Connect,
        payloads: Payloads,
        streams: Streams,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connect = connect
        self._payloads = payloads
        self._streams = streams
        self._now = now

    async def stream(
        self, method: str, path: str, headers: Mapping[str, str], exchange: StreamExchange, extra: Headers
    ) -> Answer | None:
        """Stream until the end and return None, or return why there is no stream; ``path`` begins with ``PATH``."""
        key = key_of(path, PATH, headers)
        by_lines = "aiohttp" in headers.get("user-agent", "").lower()
        try:
            need_method(method, "GET")
            if self._streams.full:
                raise RefusedError(
                    503, "This server has as many streams as it holds; poll instead.", ("retry-after", "30")
                )
            connection = self._connect(key)
            first = await self._state(connection, by_lines)
        except RefusedError as refusal:
            return refusal.answer()

        async def latest() -> State | None:
            try:
                return await self._state(self._connect(key), by_lines)
            except RefusedError:
                return None  # revoked: the client comes back, and is told so

        seen = known(headers, first, connection.updated_at, self._now())
        await self._streams.serve(exchange, [*EVENT_STREAM, *extra], latest, seen)
        return None

    async def _state(self, connection: Connection, by_lines: bool) -> State:
        """Return the newest event of a connection; ``by_lines``: for a client that cannot read long lines."""
        number = str(int(connection.updated_at.timestamp() * 1000))
        if connection.delivery is Delivery.REMOTE:
            return State(id=number, event=encode_event("features-updated", number, b""))
        packed = await self._payloads.of(connection)
        if by_lines and packed.has_long_lines:
            return State(id=number, event=encode_event("features-updated", number, b""))
        return State(id=number, event=encode_event("features", number, packed.lines))
