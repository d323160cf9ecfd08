"""Server-sent events for many clients of one process: each hears of the newest state, and nothing queues for anyone."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from assignment.wire import Headers

PING = b"data: \n\n"
EVENT_STREAM: Headers = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),  # nginx would hold events back
]
RECENT = timedelta(minutes=2)
"""Who reconnects without ``Last-Event-ID`` (the Python SDK sends none) may have missed a change as young as this."""
SPREAD_SECONDS = 0.0005
"""A change is told within this long for each open stream: all at once would hold up assignments meanwhile."""
LONGEST_SEND_SECONDS = 30.0
"""How long one event may take to leave. A reader that slow is let go: it finds the newest state when it comes back."""


class Transport(Protocol):
    """Granian's side of an answer that is sent piece by piece; ``send_bytes`` waits for a slow reader."""

    async def send_bytes(self, data: bytes) -> None: ...  # noqa: D102


class StreamExchange(Protocol):
    """What a stream needs of granian's request."""

    async def client_disconnect(self) -> None: ...  # noqa: D102
    def response_stream(self, status: int, headers: Headers) -> Transport: ...  # noqa: D102


class Timing(Struct, frozen=True, kw_only=True):
    """When a stream speaks, when it ends, and how many there may be."""

    ping_seconds: float = 30.0
    lifetime_seconds: float = 60.0
    retry_milliseconds: int = 10_000
    most: int = 500


class State(Struct, frozen=True, kw_only=True):
    """What a stream has to say now: ``event`` is the whole event, told again only when ``id`` is another one."""

    id: str
    event: bytes


Latest = Callable[[], Awaitable[State | None]]
"""Returns the newest state, or None when the stream's key is not good any more."""


def encode_event(name: str, event_id: str, data: bytes) -> bytes:
    """Return one server-sent event; each line of ``data`` is a line of its own, which clients join again.

    There is always a ``data:`` line, for clients dispatch nothing without one.
    """
    lines = b"".join(b"data: " + line + b"\n" for line in data.split(b"\n"))
    return f"id: {event_id}\nevent: {name}\n".encode() + lines + b"\n"


def known(headers: Mapping[str, str], newest: State, changed_at: datetime, now: datetime) -> str:
    """Return the id of the event that a client has, which it says or may be taken to have fetched just now."""
    return headers.get("last-event-id", "").strip() or ("" if now - changed_at < RECENT else newest.id)


class Streams:
    """The open streams of one process.

    A stream holds no queue: woken by ``wake`` it compares the newest state with what it told last. So a slow reader
    costs one event in flight, skips what was overtaken, and cannot hold the memory of others.
    """

    def __init__(self, timing: Timing | None = None) -> None:
        self._timing = timing or Timing()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Future[None] | None = None
        self._ending = False
        self.open = 0

    @property
    def full(self) -> bool:
        """Say whether another stream is too many, as any is when the server stops."""
        return self._ending or self.open >= self._timing.most

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to this loop; it need not run yet."""
        self._loop = loop

    def wake(self) -> None:
        """Have every stream look at the newest state; any thread may call this."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._broadcast)

    def end(self) -> None:
        """End every stream, so that the server can stop; any thread may call this."""
        self._ending = True
        self.wake()

    async def serve(
        self, exchange: StreamExchange, headers: Headers, latest: Latest, seen: str, lifetime: float | None = None
    ) -> None:
        """Stream until the client leaves, the time is over, or its key is good no more.

        Parameters
        ----------
        latest
            Asked at the start and at each wake.
        seen
            The id of the last event that the client has; its state is not told again.
        lifetime
            Seconds, where they are not those of ``Timing``.
        """
        self.open += 1
        try:
            await self._stream(exchange, headers, latest, seen, lifetime or self._timing.lifetime_seconds)
        finally:
            self.open -= 1

    async def _stream(
        self, exchange: StreamExchange, headers: Headers, latest: Latest, seen: str, lifetime: float
    ) -> None:
        loop = asyncio.get_running_loop()
        transport = exchange.response_stream(200, headers)
        gone = asyncio.ensure_future(exchange.client_disconnect())
        # Not all at one moment: streams that a restart opened together would come back together for ever.
        ends = loop.time() + lifetime * random.uniform(0.9, 1.1)  # noqa: S311
        data = f"retry: {self._timing.retry_milliseconds}\n\n".encode()
        try:
            while not self._ending:
                changed = self._next_change()  # before asking: a change in between must not be lost
                state = await latest()
                if state is None:
                    return
                if state.id != seen:
                    data, seen = data + state.event, state.id
                if data and not await _sent(transport, data, gone):
                    return
                wait = min(self._timing.ping_seconds, ends - loop.time())
                if wait <= 0:
                    return
                await asyncio.wait({changed, gone}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if gone.done() or loop.time() >= ends:
                    return
                data = b"" if changed.done() else PING
                if changed.done():
                    await asyncio.sleep(random.uniform(0, SPREAD_SECONDS * self.open))  # noqa: S311
        finally:
            gone.cancel()

    def _next_change(self) -> "asyncio.Future[None]":
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        return self._changed

    def _broadcast(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


async def _sent(transport: Transport, data: bytes, gone: "asyncio.Future[None]") -> bool:
    """Send, and say whether the client took it in time.

    Granian's own futures do not end when they are cancelled, so this waits beside the sending and not for it.
    """
    sending = asyncio.ensure_future(transport.send_bytes(data))
    await asyncio.wait({sending, gone}, timeout=LONGEST_SEND_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if not sending.done():
        sending.add_done_callback(_forget)
        return False
    return sending.exception() is None and not gone.done()


def _forget(task: "asyncio.Future[None]") -> None:
    if not task.cancelled():
        task.exception()  # it was let go: nobody asks what became of it
