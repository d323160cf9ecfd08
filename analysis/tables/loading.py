"""From the file to one row a unit, inside an embedded analytical database that spills to disk."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from analysis.tables.progress import Progress
from analysis.tables.refusal import RefusalError
from analysis.tables.request import MetricSpec, MetricType, Request
from analysis.tables.source import Source, first_line, open_source, quoted, shortened

MEMORY = "1GB"
"""What the embedded database may hold before it writes to disk."""
_MANY_VARIANTS = 50
_ONE_ROW_EACH = 1.05
"""Up to so many distinct rows a unit, the file is one row a unit and a repeated row is a mistake."""
_FREE_OF_MISSING = (MetricType.PROPORTION, MetricType.COUNT)
"""Types that count what happened: no value means that it did not. A mean of what was measured leaves them out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The table ``units``: v (variant), mixed, m<i> and d<i> (metric, denominator), x<j> (covariate), s<k>, t.

    ``missing`` counts rows without a value by column; ``notes`` say what was done with the rows.
    """

    connection: duckdb.DuckDBPyConnection
    metrics: tuple[MetricSpec, ...]
    counts: dict[str, int]
    covariates: tuple[str, ...]
    rows: int
    quarantined: int
    duplicates: int
    missing: dict[str, int]
    notes: list[str] = field(default_factory=list)
    bad_rows: int = 0
    value_names: dict[str, str] = field(default_factory=dict)

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run one statement and return its rows."""
        return self.connection.execute(sql).fetchall()


