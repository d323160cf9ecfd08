"""Keep the snapshot fresh in this process, and serve the last good one whatever happens to the database."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from assignment import disk
from assignment import snapshot as snapshots
from assignment.publish import Publisher
from assignment.snapshot import Content, Snapshot, SnapshotError
from assignment.table import Table
from experiments.domain.access import KeyGrant
from experiments.domain.changes import CHANNEL

logger = logging.getLogger(__name__)

POLL_SECONDS = 3.0
"""How often to look without a notification: one may be lost, and poolers in transaction mode pass none on."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
WAKE_SECONDS = 0.25
"""How long ``stop`` waits at most for the thread to notice."""

# A server that vanished without a word is noticed within seconds, not after the kernel's two hours. What the
# installation's own DATABASE_URL says goes first.
CONNECTION_DEFAULTS: dict[str, Any] = {
    "application_name": "truelift-edge",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Edge:
    """The assignment state of one server process.

    ``start`` serves the snapshot on disk at once and follows the database in a thread of its own: it listens for
    changes, polls in case a notification was lost, and reconnects with a growing pause.
    """

    def __init__(
        self,
        conninfo: str,
        file: Path,
        *,
        poll_seconds: float = POLL_SECONDS,
        read: Callable[[psycopg.Connection[Any]], Content] | None = None,
    ) -> None:
        self._conninfo = conninfo
        self._file = file
        self._poll_seconds = poll_seconds
        self._read = read or Publisher().read
        self._state: tuple[Snapshot, Table] | None = None
        self._offered: Content | None = None
        self._confirmed_at: float | None = None
        self._problems: dict[str, str] = {}
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._watchers: list[Callable[[], None]] = []
        self.connected = False
        self.refusals: list[str] = []
        """What of the newest state is not served, and why, one sentence each."""

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot being served, or None before the first one."""
        state = self._state
        return state[0] if state else None

    @property
    def table(self) -> Table | None:
        """The snapshot being served, laid out for the doors."""
        state = self._state
        return state[1] if state else None

    @property
    def version(self) -> str | None:
        """The version of the snapshot being served."""
        state = self._state
        return state[0].version if state else None

    @property
    def age(self) -> float | None:
        """Seconds since the database last confirmed what is served; after a restart without it, since it was taken."""
        return None if self._confirmed_at is None else max(0.0, time.time() - self._confirmed_at)

    @property
    def problem(self) -> str | None:
        """What keeps the edge from serving the newest state, in words, or None."""
        return " ".join(self._problems.values()) or None

    def grant(self, plain_key: str) -> KeyGrant | None:
        """Return what an API key opens, or None for one that is unknown or revoked."""
        table = self.table
        return table.grant(plain_key) if table else None

    def on_change(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` each time something else is served from then on, in the edge's own thread."""
        self._watchers.append(watcher)

    def start(self) -> None:
        """Serve from disk at once, and follow the database from now on."""
        self._load()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._follow, name="truelift-edge", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following; what was served last is still served."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait for a first snapshot, from disk or database; return whether there is one."""
        return self._ready.wait(seconds)

    def offer(self, content: Content) -> None:
        """Serve what can be served of ``content``, and keep it on disk when it differs from the last."""
        if content != self._offered:
            self._adopt(content)
        self._confirmed_at = time.time()
        # Somebody may have cleared the directory: a restart without the database needs the file.
        if self.snapshot is not None and ("disk" in self._problems or not disk.is_kept(self._file)):
            self._keep(self.snapshot)

    def _adopt(self, content: Content) -> None:
        last = self.snapshot
        now = datetime.now(UTC)
        accepted, self.refusals = snapshots.accept(content, last.content if last else None, now)
        self._note("content", " ".join(self.refusals))
        taken = snapshots.seal(accepted, now)
        if last is None or last.version != taken.version:
            self._serve(taken)
            self._keep(taken)
        self._offered = content

    def _serve(self, snapshot: Snapshot) -> None:
        self._state = (snapshot, Table(snapshot, self.table))
        self._ready.set()
        for watcher in self._watchers:
            watcher()

    def _load(self) -> None:
        try:
            stored = disk.load(self._file)
        except SnapshotError as error:
            self._note("disk", f"{self._file} is refused: {error}")
            return
        if stored is not None:
            self._confirmed_at = stored.taken_at.timestamp()
            self._serve(stored)

    def _keep(self, snapshot: Snapshot) -> None:
        try:
            disk.keep(self._file, snapshot)
        except OSError as error:
            self._note("disk", f"{self._file} cannot be written ({error}): a restart would need the database.")
        else:
            self._note("disk", "")

    def _note(self, where: str, problem: str) -> None:
        """Remember a problem until it is over, and log it once."""
        if not problem:
            self._problems.pop(where, None)
        elif self._problems.get(where) != problem:
            self._problems[where] = problem
            served = "The last good snapshot is served." if self.snapshot else "Nothing is served yet."
            logger.error("edge: %s %s", problem, served)

    def _follow(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._listen()
            except Exception as error:  # whatever the database or its content does, this thread must live on
                self._note(
                    "database", f"The database gives no snapshot ({str(error).strip() or type(error).__name__})."
                )
            self.connected = False
            if time.monotonic() - began > LONGEST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _listen(self) -> None:
        """Read once, then again after each notification and each poll interval, until stopped or disconnected."""
        parameters = {**CONNECTION_DEFAULTS, **conninfo_to_dict(self._conninfo)}
        with psycopg.connect(**parameters, autocommit=True) as connection:
            connection.execute("SET statement_timeout = '10s'")
            connection.execute(f"LISTEN {CHANNEL}")  # before the first read: no change falls between the two
            while not self._stopping.is_set():
                self.offer(self._read(connection))
                self.connected = True
                self._note("database", "")
                self._wait_for_change(connection)

    def _wait_for_change(self, connection: psycopg.Connection[Any]) -> None:
        deadline = time.monotonic() + self._poll_seconds
        while not self._stopping.is_set() and (left := deadline - time.monotonic()) > 0:
            # One round trip's worth of notifications is taken together: a burst of changes is one read.
            if list(connection.notifies(timeout=min(WAKE_SECONDS, left), stop_after=1)):
                return
