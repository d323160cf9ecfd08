"""The file as a relation: found out to be CSV or Parquet, or refused in one line. Reading streams."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from analysis.tables.refusal import RefusalError

_SNIFFED = 65_536
DELIMITERS = (",", ";", "\t", "|")
_NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_FRACTIONAL = ("FLOAT", "DOUBLE")
MISSING = "('', 'na', 'n/a', 'nan', 'null', 'none', '<na>')"
"""How files write "no value", in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that can be read: ``relation`` is what stands after FROM, ``columns`` its names with their types."""

    relation: str
    columns: dict[str, str]
    is_csv: bool

    def need(self, columns: Sequence[tuple[str, str]]) -> None:
        """Refuse columns that the file does not have, given as (option, column)."""
        for option, column in columns:
            if column not in self.columns:
                raise RefusalError(
                    f"{option}: there is no column {column!r}; the file has {shortened(list(self.columns))}"
                )

    def numeric(self, column: str) -> str:
        """Return SQL for a column's number: NULL where missing, NaN where what stands there is no number."""
        name, kind = quoted(column), self.columns[column]
        if kind in _NUMERIC or kind.startswith("DECIMAL") or kind == "BOOLEAN":
            return f"CAST({name} AS DOUBLE)"
        if kind in _FRACTIONAL:
            return f"CASE WHEN isnan({name}) THEN NULL WHEN isinf({name}) THEN 'nan' ELSE CAST({name} AS DOUBLE) END"
        text = f"lower(trim(CAST({name} AS VARCHAR)))"
        value = f"TRY_CAST({text} AS DOUBLE)"
        return (
            f"CASE WHEN {text} IS NULL OR {text} IN {MISSING} THEN NULL WHEN {text} = 'true' THEN 1.0 "
            f"WHEN {text} = 'false' THEN 0.0 WHEN {value} IS NULL OR NOT isfinite({value}) THEN 'nan'::DOUBLE "
            f"ELSE {value} END"
        )

    def text(self, column: str) -> str:
        """Return SQL for a column's words, NULL where missing."""
        words = f"trim(CAST({quoted(column)} AS VARCHAR))"
        return f"CASE WHEN lower({words}) IN {MISSING} THEN NULL ELSE {words} END"

    def day(self, column: str) -> str:
        """Return SQL for a column's UTC day; a day in the year 1 where what stands there is no time."""
        name, kind = quoted(column), self.columns[column]
        if kind == "DATE" or kind.startswith("TIMESTAMP"):
            return f"CAST({name} AS DATE)"
        words = self.text(column)
        read = f"CAST(TRY_CAST({words} AS TIMESTAMPTZ) AS DATE)"
        return f"CASE WHEN {words} IS NULL THEN NULL ELSE coalesce({read}, DATE '0001-01-01') END"


def open_source(connection: duckdb.DuckDBPyConnection, file: Path) -> Source:
    """Find out what the file is and which columns it has."""
    if not file.is_file():
        raise RefusalError(f"{file}: no such file" if not file.is_dir() else f"{file} is a directory; give one file")
    with file.open("rb") as handle:
        start = handle.read(4)
    if not start:
        raise RefusalError(f"{file} is empty")
    path = str(file).replace("'", "''")
    is_csv = start != b"PAR1"
    relation = _csv(file, path) if is_csv else f"read_parquet('{path}')"
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except duckdb.Error as problem:
        raise RefusalError(
            f"{file} cannot be read as {'CSV' if is_csv else 'Parquet'}: {first_line(problem)}"
        ) from None
    return Source(relation=relation, columns={row[0]: row[1] for row in described}, is_csv=is_csv)


def _csv(file: Path, path: str) -> str:
    """Return the reader of a CSV file whose first line holds the names."""
    start, compression = _beginning(file)
    if not start.strip():
        raise RefusalError(f"{file} is empty")
    if start[:2] == b"PK":
        raise RefusalError(f"{file} is a zip or Excel file, not CSV or Parquet; save it as CSV")
    if b"\0" in start:
        raise RefusalError(f"{file} is neither CSV nor Parquet: it holds bytes that no text has")
    header, _, rest = start.partition(b"\n")
    try:
        names = header.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RefusalError(f"{file} is not UTF-8 text; save it as CSV in UTF-8") from None
    delimiter = max(DELIMITERS, key=names.count)
    if names.count(delimiter) == 0:
        raise RefusalError(f"{file} is neither CSV nor Parquet: its first line has no comma, semicolon, tab or bar")
    if not rest.strip():
        raise RefusalError(f"{file} is empty: there is a line of names and no row below it")
    shown = "\\t" if delimiter == "\t" else delimiter
    return (
        f"read_csv('{path}', delim='{shown}', quote='\"', escape='\"', header=true, all_varchar=true, "
        f"auto_detect=true, sample_size=100, strict_mode=true, store_rejects=true, rejects_limit=0, "
        f"compression='{compression}')"
    )


def _beginning(file: Path) -> tuple[bytes, str]:
    with file.open("rb") as handle:
        start = handle.read(_SNIFFED)
    if start[:2] != b"\x1f\x8b":
        return start, "none"
    try:
        with gzip.open(file) as unpacked:
            return unpacked.read(_SNIFFED), "gzip"
    except (OSError, EOFError, zlib.error) as problem:
        raise RefusalError(f"{file} is a damaged gzip file: {problem}") from None


def quoted(name: str) -> str:
    """Return a column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def shortened(names: Sequence[str], most: int = 20) -> str:
    """List names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def first_line(problem: Exception) -> str:
    """Return the first line of another program's complaint."""
    return next((line.strip() for line in str(problem).splitlines() if line.strip()), type(problem).__name__)
