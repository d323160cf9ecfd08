"""Read a file of scores by example: CSV, NDJSON or Parquet, plain or gzipped, into columns sorted by example."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from analysis.stats.example_scores import Scores
from analysis.tables.refusal import RefusalError
from analysis.tables.source import Source, first_line, open_source, shortened

MEMORY = "512MB"
MOST_EXAMPLES = 1_000_000
MOST_VALUES = 10
LONGEST_NAME = 60
COLUMNS = {
    "example": ("example", "example_id", "id", "query_id"),
    "unit": ("unit", "unit_id", "user_id", "user"),
    "label": ("label", "y_true", "target"),
    "prediction": ("prediction", "y_pred", "predicted"),
    "score": ("score", "probability", "y_score"),
}
"""What columns may be called; every other column of numbers is a metric of its own."""
YES, NO = ("1", "1.0", "true"), ("0", "0.0", "false")


def read_scores(file: Path, name: str) -> Scores:
    """Return the file's scores. ``name`` is what messages call it.

    Raises
    ------
    RefusalError
        What is wrong with the file, in one line.
    """
    with tempfile.TemporaryDirectory(prefix="truelift-scores-") as directory:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": directory,
            "threads": 1,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        with duckdb.connect(":memory:", config=config) as connection:
            try:
                return _Reader(connection, _opened(connection, file)).scores()
            except duckdb.Error as problem:
                raise RefusalError(f"{name} cannot be read: {first_line(problem).replace(str(file), name)}") from None
            except RefusalError as problem:
                raise RefusalError(str(problem).replace(str(file), name)) from None


def _opened(connection: duckdb.DuckDBPyConnection, file: Path) -> Source:
    with file.open("rb") as handle:
        start = handle.read(64).lstrip()
    if not start.startswith(b"{"):
        return open_source(connection, file)
    path = str(file).replace("'", "''")
    relation = f"read_json('{path}', format='newline_delimited', sample_size=-1, maximum_object_size=1048576)"
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    return Source(relation=relation, columns={row[0]: row[1] for row in described}, is_csv=False)


class _Reader:
    """The steps from a relation to arrays."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source) -> None:
        self.connection, self.source = connection, source
        by_name = {column.strip().lower(): column for column in source.columns}
        self.named = {
            part: next((by_name[one] for one in names if one in by_name), None) for part, names in COLUMNS.items()
        }
        taken = set(self.named.values())
        self.values = [column for column in source.columns if column not in taken]

    def scores(self) -> Scores:
        self._refuse_shape()
        self.connection.execute(f"CREATE TABLE rows AS SELECT {', '.join(self._parts())} FROM {self.source.relation}")
        self._refuse_rows()
        names = [row[0] for row in self.connection.execute("DESCRIBE rows").fetchall()]
        found = self.connection.execute("SELECT * FROM rows ORDER BY example").fetchnumpy()
        return self._assembled({name: np.ma.getdata(found[name]) for name in names})

    def _refuse_shape(self) -> None:
        if self.named["example"] is None:
            known = shortened(list(self.source.columns))
            raise RefusalError(f"there is no column example, which names each example; the file has {known}")
        if not (self.values or self.named["score"] or (self.named["label"] and self.named["prediction"])):
            raise RefusalError(
                "there is nothing to score by: give label and prediction, label and score, or a column of numbers that "
                "is named after a metric"
            )
        if len(self.values) > MOST_VALUES:
            raise RefusalError(f"{len(self.values)} further columns; at most {MOST_VALUES} metrics are taken")
        if long := [name for name in self.values if len(name) > LONGEST_NAME]:
            raise RefusalError(f"the column {long[0][:80]!r} is longer than {LONGEST_NAME} characters")

    def _parts(self) -> list[str]:
        parts = [f"md5_number_lower({self.source.text(self.named['example'] or '')}) AS example"]
        for part in ("unit", "label", "prediction"):
            if column := self.named[part]:
                text = self.source.text(column)
                plain = f"CASE WHEN lower({text}) IN {YES} THEN '1' WHEN lower({text}) IN {NO} THEN '0' ELSE {text} END"
                parts.append(f"md5_number_lower({text if part == 'unit' else plain}) AS {part}")
                if part != "unit":
                    parts.append(f"CASE ({plain}) WHEN '1' THEN 1 WHEN '0' THEN 0 ELSE 2 END::UTINYINT AS {part}_01")
        numbers = ([("score", self.named["score"])] if self.named["score"] else []) + [
            (f"v{place}", column) for place, column in enumerate(self.values)
        ]
        return parts + [f"{self.source.numeric(column or '')} AS {name}" for name, column in numbers]

    def _refuse_rows(self) -> None:
        rows = self._one("SELECT count(*) FROM rows")
        if rows == 0:
            raise RefusalError("there is no readable row")
        if rows > MOST_EXAMPLES:
            raise RefusalError(f"{rows:,} examples; at most {MOST_EXAMPLES:,} are taken")
        columns = [row[0] for row in self.connection.execute("DESCRIBE rows").fetchall()]
        for column in columns:
            if missing := self._one(f"SELECT count(*) - count({column}) FROM rows"):
                raise RefusalError(f"in {_rows(missing)} there is no {self._called(column)}; every example needs one")
        for column in columns:
            is_number = column == "score" or column.startswith("v")
            if is_number and (words := self._one(f"SELECT count(*) FROM rows WHERE isnan({column})")):
                raise RefusalError(f"in {_rows(words)} {self._called(column)!r} holds no number")
        if twice := rows - self._one("SELECT count(DISTINCT example) FROM rows"):
            raise RefusalError(f"in {_rows(twice)} an example comes again; each example has one row")

    def _called(self, column: str) -> str:
        if column.startswith("v") and column[1:].isdecimal():
            return self.values[int(column[1:])]
        return str(self.named.get(column.removesuffix("_01")) or column)

    def _one(self, sql: str) -> int:
        found = self.connection.execute(sql).fetchone()
        return int(found[0]) if found else 0

    def _assembled(self, columns: dict[str, NDArray[np.generic]]) -> Scores:
        def numbers(name: str) -> NDArray[np.uint64] | None:
            return columns[name].astype(np.uint64) if name in columns else None

        scores = columns["score"].astype(np.float64) if "score" in columns else None
        return Scores(
            examples=columns["example"].astype(np.uint64),
            units=numbers("unit"),
            labels=numbers("label"),
            predictions=numbers("prediction"),
            binary=_binary(columns.get("label_01")),
            predicted=_binary(columns.get("prediction_01")),
            scores=scores,
            values={name: columns[f"v{place}"].astype(np.float64) for place, name in enumerate(self.values)},
        )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _binary(codes: NDArray[np.generic] | None) -> NDArray[np.bool_] | None:
    """Return codes as yes and no, None where one is neither."""
    if codes is None or bool((codes == 2).any()):
        return None
    return codes.astype(np.bool_)


def column_names(scores: Scores) -> Sequence[str]:
    """Say which columns there are, for people."""
    named = {
        "unit": scores.units, "label": scores.labels, "prediction": scores.predictions, "score": scores.scores,
    }  # fmt: skip
    return ["example", *(name for name, part in named.items() if part is not None), *scores.values]
