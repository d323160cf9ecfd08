"""The shop's app as Truelift sees it: asks over OFREP, reports over the Segment batch endpoint, reads the results."""

import asyncio
import gzip
import random
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from config.demo.connection import Address, Answer, BrokenConnectionError, Connection

T = TypeVar("T")
Event = Mapping[str, Any]

APP = {"library": {"name": "demo-shop", "version": "1.0"}}
LARGEST_BATCH = 500
PATIENCE_SECONDS = 60.0
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_PAUSE = 5.0


class ShopError(Exception):
    """The server cannot be used; the message says in one line what happened and what to do."""


class UnreachableError(ShopError):
    """The server gave no usable answer for as long as the client was willing to wait."""


class RefusedError(ShopError):
    """The server understood and said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Evaluation(msgspec.Struct, frozen=True):
    """What OFREP answers for one flag and one unit."""

    key: str
    value: Any = None
    variant: str | None = None
    reason: str | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """What the batch endpoint says about events that it refused while it kept the others."""

    success: bool = True
    accepted: int = 0
    refused: list[Any] = []


class AppClient:
    """A client with a bounded number of kept-alive connections; use it with ``async with``."""

    def __init__(
        self, base_url: str, api_key: str, *, connections: int = 16, patience: float = PATIENCE_SECONDS
    ) -> None:
        address = Address.from_url(base_url)
        self._base_url = base_url
        self._patience = patience
        self._idle: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for _ in range(connections):
            self._idle.put_nowait(Connection(address))
        self.connections = connections
        bearer = f"authorization: Bearer {api_key}\r\n"
        self._ask = f"{bearer}content-type: application/json\r\n"
        self._read = f"{bearer}accept: application/json\r\n"
        basic = b64encode(f"{api_key}:".encode()).decode()
        self._report = f"authorization: Basic {basic}\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"

    async def __aenter__(self) -> "AppClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._idle.empty():
            await self._idle.get_nowait().aclose()

    async def evaluate(self, flag: str, unit: str, attributes: Mapping[str, object] | None = None) -> Evaluation:
        """Ask which variant of ``flag`` this unit gets."""
        body = msgspec.json.encode({"context": {"targetingKey": unit, **(attributes or {})}})
        path = f"/ofrep/v1/evaluate/flags/{quote(flag, safe='')}"
        answer = await self._persist("POST", path, self._ask, lambda: body)
        return msgspec.json.decode(answer.body, type=Evaluation)

    async def meet(self, seconds: float = 5.0) -> None:
        """Make sure that a server listens, without the patience that a long run has for one that restarts."""
        patience, self._patience = self._patience, min(seconds, self._patience)
        try:
            await self._persist("GET", "/healthz", "", lambda: b"")
        finally:
            self._patience = patience

    async def wait_for_key(self, seconds: float = 30.0) -> None:
        """Wait until the server has heard of a key that was made a moment ago."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                await self.evaluate("is-my-key-known", "nobody")
            except RefusedError as error:
                if error.status == 404:
                    return
                if error.status != 401 or time.monotonic() > deadline:
                    raise
            else:
                return
            await asyncio.sleep(0.2)

    async def interleave(
        self, experiment: str, unit: str, impression: str, control: list[str], treatment: list[str], length: int
    ) -> dict[str, Any] | None:
        """Have two rankings mixed; return the properties of the event that reports it, or None outside the traffic."""
        asked = {"experiment": experiment, "unit": unit, "impression_id": impression, "control": control,
                 "treatment": treatment, "length": length}  # fmt: skip
        body = msgspec.json.encode(asked)
        answer = msgspec.json.decode((await self._persist("POST", "/v1/interleave", self._ask, lambda: body)).body)
        properties: dict[str, Any] | None = answer["properties"]
        return properties

    async def wait_until_served(self, flag: str, seconds: float = 30.0) -> None:
        """Wait until the server has heard of an experiment that was started a moment ago."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                await self.evaluate(flag, "nobody", {"session_id": "nobody", "block_id": "nowhere|0"})
            except RefusedError as error:
                if error.status != 404 or time.monotonic() > deadline:
                    raise
            else:
                return
            await asyncio.sleep(0.2)

    async def wait_for_change(self, seconds: float = 2.0) -> None:
        """Give every server process the time in which it hears of a change; it is told within a second."""
        await asyncio.sleep(seconds)

    async def send(self, events: list[Event]) -> BatchAnswer:
        """Send at most ``LARGEST_BATCH`` events; when this returns, the server has them for good."""

        def body() -> bytes:
            # sentAt is the moment of this attempt: the server takes its own clock minus sentAt as this client's error.
            sent_at = datetime.now(UTC).isoformat(timespec="milliseconds")
            return gzip.compress(msgspec.json.encode({"batch": events, "sentAt": sent_at, "context": APP}), 1)

        answer = await self._persist("POST", "/v1/batch", self._report, body)
        return msgspec.json.decode(answer.body, type=BatchAnswer) if answer.body[:1] == b"{" else BatchAnswer()

    async def get(self, path: str) -> bytes:
        """Read one address of the results API."""
        return (await self._persist("GET", path, self._read, lambda: b"")).body

    async def post(self, path: str) -> bytes:
        """Post nothing to one address of the results API."""
        return (await self._persist("POST", path, self._read, lambda: b"")).body

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        connection = await self._idle.get()
        try:
            yield connection
        finally:
            self._idle.put_nowait(connection)

    async def _persist(self, method: str, path: str, headers: str, body: Callable[[], bytes]) -> Answer:
        """Repeat a request while the server is away or busy, with growing pauses, until patience runs out."""
        deadline = time.monotonic() + self._patience
        attempt = 0
        while True:
            async with self._connection() as connection:
                try:
                    again = f"x-retry-count: {attempt}\r\n" if attempt else ""
                    answer = await connection.request(method, path, headers + again, body())
                except BrokenConnectionError as error:
                    trouble, wait = str(error), 0.0
                else:
                    if answer.status not in TEMPORARY:
                        return _accepted(answer, method, path)
                    trouble, wait = f"{answer.status} {_words(answer)}", _retry_after(answer)
            attempt += 1
            pause = max(wait, min(LONGEST_PAUSE, 0.1 * 2**attempt) * random.uniform(0.5, 1))  # noqa: S311
            if time.monotonic() + pause > deadline:
                raise UnreachableError(
                    f"{self._base_url}{path} gave no usable answer for {self._patience:.0f} s (last: {trouble}). "
                    "Is the server running (make run), and is --base-url right?"
                )
            await asyncio.sleep(pause)


def _accepted(answer: Answer, method: str, path: str) -> Answer:
    if 200 <= answer.status < 300:
        return answer
    hints = {
        401: " Check --api-key.",
        403: " The key needs the scopes evaluate, ingest and read.",
        404: " Is there such an experiment, and has it been started?",
    }
    raise RefusedError(
        answer.status,
        f"{method} {path} was refused with {answer.status}: {_words(answer)}.{hints.get(answer.status, '')}",
    )


def _words(answer: Answer) -> str:
    try:
        shape = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return answer.body[:200].decode(errors="replace").strip() or "no explanation"
    if isinstance(shape, dict):
        shape = shape["error"] if isinstance(shape.get("error"), dict) else shape
        for name in ("errorDetails", "message", "detail", "error", "errorCode"):
            if shape.get(name):
                return str(shape[name]).rstrip(".")
    return str(shape)[:200]


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), 30.0) if text.isdigit() else 0.0


async def for_each(items: Iterable[T], width: int, work: Callable[[T], Awaitable[None]]) -> None:
    """Run ``work`` over ``items`` with ``width`` of them under way at any moment; the first error ends all."""
    supply = iter(items)

    async def worker() -> None:
        for item in supply:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(worker())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors


def batches(items: Iterable[T], size: int = LARGEST_BATCH) -> Iterator[list[T]]:
    """Cut a stream into lists of at most ``size``."""
    supply = iter(items)
    while batch := list(islice(supply, size)):
        yield batch
