"""The product's doors and sink in this process, on a loop of their own: a server without its sockets."""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType

import psycopg
from django.db import connection

from config import paths
from events import log
from events.doors import EventDoors
from events.sink import Sink
from experiments.domain.access import KeyGrant, Scope
from experiments.models import Project
from tests.events.builders import KEY, MemorySink, basic
from tests.faults.ledger import Ledger, Message


def address() -> str:
    return f"host={paths.socket_directory(paths.home())} user=truelift dbname={connection.settings_dict['NAME']}"


class Doors:
    """Takes requests from any thread while the block lasts."""

    def __init__(self, home: Project, ledger: Ledger) -> None:
        self._grants = {KEY: KeyGrant(project_id=home.pk, scopes=frozenset({Scope.INGEST}))}
        self._address = address()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.ledger = ledger

    def __enter__(self) -> "Doors":
        self._sink = Sink(self._address)
        self._sink.start(self._loop)
        self._doors = EventDoors(self._grants.get, self._sink)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._sink.stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def send(self, batch: list[Message], clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> int:
        """Send a batch once and write down what was answered."""
        self.ledger.offer(batch)
        body = json.dumps({"batch": batch, "sentAt": clock().isoformat()}).encode()
        asked = self._doors.handle("POST", "/v1/batch", basic(KEY), "", body)
        status, _, _ = asyncio.run_coroutine_threadsafe(asked, self._loop).result(60)
        self.ledger.answered(batch, status)
        return status

    def deliver(self, batch: list[Message], clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Send a batch again and again until it is acknowledged, as client libraries do."""
        pause = threading.Event()
        while self.send(batch, clock) != 200:
            pause.wait(0.05)


def encoded(batch: list[Message], project: int) -> list[bytes]:
    """Return a batch as the rows that the doors make of it."""
    grants = {KEY: KeyGrant(project_id=project, scopes=frozenset({Scope.INGEST}))}
    sink, body = MemorySink(), json.dumps({"batch": batch}).encode()
    status, _, _ = asyncio.run(EventDoors(grants.get, sink).handle("POST", "/v1/batch", basic(KEY), "", body))
    assert status == 200
    return sink.rows


def write(writer: psycopg.Connection, rows: list[bytes]) -> None:
    """Store rows as the sink does, but in a transaction that stays open until the caller ends it."""
    writer.execute("SELECT 1")  # begins it: else the sink's own transaction is the outermost, and commits
    log.store(writer, rows, [], again=True)
    assert writer.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
