"""Logged decisions as one narrow table inside an embedded analytical database that spills to disk.

Every estimate is a sum over rows, so the database sums and Python gets a few thousand numbers: memory is bounded
however long the log is.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from analysis.stats.offpolicy.rewards import FOLDS
from analysis.stats.offpolicy.tally import BUCKETS
from analysis.tables.refusal import RefusalError
from analysis.tables.source import Source, first_line, open_source, quoted

MEMORY = "1GB"
"""What the embedded database may hold before it writes to disk."""
PREFIX = "target_propensity."
OTHERWISE = "target_propensity_"
"""Some tools write no dots into the names of columns."""
MOST_CELLS = 200_000
"""Contexts times actions of which rewards are modelled; beyond, most of them would hold no row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The table ``d``: b (bucket of users), f (fold), c (context), a (action), r (reward), p, t0… (each candidate's).

    Attributes:
        connection: the database that holds it.
        policies: candidates in the order of t0, t1….
        rows: decisions kept.
        duplicates: rows left out because their decision was there already.
        contexts, actions: how many there are; 1 where the log names none.
        named: names of the contexts, by their number.
        notes: what was done with the rows, in words.
    """

    connection: duckdb.DuckDBPyConnection
    policies: tuple[str, ...]
    rows: int
    duplicates: int
    contexts: int
    actions: int
    named: tuple[str, ...]
    notes: tuple[str, ...]

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run one statement and return its rows."""
        return self.connection.execute(sql).fetchall()


@contextmanager
def database() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open a temporary database; it and its directory are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="truelift-decisions-") as directory:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": directory,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        connection = duckdb.connect(str(Path(directory) / "decisions.duckdb"), config=config)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")
            yield connection, Path(directory)
        finally:
            connection.close()


@contextmanager
def from_file(file: Path, policies: Sequence[str]) -> Iterator[Decisions]:
    """Read a CSV or Parquet file.

    Raises:
        RefusalError: a column is missing, or the file cannot be read; the message says which and why.
    """
    with database() as (connection, _):
        try:
            source = open_source(connection, file)
            yield load(connection, source.relation, columns_of(source, policies), policies)
        except duckdb.Error as problem:
            raise RefusalError(f"{file.name} cannot be read: {first_line(problem)}") from None


def columns_of(source: Source, policies: Sequence[str]) -> dict[str, str]:
    """Return SQL for each column that the table needs, by its name there."""
    found = {"r": source.numeric("reward"), "p": source.numeric("propensity")} if _has_needed(source) else {}
    for position, policy in enumerate(policies):
        name = next((one for one in (PREFIX + policy, OTHERWISE + policy) if one in source.columns), None)
        if name is None:
            raise RefusalError(
                f"there is no column {PREFIX + policy!r}: it holds the probability with which {policy!r} would have "
                f"done the same; the file has {', '.join(list(source.columns)[:20])}"
            )
        found[f"t{position}"] = source.numeric(name)
    texts = {"id": "decision_id", "unit": "unit", "context": "context", "action": "action"}
    return found | {short: _text(source, name) for short, name in texts.items() if name in source.columns}


def _text(source: Source, column: str) -> str:
    """Return SQL for a column's words; Parquet knows what is missing, and looking for words that say so costs most."""
    return source.text(column) if source.is_csv else f"nullif(CAST({quoted(column)} AS VARCHAR), '')"


def _has_needed(source: Source) -> bool:
    for name, meaning in (("propensity", "the probability with which it was decided so"), ("reward", "what it earned")):
        if name not in source.columns:
            raise RefusalError(
                f"there is no column {name!r}: {meaning}; the file has {', '.join(list(source.columns)[:20])}"
            )
    return True


def load(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str], policies: Sequence[str]
) -> Decisions:
    """Make the table ``d`` of a relation, given SQL for its columns."""
    texts = {name: columns.get(name, "NULL::VARCHAR") for name in ("id", "unit", "context", "action")}
    targets = [f"{columns[f't{position}']} AS t{position}" for position in range(len(policies))]
    picked = ", ".join(f"t{position}" for position in range(len(policies)))
    # Ids are kept as hashes: ten million texts would fill the disk, and two that share one of 2^64 do not occur.
    connection.execute(
        f"CREATE TABLE raw AS SELECT hash({texts['id']}) AS id, {texts['id']} IS NULL AS unnamed, "
        f"hash(coalesce({texts['unit']}, {texts['id']})) AS u, "
        f"coalesce({texts['unit']}, {texts['id']}) IS NULL AS alone, {texts['context']} AS context, "
        f"{texts['action']} AS action, {columns['r']} AS r, {columns['p']} AS p, {', '.join(targets)} FROM {relation}"
    )
    total, named, distinct = _one(
        connection,
        "SELECT count(*), count(*) FILTER (WHERE NOT unnamed), count(DISTINCT id) FILTER (WHERE NOT unnamed) FROM raw",
    )
    duplicates = named - distinct
    contexts = _codes(connection, "context")
    actions = _codes(connection, "action")
    rows = "raw" if not duplicates else _each_once()
    # A row without a unit stands for itself: its own number spreads it over the buckets.
    connection.execute(
        f"CREATE TABLE d AS SELECT (v % {BUCKETS})::INTEGER AS b, ((v // {BUCKETS}) % {FOLDS})::INTEGER AS f, "
        f"c, a, r, p, {picked} FROM ("
        "SELECT CASE WHEN alone THEN hash(x.rowid) ELSE u END AS v, coalesce(k.code, 0) AS c, "
        f"coalesce(j.code, 0) AS a, r, p, {picked} FROM {rows} x LEFT JOIN code_context k ON k.name = x.context "
        "LEFT JOIN code_action j ON j.name = x.action)"
    )
    connection.execute("DROP TABLE raw")
    notes = [f"{duplicates:,} rows repeat a decision and are left out"] if duplicates else []
    if not _one(connection, "SELECT count(*) FROM code_context")[0]:
        notes.append("the log names no context, so that rewards are modelled by action alone")
    return Decisions(
        connection=connection,
        policies=tuple(policies),
        rows=total - duplicates,
        duplicates=duplicates,
        contexts=max(1, len(contexts)),
        actions=max(1, len(actions)),
        named=contexts or ("all",),
        notes=tuple(notes),
    )


def _each_once() -> str:
    return (
        "(SELECT *, rowid FROM raw WHERE unnamed "
        "OR rowid IN (SELECT min(rowid) FROM raw WHERE NOT unnamed GROUP BY id))"
    )


def _codes(connection: duckdb.DuckDBPyConnection, column: str) -> tuple[str, ...]:
    """Number the values of a column from 0 on, and return them in that order."""
    connection.execute(
        f"CREATE TABLE code_{column} AS SELECT name, (row_number() OVER (ORDER BY name) - 1)::INTEGER AS code "
        f"FROM (SELECT DISTINCT {quoted(column)} AS name FROM raw WHERE {quoted(column)} IS NOT NULL)"
    )
    return tuple(str(row[0]) for row in connection.execute(f"SELECT name FROM code_{column} ORDER BY code").fetchall())


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = connection.execute(sql).fetchone()
    return () if row is None else tuple(int(value) for value in row)
