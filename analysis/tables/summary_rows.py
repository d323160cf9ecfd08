"""The rows of a small aggregated table, as words by column: CSV (also gzipped) or Parquet."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import duckdb

from analysis.tables.refusal import RefusalError
from analysis.tables.source import DELIMITERS, first_line, quoted, shortened

Rows = Iterator[tuple[int, dict[str, str]]]


def rows(file: Path, columns: Mapping[str, str]) -> Rows:
    """Yield (number of the row, word by role) for columns given as role -> name in the file."""
    start = _start(file)
    if start == b"PAR1":
        return _parquet(file, columns)
    return _csv(file, columns, packed=_is_packed(start))


def header(file: Path) -> list[str]:
    """Return the names of a file's columns."""
    start = _start(file)
    try:
        if start == b"PAR1":
            with duckdb.connect() as connection:
                found = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(file)]).fetchall()
            return [str(row[0]) for row in found]
        with _opened(file, packed=_is_packed(start)) as handle:
            line = handle.readline()
        names = next(csv.reader([line], delimiter=max(DELIMITERS, key=line.count)), [])
    except (UnicodeDecodeError, csv.Error, OSError, EOFError, zlib.error, duckdb.Error) as problem:
        raise RefusalError(f"{file} cannot be read as CSV or Parquet: {first_line(problem)}") from None
    if not names:
        raise RefusalError(f"{file} is empty")
    return names


def _start(file: Path) -> bytes:
    if not file.is_file():
        raise RefusalError(f"{file}: no such file")
    with file.open("rb") as handle:
        start = handle.read(4)
    if start[:2] == b"PK":
        raise RefusalError(f"{file} is a zip or Excel file, not CSV or Parquet; save it as CSV")
    return start


def _is_packed(start: bytes) -> bool:
    return start[:2] == b"\x1f\x8b"


def _known(file: Path, columns: Mapping[str, str], names: list[str]) -> None:
    if not names:
        raise RefusalError(f"{file} is empty")
    for role, column in columns.items():
        if column not in names:
            raise RefusalError(f"--columns {role}: there is no column {column!r}; the file has {shortened(names)}")


def _csv(file: Path, columns: Mapping[str, str], *, packed: bool) -> Rows:
    try:
        with _opened(file, packed=packed) as handle:
            header = handle.readline()
            delimiter = max(DELIMITERS, key=header.count)
            names = next(csv.reader([header], delimiter=delimiter), [])
            _known(file, columns, names)
            places = {role: names.index(column) for role, column in columns.items()}
            for number, row in enumerate(csv.reader(handle, delimiter=delimiter), start=1):
                if row:
                    yield number, {role: row[at].strip() if at < len(row) else "" for role, at in places.items()}
    except (UnicodeDecodeError, csv.Error, OSError, EOFError, zlib.error) as problem:
        raise RefusalError(f"{file} cannot be read as CSV: {problem}") from None


def _opened(file: Path, *, packed: bool) -> TextIO:
    if packed:
        return gzip.open(file, "rt", newline="", encoding="utf-8-sig")
    return file.open(newline="", encoding="utf-8-sig")


def _parquet(file: Path, columns: Mapping[str, str]) -> Rows:
    path = str(file).replace("'", "''")
    try:
        with duckdb.connect() as connection:
            described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
            _known(file, columns, [str(row[0]) for row in described])
            words = ", ".join(f"coalesce(CAST({quoted(column)} AS VARCHAR), '')" for column in columns.values())
            found = connection.execute(f"SELECT {words} FROM read_parquet('{path}')").fetchall()
    except duckdb.Error as problem:
        raise RefusalError(f"{file} cannot be read as Parquet: {first_line(problem)}") from None
    for number, row in enumerate(found, start=1):
        yield number, {role: str(word).strip() for role, word in zip(columns, row, strict=True)}
