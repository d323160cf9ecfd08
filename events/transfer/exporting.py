"""Export the log: one Parquet file for each UTC day, written whole or not at all, and not twice with the same content.

A day is one COPY, so it is what was committed at one moment. It streams through a file on disk, which also gives the
digest by which an unchanged day is known; nothing holds more than a few megabytes.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypedDict

import duckdb
import psycopg
from psycopg import sql

from events import log
from events.row import COLUMNS
from events.transfer.reading import connected, first_line
from events.transfer.refusal import TransferError
from experiments.models import Project

MANIFEST = "manifest.json"
FORMAT = 1
ROWS_A_GROUP = 100_000

_TYPES = {
    "project_id": "INTEGER",
    **dict.fromkeys(("ts", "at", "received_at"), "TIMESTAMPTZ"),
    **dict.fromkeys(("environment", "door"), "SMALLINT"),
}
# Sorted by what is unique, so that the same rows are the same bytes.
_COPY_DAY = f"""
COPY (
    SELECT {COLUMNS} FROM events_log WHERE project_id = {{project}} AND ts >= {{start}} AND ts < {{end}} ORDER BY ts, id
) TO STDOUT (FORMAT csv, FORCE_QUOTE *)
"""  # noqa: S608  (a constant)

OnDay = Callable[[float], None]


class Outcome(StrEnum):
    """What became of one day."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    EMPTY = "empty"


class DayEntry(TypedDict):
    """What the manifest says of a day; ``open``: it had not ended, so that more events of it were to come."""

    file: str | None
    rows: int
    bytes: int
    digest: str
    open: bool
    exported_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedDay:
    """One day of an export."""

    day: date
    outcome: Outcome
    entry: DayEntry


def export_days(
    project: Project, first: date, last: date, directory: Path, *, now: datetime | None = None
) -> Iterator[ExportedDay]:
    """Yield each day from ``first`` to ``last`` (both included) when its file and the manifest are on disk.

    Raises:
        TransferError: the directory cannot be written, or holds another project's export.
    """
    moment = now or datetime.now(UTC)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        manifest = _manifest(project, directory)
        with psycopg.connect(log.conninfo(), application_name="truelift export") as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET DateStyle = 'ISO, YMD'")
            connection.commit()
            for offset in range((last - first).days + 1):
                day = first + timedelta(days=offset)
                yield _export(connection, project, day, directory, manifest, moment)
    except OSError as problem:
        raise TransferError(f"{directory}: {problem.strerror or problem}; name a directory with room") from None


def _export(
    connection: psycopg.Connection[Any],
    project: Project,
    day: date,
    directory: Path,
    manifest: dict[str, Any],
    now: datetime,
) -> ExportedDay:
    name = f"events-{day}.parquet"
    file, streamed = directory / name, directory / f".{name}.csv"
    is_open = day >= now.astimezone(UTC).date()
    try:
        rows, digest = _stream(connection, project, day, streamed)
        before: DayEntry | None = manifest["days"].get(str(day))
        if before is not None and _same(before, rows, digest, file):
            outcome = Outcome.UNCHANGED
        elif rows:
            outcome = Outcome.WRITTEN
            _convert(streamed, directory / f".{name}", file)
        else:
            outcome = Outcome.EMPTY
            file.unlink(missing_ok=True)  # what it held was erased since
    finally:
        streamed.unlink(missing_ok=True)
    entry = DayEntry(
        file=name if rows else None,
        rows=rows,
        bytes=file.stat().st_size if rows else 0,
        digest=digest,
        open=is_open,
        exported_at=before["exported_at"] if before and outcome is Outcome.UNCHANGED else now.isoformat(),
    )
    manifest["days"][str(day)] = entry
    _write_manifest(directory, manifest)
    return ExportedDay(day=day, outcome=outcome, entry=entry)


def _same(before: DayEntry, rows: int, digest: str, file: Path) -> bool:
    there = file.stat().st_size if file.is_file() else 0
    return (before["digest"], before["rows"], before["bytes"]) == (digest, rows, there)


def _stream(connection: psycopg.Connection[Any], project: Project, day: date, to: Path) -> tuple[int, str]:
    """Copy a day's rows to a file; return how many there are, and the digest of them."""
    made = blake2b(digest_size=16)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    statement = sql.SQL(_COPY_DAY).format(
        project=sql.Literal(project.pk), start=sql.Literal(start), end=sql.Literal(start + timedelta(days=1))
    )
    with connection.transaction(), connection.cursor() as cursor, to.open("wb") as file:
        with cursor.copy(statement) as copy:
            for piece in copy:
                made.update(piece)
                file.write(piece)
        return cursor.rowcount, made.hexdigest()


def _convert(streamed: Path, unfinished: Path, file: Path) -> None:
    """Write the Parquet file beside its place, and move it there when it is on disk."""
    columns = ", ".join(f"'{name}': '{_TYPES.get(name, 'VARCHAR')}'" for name in COLUMNS.split(", "))
    with connected() as connection:
        try:
            connection.execute(
                f"COPY (SELECT * FROM read_csv({_quoted(streamed)}, header = false, auto_detect = false, "  # noqa: S608
                f"columns = {{{columns}}}, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
                "allow_quoted_nulls = false, parallel = false, max_line_size = 16777216)) "
                f"TO {_quoted(unfinished)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_A_GROUP})"
            )
        except duckdb.Error as problem:
            unfinished.unlink(missing_ok=True)
            raise TransferError(f"{file} cannot be written: {first_line(problem)}") from None
    _move(unfinished, file)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _move(unfinished: Path, file: Path) -> None:
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())
    unfinished.replace(file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _manifest(project: Project, directory: Path) -> dict[str, Any]:
    file = directory / MANIFEST
    if not file.exists():
        return {"format": FORMAT, "project": project.slug, "days": {}}
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        theirs, known, _ = found["project"], found["format"], found["days"]
    except (ValueError, KeyError, TypeError):
        raise TransferError(f"{file} is no manifest of an export; name another directory") from None
    if known != FORMAT:
        raise TransferError(f"{file} has the format {known!r}, not {FORMAT}; name another directory")
    if theirs != project.slug:
        raise TransferError(f"{directory} holds the export of project {theirs!r}; name another directory")
    return found


def _write_manifest(directory: Path, manifest: dict[str, Any]) -> None:
    manifest["days"] = dict(sorted(manifest["days"].items()))
    unfinished = directory / f".{MANIFEST}"
    unfinished.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    _move(unfinished, directory / MANIFEST)
