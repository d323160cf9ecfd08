"""Decisions and their rewards out of the event log, joined in the embedded database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from django.db import connection as log

from analysis.offpolicy.decisions import Decisions, database, load
from analysis.rollup.units import unit_of
from experiments.domain.designs.offpolicy import OffPolicyDesign, RewardBy
from experiments.domain.metrics import MetricKind
from experiments.models.metric import Defined

CLOCKS = timedelta(days=7)
"""The log is cut by the client's own time: how far that may be from the corrected one before an event is missed."""

# OFFSET 0 keeps the planner from reading a property twice.
_EVENTS = """
COPY (
    SELECT {columns} FROM events_log l
    WHERE l.project_id = %(project)s AND l.name = %(name)s AND l.environment = 0
      AND l.ts >= %(first)s AND l.ts < %(last)s AND l.at >= %(since)s AND l.at < %(until)s
) TO STDOUT (FORMAT csv)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Which decisions: of one project, decided in [since, until), rewarded until ``as_of``."""

    project: int
    unit_type: str
    design: OffPolicyDesign
    counted: Defined
    policies: Sequence[str]
    since: datetime
    until: datetime
    as_of: datetime

    @property
    def window(self) -> timedelta:
        """Return how long a reward is waited for."""
        return timedelta(hours=self.design.window_hours)


@contextmanager
def from_events(asked: Logged) -> Iterator[Decisions]:
    """Read decisions whose reward had its time, with what they earned."""
    with database() as (connection, directory):
        _copy(asked, directory)
        _read(connection, directory, len(asked.policies))
        _join(connection, asked)
        yield load(connection, "joined", _columns(asked), asked.policies)


def _copy(asked: Logged, directory: Path) -> None:
    unit = unit_of(asked.unit_type)
    at = "extract(epoch FROM l.at)::float8"
    targets = "".join(
        f", analysis_number(l.props -> 'target_propensity' -> %(policy{i})s)" for i in range(len(asked.policies))
    )
    decided = f"{at}, l.props ->> 'decision_id', {unit}, l.props ->> 'context', l.props ->> 'action', " + (
        f"analysis_number(l.props -> 'propensity'){targets}"
    )
    policies: dict[str, object] = {f"policy{i}": key for i, key in enumerate(asked.policies)}
    until = min(asked.until, asked.as_of - asked.window)
    _export(directory / "decisions.csv", decided, asked, asked.design.decision_event, until, policies)
    value = "analysis_number(l.props -> %(property)s)" if asked.counted.kind == MetricKind.SUM else "1"
    rewarded = f"{at}, l.props ->> 'decision_id', {unit}, {value}"
    given: dict[str, object] = {"property": asked.counted.property}
    _export(directory / "rewards.csv", rewarded, asked, asked.counted.event, asked.as_of, given)


def _export(file: Path, columns: str, asked: Logged, name: str, until: datetime, more: dict[str, object]) -> None:
    parameters: dict[str, Any] = {
        "project": asked.project,
        "name": name,
        "since": asked.since,
        "until": until,
        "first": asked.since - CLOCKS,
        "last": until + CLOCKS,
        **more,
    }
    statement = _EVENTS.format(columns=columns)
    with file.open("wb") as written, log.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        for block in copy:
            written.write(block)


def _read(connection: duckdb.DuckDBPyConnection, directory: Path, policies: int) -> None:
    targets = {f"t{i}": "DOUBLE" for i in range(policies)}
    shapes = {
        "decisions": {"moment": "DOUBLE", "id": "VARCHAR", "unit": "VARCHAR", "context": "VARCHAR", "action": "VARCHAR",
                      "p": "DOUBLE", **targets},
        "rewards": {"moment": "DOUBLE", "id": "VARCHAR", "unit": "VARCHAR", "value": "DOUBLE"},
    }  # fmt: skip
    for name, columns in shapes.items():
        file = str(directory / f"{name}.csv").replace("'", "''")
        described = ", ".join(f"'{column}': '{kind}'" for column, kind in columns.items())
        connection.execute(
            f"CREATE TABLE {name} AS SELECT * FROM read_csv('{file}', header=false, auto_detect=false, delim=',', "
            f"quote='\"', escape='\"', nullstr='', columns={{{described}}})"
        )


def _join(connection: duckdb.DuckDBPyConnection, asked: Logged) -> None:
    """Make ``joined``: one row a decision with its reward. Of a repeated decision the first counts."""
    connection.execute(
        "CREATE TABLE first AS SELECT *, rowid AS n FROM decisions WHERE id IS NULL "
        "OR rowid IN (SELECT arg_min(rowid, moment) FROM decisions WHERE id IS NOT NULL GROUP BY id)"
    )
    seconds = asked.window.total_seconds()
    if asked.design.reward_by is RewardBy.DECISION:
        matched = "SELECT d.n, x.value FROM first d JOIN rewards x ON x.id = d.id"
    else:
        matched = "SELECT d.n, x.value FROM rewards x ASOF JOIN first d ON x.unit = d.unit AND x.moment >= d.moment"
    earned = {
        MetricKind.PROPORTION: "1.0",
        MetricKind.COUNT: "count(*)::DOUBLE",
        MetricKind.SUM: "coalesce(sum(value), 0)",
    }[MetricKind(asked.counted.kind)]
    connection.execute(
        f"CREATE TABLE earned AS SELECT n, {earned} AS r "
        f"FROM ({matched} WHERE x.moment >= d.moment AND x.moment < d.moment + {seconds}) GROUP BY n"
    )
    connection.execute(
        "CREATE TABLE joined AS SELECT d.*, coalesce(e.r, 0) AS r FROM first d LEFT JOIN earned e ON e.n = d.n"
    )


def _columns(asked: Logged) -> dict[str, str]:
    # A decision without an id could never be rewarded by it: its probability is taken for missing, and it is counted.
    by_id = asked.design.reward_by is RewardBy.DECISION
    propensity = "CASE WHEN id IS NULL THEN NULL ELSE p END" if by_id else "p"
    named = {name: name for name in ("id", "unit", "context", "action", "r")}
    return {**named, "p": propensity, **{f"t{i}": f"t{i}" for i in range(len(asked.policies))}}
