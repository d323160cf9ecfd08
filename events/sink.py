"""Collect events from many requests into few transactions, and answer each when its own are on disk.

While one transaction is on its way, later requests pile up and share the next one (natural group commit): a quiet
server answers at once, a busy one writes thousands of events a commit. What waits is bounded.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import psycopg

from events import log

logger = logging.getLogger(__name__)

WRITERS = 2
MOST_WAITING_BYTES = 64 * 1024 * 1024
MOST_GROUP_BYTES = 8 * 1024 * 1024
ANSWER_SECONDS = 10.0
SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
STORE_ATTEMPTS = 4
NOTED_EVERY_SECONDS = 10.0
MOST_NOTED = 2_000
"""Doors and names whose repetitions are held between two notes; an app that makes names up must not fill the memory."""
# Lost a race against another writer for the same events, or against a partition that was made after the rows had been
# routed past it (events/partitions.py): trying again settles it.
LOST_RACE = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.CheckViolation)


class LogUnavailableError(Exception):
    """The log cannot take events now; the client should send them again after ``retry_after`` seconds."""

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class LogFullError(LogUnavailableError):
    """More events wait for the log than this server will hold."""


class LogRefusedError(Exception):
    """The database refuses one request's events for what they are; sending them again would not help."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The encoded events of one request (events/row.py), and whether the client says it has sent them before."""

    dated: Sequence[bytes] = ()
    undated: Sequence[bytes] = ()
    again: bool = False

    def size(self) -> int:
        """Return the bytes that the entry holds."""
        return sum(map(len, self.dated)) + sum(map(len, self.undated))


class _Waiting(msgspec.Struct, eq=False):
    entry: Entry
    size: int
    done: "asyncio.Future[None]"