@contextmanager
def loaded(request: Request, progress: Progress) -> Iterator[Loaded]:
    """Read the file into a temporary database that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="truelift-table-") as directory:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": directory,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        connection = duckdb.connect(str(Path(directory) / "table.duckdb"), config=config)
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = true")  # counts progress; the bar itself is ours
        connection.execute("SET enable_progress_bar_print = false")
        connection.execute("SET progress_bar_time = 0")
        try:
            yield _Loader(connection, request, progress).load()
        except duckdb.Error as problem:
            raise RefusalError(f"{request.file} cannot be analysed: {first_line(problem)}") from None
        finally:
            connection.close()


class _Loader:
    """The steps from file to units, in order."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, request: Request, progress: Progress) -> None:
        self.connection, self.request, self.progress = connection, request, progress
        self.notes: list[str] = []
        covariates = [column for columns in request.covariates.values() for column in columns]
        self.covariates = tuple(dict.fromkeys(covariates))
        self.values = tuple(dict.fromkeys(column for spec in request.metrics for column in spec.columns))

    def load(self) -> Loaded:
        source = open_source(self.connection, self.request.file)
        source.need(self._needed())
        self._rows(source)
        bad_rows = self._rejected(source)
        total = self._one("SELECT count(*) FROM rows")
        if total == 0:
            raise RefusalError(f"{self.request.file} is empty: no readable row below the line of names")
        missing = self._numbers(source)
        self._days(source)
        metrics = tuple(self._typed(source, spec) for spec in self.request.metrics)
        self._variants()
        duplicates = self._duplicates() if self.request.unit else 0
        self._units(metrics)
        counts, quarantined = self._counts()
        return Loaded(
            connection=self.connection,
            metrics=metrics,
            counts=counts,
            covariates=self.covariates,
            rows=total,
            quarantined=quarantined,
            duplicates=duplicates,
            missing=missing,
            notes=self.notes,
            bad_rows=bad_rows,
            value_names={column: self._short(column) for column in self.values},
        )

    def _needed(self) -> list[tuple[str, str]]:
        asked = self.request
        named = [("--variant", asked.variant)]
        named += [("--unit", asked.unit)] if asked.unit else []
        named += [(f"--metric {spec.name}", column) for spec in asked.metrics for column in spec.columns]
        named += [(f"--covariate {name}", column) for name, columns in asked.covariates.items() for column in columns]
        named += [("--segment", column) for column in asked.segments]
        return named + ([("--time", asked.time)] if asked.time else [])

    def _rows(self, source: Source) -> None:
        """Copy the needed columns; the file is read once."""
        asked = self.request
        parts = [f"{source.text(asked.variant)} AS v"]
        if asked.unit:
            whole = ", ".join(quoted(column) for column in source.columns)
            unit = source.text(asked.unit)
            parts += [f"CASE WHEN {unit} IS NULL THEN NULL ELSE hash({unit}) END AS u", f"hash({whole}) AS h"]
        parts += [f"{source.numeric(column)} AS c{i}" for i, column in enumerate(self.values)]
        parts += [f"{source.numeric(column)} AS x{i}" for i, column in enumerate(self.covariates)]
        parts += [f"coalesce({source.text(column)}, '(none)') AS s{i}" for i, column in enumerate(asked.segments)]
        parts += [f"{source.day(asked.time)} AS t"] if asked.time else []
        size = asked.file.stat().st_size if source.is_csv else None
        with self.progress.step("Reading the file", self.connection, size):
            self._run(f"CREATE TABLE rows AS SELECT {', '.join(parts)} FROM {source.relation}")

    def _rejected(self, source: Source) -> int:
        """Count the lines that do not fit the line of names."""
        if not source.is_csv:
            return 0
        count = self._one("SELECT count(DISTINCT line) FROM reject_errors")
        if count:
            example = self.connection.execute(
                "SELECT line, error_type FROM reject_errors ORDER BY line LIMIT 1"
            ).fetchone()
            where = f"the first is line {example[0]} ({str(example[1]).lower()})" if example else ""
            self.notes.append(f"{count:,} rows do not fit the file's columns and were left out; {where}.")
        return count

    def _numbers(self, source: Source) -> dict[str, int]:
        """Refuse columns with words, and count missing values."""
        named = [*((f"c{i}", column) for i, column in enumerate(self.values))]
        named += [(f"x{i}", column) for i, column in enumerate(self.covariates)]
        for short, column in named:
            if self._one(f"SELECT count(*) FROM rows WHERE isnan({short})"):
                self._refuse_words(source, column)
        missing = {column: self._one(f"SELECT count(*) - count({short}) FROM rows") for short, column in named}
        missing[self.request.variant] = self._one("SELECT count(*) - count(v) FROM rows")
        if self.request.unit:
            missing[self.request.unit] = self._one("SELECT count(*) - count(u) FROM rows")
        if self.request.time:
            missing[self.request.time] = self._one("SELECT count(*) - count(t) FROM rows")
        missing = {column: count for column, count in missing.items() if count}
        for key in (self.request.variant, self.request.unit):
            if key and key in missing:
                self.notes.append(f"{missing[key]:,} rows without a {key} were left out.")
        return missing

    def _refuse_words(self, source: Source, column: str) -> None:
        self._refuse_first(source, column, f"isnan({source.numeric(column)})", "is not a number")

    def _refuse_first(self, source: Source, column: str, condition: str, what: str) -> None:
        found = self.connection.execute(
            f"SELECT i, w FROM (SELECT row_number() OVER () AS i, {quoted(column)} AS w, {condition} AS bad "
            f"FROM {source.relation}) WHERE bad ORDER BY i LIMIT 1"
        ).fetchone()
        where = f"row {found[0]} holds {str(found[1])!r}" if found else "a row"
        raise RefusalError(f"the column {column!r} {what}: {where}, the first such row below the line of names")

    def _days(self, source: Source) -> None:
        if self.request.time and self._one("SELECT count(*) FROM rows WHERE t = DATE '0001-01-01'"):
            column = self.request.time
            self._refuse_first(
                source,
                column,
                f"{source.day(column)} = DATE '0001-01-01'",
                "is not a time such as 2026-03-02 or 2026-03-02T10:00:00Z",
            )

    def _typed(self, source: Source, spec: MetricSpec) -> MetricSpec:
        """Settle a metric's type by its values where it was not given, and hold a proportion to 0 and 1."""
        short = self._short(spec.column)
        if spec.type is None:
            binary = self.connection.execute(f"SELECT bool_and({short} IN (0, 1)) FROM rows").fetchone()
            kind = MetricType.PROPORTION if binary and binary[0] else MetricType.MEAN
            if spec.name in self.request.caps:
                kind = MetricType.MEAN
            return MetricSpec(name=spec.name, column=spec.column, type=kind)
        if spec.type is MetricType.PROPORTION:
            if self._one(f"SELECT count(*) FROM rows WHERE {short} < 0 OR {short} <> floor({short})"):
                value = source.numeric(spec.column)
                what = f"cannot be the proportion {spec.name!r}, which is 0 or 1 a unit"
                self._refuse_first(source, spec.column, f"({value}) < 0 OR ({value}) <> floor({value})", what)
            if above := self._one(f"SELECT count(*) FROM rows WHERE {short} > 1"):
                self.notes.append(
                    f"{above:,} values above 1 in {spec.column} count as 1 for the proportion {spec.name}."
                )
        return spec

    def _variants(self) -> None:
        asked = self.request
        found = self.connection.execute(
            "SELECT v, count(*) FROM rows WHERE v IS NOT NULL GROUP BY v ORDER BY count(*) DESC "
            f"LIMIT {_MANY_VARIANTS + 1}"
        ).fetchall()
        names = sorted(str(row[0]) for row in found)
        if len(names) > _MANY_VARIANTS:
            raise RefusalError(
                f"--variant {asked.variant}: more than {_MANY_VARIANTS} values, such as {shortened(names, 3)}; "
                "name the column that holds the variant"
            )
        if asked.control not in names:
            raise RefusalError(
                f"--control: no row of {asked.variant!r} has the value {asked.control!r}; it holds {shortened(names)}"
            )
        if asked.weights is not None:
            if extra := sorted(set(names) - set(asked.weights)):
                raise RefusalError(
                    f"--weights do not fit: no share for {shortened(extra)}; the file has {shortened(names)}"
                )
            if asked.control not in asked.weights:
                raise RefusalError(f"--weights do not fit: no share for the control {asked.control!r}")
            names = sorted(asked.weights)
            if not set(names) & {str(row[0]) for row in found} - {asked.control}:
                raise RefusalError(
                    f"--weights do not fit: the file has no unit of {shortened(names)} beside the control"
                )
        elif len(names) < 2:
            raise RefusalError(
                f"--variant {asked.variant}: every row is {names[0]!r}; nothing to compare with the control"
            )

    def _duplicates(self) -> int:
        """Count exact copies of a unit's row; drop them where the file has one row a unit or the rows carry a time."""
        with self.progress.step("Looking for duplicates", self.connection):
            copies = self._one(
                "SELECT coalesce(sum(n - 1), 0) FROM "
                "(SELECT count(*) AS n FROM rows WHERE u IS NOT NULL GROUP BY u, h HAVING n > 1)"
            )
        if not copies:
            return 0
        units = self._one("SELECT count(DISTINCT u) FROM rows")
        distinct = self._one("SELECT count(u) FROM rows") - copies
        if distinct > _ONE_ROW_EACH * units and self.request.time is None:
            self.notes.append(
                f"{copies:,} rows repeat another row of their unit exactly. Units have several rows here, so they were "
                "kept as separate events; give --time to have exact copies dropped."
            )
            return copies
        with self.progress.step("Dropping duplicates", self.connection):
            self._run("CREATE TABLE single AS SELECT DISTINCT ON (u, h) * FROM rows")
            self._run("DROP TABLE rows")
            self._run("ALTER TABLE single RENAME TO rows")
        self.notes.append(f"{copies:,} rows repeat another row of their unit exactly and were dropped.")
        return copies

    def _units(self, metrics: tuple[MetricSpec, ...]) -> None:
        """Form one row a unit: a unit's rows are added up before anything is squared."""
        unit = self.request.unit
        parts = (
            ["min(v) AS v", "min(v) <> max(v) AS mixed", "count(*) AS k"] if unit else ["v", "false AS mixed", "1 AS k"]
        )
        for i, spec in enumerate(metrics):
            parts += [f"{sql} AS {name}{i}" for name, sql in self._value(spec, bool(unit)).items()]
        parts += [f"avg(x{i}) AS x{i}" if unit else f"x{i}" for i in range(len(self.covariates))]
        parts += [f"min(s{i}) AS s{i}" if unit else f"s{i}" for i in range(len(self.request.segments))]
        if self.request.time:
            parts.append("min(t) AS t" if unit else "t")
        if not unit:
            self._run(f"CREATE VIEW units AS SELECT {', '.join(parts)} FROM rows WHERE v IS NOT NULL")
            self.notes.append("No --unit was given: each row is taken for one unit, and nothing is de-duplicated.")
            return
        with self.progress.step("Adding up units", self.connection):
            self._run(
                f"CREATE TABLE units AS SELECT u, {', '.join(parts)} FROM rows "
                "WHERE v IS NOT NULL AND u IS NOT NULL GROUP BY u"
            )
        if several := self._one("SELECT count(*) FROM units WHERE k > 1 AND NOT mixed"):
            self.notes.append(f"{several:,} units have several rows; they were added up to one value a unit first.")
        self._changing_segments()

    def _changing_segments(self) -> None:
        for i, column in enumerate(self.request.segments):
            changing = self._one(f"SELECT count(*) FROM (SELECT u FROM rows GROUP BY u HAVING min(s{i}) <> max(s{i}))")
            if changing:
                self.notes.append(
                    f"{changing:,} units have several values of {column}; each counts under its first in the alphabet. "
                    "A segment must be known before the experiment."
                )

    def _value(self, spec: MetricSpec, grouped: bool) -> dict[str, str]:
        """Return SQL for a unit's value (m) and denominator (d)."""
        top = self._short(spec.column)
        if spec.type is MetricType.RATIO and spec.denominator is not None:
            below = self._short(spec.denominator)
            if grouped:
                return {
                    "m": f"sum({top}) FILTER ({below} IS NOT NULL)",
                    "d": f"sum({below}) FILTER ({top} IS NOT NULL)",
                }
            both = f"{top} IS NOT NULL AND {below} IS NOT NULL"
            return {"m": f"CASE WHEN {both} THEN {top} END", "d": f"CASE WHEN {both} THEN {below} END"}
        if spec.type is MetricType.PROPORTION:
            return {"m": f"CASE WHEN {f'max({top})' if grouped else top} > 0 THEN 1.0 ELSE 0.0 END"}
        if spec.type is MetricType.COUNT:
            return {"m": f"coalesce({f'sum({top})' if grouped else top}, 0.0)"}
        return {"m": f"sum({top})" if grouped else top}

    def _counts(self) -> tuple[dict[str, int], int]:
        """Count units a variant without those seen in two, the control first."""
        found = self.connection.execute("SELECT v, count(*) FROM units WHERE NOT mixed GROUP BY v").fetchall()
        counts = {str(row[0]): int(row[1]) for row in found}
        planned = {name for name, share in (self.request.weights or {}).items() if share > 0}
        names = sorted(set(counts) | planned | {self.request.control})
        names.sort(key=lambda name: name != self.request.control)
        return {name: counts.get(name, 0) for name in names}, self._one("SELECT count(*) FROM units WHERE mixed")

    def _short(self, column: str) -> str:
        return f"c{self.values.index(column)}"

    def _one(self, sql: str) -> int:
        found = self.connection.execute(sql).fetchone()
        return int(found[0]) if found and found[0] is not None else 0

    def _run(self, sql: str) -> None:
        try:
            self.connection.execute(sql)
        except duckdb.Error as problem:
            raise RefusalError(f"{self.request.file} cannot be read to its end: {first_line(problem)}") from None
