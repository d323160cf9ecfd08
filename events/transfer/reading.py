"""Rows of a CSV or Parquet file, one after the other, in bounded memory, from any row on."""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import duckdb

from events.transfer.refusal import TransferError

DELIMITERS = (",", ";", "\t", "|")
LONGEST_FIELD = 1 << 20
ROWS_AT_A_TIME = 2_000
MEMORY = "512MB"
_PIECE = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"

Share = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number (the first below the names is 1) and its values, or why it cannot be read."""

    number: int
    values: Mapping[str, Any]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file that can be read. ``digest`` is of its bytes, so that a copy under another name is the same file."""

    path: Path
    size: int
    digest: str
    columns: tuple[str, ...]
    is_csv: bool
    delimiter: str = ","

    def rows(self, skip: int, used: tuple[str, ...]) -> Iterator[tuple[Row, float]]:
        """Yield the rows after the first ``skip`` with the ``used`` columns, and which share of the file is read."""
        return _csv_rows(self, skip) if self.is_csv else _parquet_rows(self, skip, used)


def open_table(path: Path) -> TableFile:
    """Find out what the file is and which columns it has.

    Raises:
        TransferError: it is missing, empty or of another format.
    """
    if not path.is_file():
        raise TransferError(f"{path}: no such file" if not path.is_dir() else f"{path} is a directory; name its files")
    with path.open("rb") as handle:
        start = handle.read(4)
    if not start:
        raise TransferError(f"{path} is empty")
    delimiter, columns = (",", _parquet_columns(path)) if start == b"PAR1" else _csv_columns(path)
    if len(set(columns)) < len(columns):
        twice = sorted({name for name in columns if columns.count(name) > 1})
        raise TransferError(f"{path} has more than one column {', '.join(map(repr, twice))}; rename them")
    return TableFile(
        path=path,
        size=path.stat().st_size,
        digest=_digest(path),
        columns=columns,
        is_csv=start != b"PAR1",
        delimiter=delimiter,
    )


def _digest(path: Path) -> str:
    made = blake2b(digest_size=16)
    with path.open("rb") as handle:
        while piece := handle.read(_PIECE):
            made.update(piece)
    return made.hexdigest()


def _csv_columns(path: Path) -> tuple[str, tuple[str, ...]]:
    try:
        text, raw = _text(path)
        with raw, text:
            header = text.readline(LONGEST_FIELD)
    except UnicodeDecodeError:
        raise TransferError(f"{path} is not UTF-8 text; save it as CSV in UTF-8, or as Parquet") from None
    except (OSError, EOFError, zlib.error) as problem:
        raise TransferError(f"{path} cannot be read: {problem}") from None
    if "\x00" in header or header.startswith("PK"):
        raise TransferError(f"{path} is neither CSV nor Parquet; save it as one of them")
    delimiter = max(DELIMITERS, key=header.count)
    names = tuple(name.strip() for name in next(csv.reader([header], delimiter=delimiter), []))
    if len(names) < 2 or not all(names):
        raise TransferError(f"{path}: its first line must name at least two columns, none of them empty")
    return delimiter, names


def _text(path: Path) -> tuple[io.TextIOWrapper, io.BufferedReader]:
    """Return a file's text, unpacked, and the file whose position tells how far it is read."""
    raw = path.open("rb")
    packed = raw.peek(2)[:2] == _GZIP_MAGIC
    unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
    return io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline=""), raw


def _csv_rows(table: TableFile, skip: int) -> Iterator[tuple[Row, float]]:
    csv.field_size_limit(LONGEST_FIELD)
    text, raw = _text(table.path)
    number = 0
    with raw, text:
        reader = csv.reader(text, delimiter=table.delimiter, strict=True)
        try:
            next(reader)
            for cells in reader:
                if not cells:
                    continue
                number += 1
                if number > skip:
                    yield _csv_row(table, number, cells), raw.tell() / table.size
        except csv.Error as problem:
            raise TransferError(f"{table.path}, line {reader.line_num}: {problem}; put the quotes right") from None
        except UnicodeDecodeError:
            after = f"{table.path} holds bytes that are not UTF-8 after row {number}"
            raise TransferError(f"{after}; save it as CSV in UTF-8, or as Parquet") from None
        except (OSError, EOFError, zlib.error) as problem:
            raise TransferError(f"{table.path} cannot be read after row {number}: {problem}") from None


def _csv_row(table: TableFile, number: int, cells: list[str]) -> Row:
    if len(cells) != len(table.columns):
        problem = f"The row has {len(cells)} fields; the line of names has {len(table.columns)}."
        return Row(number, {}, problem)
    return Row(number, dict(zip(table.columns, cells, strict=True)))


def _parquet_columns(path: Path) -> tuple[str, ...]:
    with duckdb.connect() as connection:
        try:
            found = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        except duckdb.Error as problem:
            raise TransferError(f"{path} cannot be read as Parquet: {first_line(problem)}") from None
    return tuple(name for name, *_ in found)


def _parquet_rows(table: TableFile, skip: int, used: tuple[str, ...]) -> Iterator[tuple[Row, float]]:
    with connected() as connection:
        path = str(table.path)
        try:
            kinds = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [path]).fetchall()
            selected = ", ".join(_selected(name, kind) for name, kind, *_ in kinds if name in used)
            total = connection.execute("SELECT count(*) FROM read_parquet(?)", [path]).fetchall()[0][0]
            cursor = connection.execute(
                f"SELECT file_row_number, {selected} FROM read_parquet(?, file_row_number = true) "  # noqa: S608
                "WHERE file_row_number >= ?",
                [path, skip],
            )
            names = [column[0] for column in cursor.description or ()][1:]
            while found := cursor.fetchmany(ROWS_AT_A_TIME):
                for place, *values in found:
                    yield Row(place + 1, dict(zip(names, values, strict=True))), (place + 1) / total
        except duckdb.Error as problem:
            raise TransferError(f"{path} cannot be read: {first_line(problem)}") from None


def connected() -> duckdb.DuckDBPyConnection:
    """Open an embedded database that keeps rows in order and holds little."""
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY,
            "threads": 1,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _selected(name: str, kind: str) -> str:
    # Times as text, which the doors' own check reads; UUIDs too.
    column = '"' + name.replace('"', '""') + '"'
    as_text = kind == "DATE" or kind.startswith("TIME") or "TIME ZONE" in kind or kind == "UUID"
    return f"CAST({column} AS VARCHAR) AS {column}" if as_text else column


def first_line(problem: Exception) -> str:
    """Return the first line of another program's complaint."""
    return next((line.strip() for line in str(problem).splitlines() if line.strip()), type(problem).__name__)