class Sink:
    """The one way into the log from a server process."""

    def __init__(self, address: str, *, writers: int = WRITERS, most_waiting_bytes: int = MOST_WAITING_BYTES) -> None:
        self._address = address
        self._writers = writers
        self._most_waiting_bytes = most_waiting_bytes
        self._waiting: deque[_Waiting] = deque()
        self._held_bytes = 0
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._connected = 0
        self._down: LogUnavailableError | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._threads = ThreadPoolExecutor(writers, thread_name_prefix="events-log")
        self.stored = 0
        self.duplicates = 0
        self.by_door: Counter[int] = Counter()
        self._again: log.Again = Counter()
        self._noted_at = 0.0

    @property
    def waiting(self) -> int:
        """Say how many requests wait for a transaction to take them."""
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        """Say how many bytes of events are held until they are on disk."""
        return self._held_bytes

    @property
    def available(self) -> bool:
        """Say whether the log took events (or has not been tried) at the last attempt."""
        return self._down is None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to write; the loop need not run yet."""
        self._tasks = [loop.create_task(self._write_forever()) for _ in range(self._writers)]

    async def stop(self) -> None:
        """Write what waits, then close the connections."""
        self._stop.set()
        self._wake.set()
        await asyncio.gather(*self._tasks)
        self._threads.shutdown()

    async def put(self, entry: Entry) -> None:
        """Return when the entry's events are on disk.

        Raises
        ------
        LogUnavailableError
            They may not be; the client should send them again.
        LogRefusedError
            The database will never take them.
        """
        if self._stop.is_set():
            raise LogUnavailableError("This server is stopping.", 1)
        if self._down is not None:
            raise LogUnavailableError(str(self._down), self._down.retry_after)
        size = entry.size()
        if self._held_bytes + size > self._most_waiting_bytes:
            raise LogFullError("More events are waiting for the event log than this server holds.", 1)
        waiting = _Waiting(entry, size, asyncio.get_running_loop().create_future())
        self._held_bytes += size
        self._waiting.append(waiting)
        self._wake.set()
        try:
            await asyncio.wait_for(waiting.done, ANSWER_SECONDS)
        except TimeoutError:
            raise LogUnavailableError(f"The event log did not answer within {ANSWER_SECONDS:.0f} s.", 2) from None

    async def _write_forever(self) -> None:
        writer = _Writer(self._address, asyncio.get_running_loop(), self._threads)
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            connected = False
            try:
                await writer.connect()
                connected, pause = True, SHORTEST_PAUSE_SECONDS
                self._connected += 1
                self._down = None
                await self._write_groups(writer)
                return
            except psycopg.Error as error:
                logger.error("The event log cannot be written: %s", _one_line(error))
                self._lose(error, connected, pause)
            except Exception as error:
                logger.exception("The event log's writer failed")
                self._lose(error, connected, pause)
            finally:
                await writer.close()
            if await self._stopped_within(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _write_groups(self, writer: "_Writer") -> None:
        while True:
            while not self._waiting:
                if self._stop.is_set():
                    await self._note(writer)
                    return
                self._wake.clear()
                await self._wake.wait()
            group = self._take_group()
            try:
                await self._write_group(writer, group)
            except Exception as error:
                self._finish(group, LogUnavailableError(f"The event log failed ({_one_line(error)}).", 1))
                raise
            if self._again and time.monotonic() - self._noted_at > NOTED_EVERY_SECONDS:
                await self._note(writer)

    async def _note(self, writer: "_Writer") -> None:
        """Write down which events came again. It is a count beside the log: where it fails, it waits for the next."""
        again, self._again = self._again, Counter()
        self._noted_at = time.monotonic()
        if not again:
            return
        try:
            await writer.note(again)
        except psycopg.Error as error:
            logger.info("The count of repeated events waits: %s", _one_line(error))
            self._remember(again)

    def _remember(self, again: log.Again) -> None:
        for key, events in again.items():
            if key in self._again or len(self._again) < MOST_NOTED:
                self._again[key] += events

    def _take_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and (not group or size + self._waiting[0].size <= MOST_GROUP_BYTES):
            waiting = self._waiting.popleft()
            if waiting.done.done():  # its client was told to come back; writing it now would be no harm, but no use
                self._held_bytes -= waiting.size
                continue
            size += waiting.size
            group.append(waiting)
        return group

    async def _write_group(self, writer: "_Writer", group: list[_Waiting]) -> None:
        entries = [waiting.entry for waiting in group]
        try:
            stored, again = await writer.store(entries)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(group) == 1:
                logger.error("The database refuses events that passed every check: %s", _one_line(error))
                self._finish(group, LogRefusedError(_one_line(error)))
                return
            # One request's events must not cost the others theirs.
            for waiting in group:
                await self._write_group(writer, [waiting])
            return
        self.stored += stored
        self.duplicates += sum(len(entry.dated) + len(entry.undated) for entry in entries) - stored
        for (_, door, _), events in again.items():
            self.by_door[door] += events
        self._remember(again)
        self._finish(group, None)

    def _finish(self, group: Sequence[_Waiting], error: Exception | None) -> None:
        for waiting in group:
            if waiting.size:
                self._held_bytes -= waiting.size
                waiting.size = 0
            if waiting.done.done():
                continue
            if error is None:
                waiting.done.set_result(None)
            else:
                waiting.done.set_exception(error)

    def _lose(self, error: Exception, connected: bool, pause: float) -> None:
        self._connected -= connected
        if self._connected:
            return  # another writer still has its connection
        self._down = LogUnavailableError(f"The event log is not available ({_one_line(error)}).", max(1, round(pause)))
        group = list(self._waiting)
        self._waiting.clear()
        self._finish(group, self._down)


class _Writer:
    """One connection to the log and the thread calls that use it."""

    def __init__(self, address: str, loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor) -> None:
        self._address = address
        self._loop = loop
        self._threads = threads
        self._connection: psycopg.Connection[Any] | None = None

    async def connect(self) -> None:
        await self.close()
        self._connection = await self._loop.run_in_executor(self._threads, log.connect, self._address)

    async def close(self) -> None:
        if self._connection is not None:
            await self._loop.run_in_executor(self._threads, self._connection.close)
            self._connection = None

    async def note(self, again: log.Again) -> None:
        """Write down which events came again."""
        if self._connection is not None:
            await self._loop.run_in_executor(self._threads, log.note, self._connection, again)

    async def store(self, entries: Sequence[Entry]) -> tuple[int, log.Again]:
        """Write the entries in one transaction; return how many events are new, and which came again.

        Reconnects and tries again where that is safe and may help.
        """
        dated = [row for entry in entries for row in entry.dated]
        undated = [row for entry in entries for row in entry.undated]
        again = any(entry.again for entry in entries)
        for attempt in range(STORE_ATTEMPTS):
            try:
                return await self._loop.run_in_executor(self._threads, self._store, dated, undated, again)
            except LOST_RACE:
                if attempt == STORE_ATTEMPTS - 1:
                    raise
            except psycopg.OperationalError:
                # The commit may have happened: the second time must expect to find the events.
                if attempt == STORE_ATTEMPTS - 1 or not self._broken():
                    raise
                await self.connect()
            again = True
        raise AssertionError("the last attempt returns or raises")

    def _store(self, dated: Sequence[bytes], undated: Sequence[bytes], again: bool) -> tuple[int, log.Again]:
        if self._connection is None:
            raise psycopg.OperationalError("there is no connection")
        found: log.Again = Counter()
        return log.store(self._connection, dated, undated, again=again, found_again=found), found

    def _broken(self) -> bool:
        return self._connection is None or self._connection.broken


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
