"""Import a file: chunk by chunk, each with how far it has come in one transaction, so that a kill costs nothing."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from django.db import DatabaseError
from django.utils import timezone

from events import log, partitions
from events.intake.fields import Arrival, EventError
from events.models import Import
from events.row import PRODUCTION, Door, Event, encode
from events.transfer.mapping import ColumnMeaning, reader
from events.transfer.reading import Row, TableFile
from events.transfer.refusal import TransferError
from experiments.models import Project

CHUNK_ROWS = 5_000
OWN_PARTITION = 100
"""So many events of one day in a chunk are worth a partition of their own; stray days share one."""
SHOWN_REFUSALS = 20
REPORT_HEAD = ("row", "reason", "message")

ADVANCE = """
UPDATE events_import SET rows_done = %s, stored = stored + %s, refused = %s::jsonb
WHERE id = %s AND rows_done = %s
"""

OnShare = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was not kept, and why."""

    row: int
    code: str
    message: str


@dataclass(slots=True, kw_only=True)
class Imported:
    """What an import did: ``rows`` of the file, ``stored`` new events, ``refused`` rows by reason, since it began.

    ``resumed_after`` rows were done by an earlier run; ``shown`` are this run's first refusals.
    """

    rows: int = 0
    stored: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    resumed_after: int = 0
    shown: list[RefusedRow] = field(default_factory=list)

    @property
    def known(self) -> int:
        """Return how many rows were in the log already."""
        return self.rows - self.stored - self.refused.total()


def import_file(
    project: Project,
    table: TableFile,
    meaning: ColumnMeaning,
    *,
    report: Path | None = None,
    on_share: OnShare = lambda _: None,
    chunk_rows: int = CHUNK_ROWS,
) -> Imported:
    """Put the rows of a file into the log; the same file under the same reading goes on where it ended.

    Raises:
        TransferError: the file cannot be read to its end, or another process imports it. Chunks before that are kept.
    """
    read = reader(meaning, table.columns, table.digest)
    state, _ = Import.objects.get_or_create(
        project=project,
        digest=table.digest,
        reading=meaning.digest,
        defaults={"file": table.path.name[:255], "size": table.size},
    )
    done = Imported(
        rows=state.rows_done, stored=state.stored, refused=Counter(state.refused), resumed_after=state.rows_done
    )
    if state.finished_at is not None:
        return done
    with _Report(report, after=state.rows_done) as notes, closing(log.connect(log.conninfo())) as connection:
        _Import(project, state, read, connection, notes, done).run(table, meaning, chunk_rows, on_share)
    Import.objects.filter(pk=state.pk).update(finished_at=timezone.now())
    return done


class _Import:
    """One run over what is left of a file."""

    def __init__(
        self,
        project: Project,
        state: Import,
        read: Callable[[Row, Arrival], Event],
        connection: psycopg.Connection[Any],
        notes: "_Report",
        done: Imported,
    ) -> None:
        self._state, self._read, self._connection, self._notes, self._done = state, read, connection, notes, done
        self._arrival = Arrival(
            project_id=project.pk, received_at=datetime.now(UTC), environment=PRODUCTION, door=Door.IMPORT
        )
        self._days: set[date] = set()

    def run(self, table: TableFile, meaning: ColumnMeaning, chunk_rows: int, on_share: OnShare) -> None:
        rows = table.rows(self._done.rows, meaning.used(table.columns))
        while chunk := list(islice(rows, chunk_rows)):
            self._keep([row for row, _ in chunk])
            on_share(chunk[-1][1])

    def _keep(self, rows: list[Row]) -> None:
        """Make a chunk durable together with how far the import has come: both, or neither."""
        events, refused = self._sorted(rows)
        self._make_partitions(events)
        self._notes.add(refused)
        before, last = self._done.rows, rows[-1].number
        counts = self._done.refused + Counter(one.code for one in refused)
        with self._connection.transaction():
            stored = log.store(self._connection, [encode(event) for event in events], [], again=True)
            values = [last, stored, json.dumps(counts), self._state.pk, before]
            if self._connection.execute(ADVANCE, values).rowcount != 1:
                raise TransferError(f"{self._state.file} is being imported by another process; let that one finish")
        self._done.rows, self._done.stored, self._done.refused = last, self._done.stored + stored, counts
        self._done.shown += refused[: SHOWN_REFUSALS - len(self._done.shown)]

    def _sorted(self, rows: list[Row]) -> tuple[list[Event], list[RefusedRow]]:
        events, refused = [], []
        for row in rows:
            try:
                events.append(self._read(row, self._arrival))
            except EventError as reason:
                refused.append(RefusedRow(row.number, reason.code, str(reason)))
        return events, refused

    def _make_partitions(self, events: list[Event]) -> None:
        days = Counter(event.ts.astimezone(UTC).date() for event in events)
        for day in sorted(day for day, count in days.items() if count >= OWN_PARTITION and day not in self._days):
            self._days.add(day)
            try:
                partitions.ensure(day, day)
            except DatabaseError:
                return  # somebody holds the lock: the rows lie in the shared partition as well, and the next run tries


class _Report:
    """A CSV of every refused row; an import that goes on first drops what its last chunk noted and did not keep."""

    def __init__(self, path: Path | None, after: int) -> None:
        self._path, self._after = path, after

    def __enter__(self) -> "_Report":
        if self._path is None:
            return self
        kept = list(self._earlier(self._path)) if self._after else []
        try:
            self._file = self._path.open("w", encoding="utf-8", newline="")
        except OSError as problem:
            raise TransferError(f"--report {self._path}: {problem.strerror}; name a file that can be written") from None
        self._writer = csv.writer(self._file)
        self._writer.writerows([REPORT_HEAD, *kept])
        return self

    def __exit__(self, *_: object) -> None:
        if self._path is not None:
            self._file.close()

    def add(self, refused: list[RefusedRow]) -> None:
        """Write refused rows down before their chunk is kept."""
        if self._path is not None:
            self._writer.writerows((one.row, one.code, one.message) for one in refused)
            self._file.flush()

    def _earlier(self, path: Path) -> Iterator[list[str]]:
        if not path.is_file():
            return
        with path.open(encoding="utf-8", newline="") as file:
            for line in csv.reader(file):
                if len(line) == len(REPORT_HEAD) and line[0].isdecimal() and int(line[0]) <= self._after:
                    yield line
