"""Every unit's numbers as arrays: read in chunks of hash buckets, so that memory does not grow with the units."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from analysis.counted import Counted
from analysis.rollup import sql
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.stats.moments import Array
from experiments.models import Experiment

BUCKETS = 50
CHUNK_UNITS = 400_000
"""Units held in memory at once: 8 bytes for each of a unit's numbers, 100 MB at 30 of them."""

EPOCH = date(2000, 1, 1).toordinal()

UNITS = """
CREATE TEMP TABLE moment_unit ON COMMIT DROP AS
SELECT (row_number() OVER ())::int - 1 AS place, unit, variant_id, bucket,
       (first_at AT TIME ZONE 'UTC')::date - DATE '2000-01-01' AS day, extract(epoch FROM first_at)::float8 AS since,
       CASE WHEN triggered_at IS NOT NULL THEN 1 WHEN reports_difference THEN 0 ELSE -1 END AS trigger
FROM {enrolment}
WHERE experiment_id = %(experiment)s AND NOT quarantined AND bucket >= %(low)s AND bucket < %(high)s
"""
# Rows leave the database as bytes of fixed width, thousands in one value: one by one, a million cost ten times more.
UNIT_ROWS = """
SELECT string_agg(
    int4send(place) || int8send(variant_id) || int4send(bucket::int) || int4send(day) || int4send(trigger)
    || float8send(since), ''::bytea
)
FROM moment_unit GROUP BY place >> 13
"""
UNIT_FIELDS = np.dtype([("place", ">i4"), ("variant", ">i8"), ("bucket", ">i4"), ("day", ">i4"), ("trigger", ">i4"),
                        ("since", ">f8")])  # fmt: skip
TOTAL_ROWS = """
SELECT string_agg(int4send(m.place) || int8send(u.metric_id) || float8send(u.numerator::float8)
                  || float8send(u.denominator::float8), ''::bytea)
FROM {totals} u JOIN moment_unit m ON m.unit = u.unit WHERE u.experiment_id = %(experiment)s
GROUP BY m.place >> 13
"""
TOTAL_FIELDS = np.dtype([("place", ">i4"), ("metric", ">i8"), ("numerator", ">f8"), ("denominator", ">f8")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The tables to read."""

    enrolment: str = "analysis_enrolment"
    unitday: str = "analysis_unitday"
    unitbefore: str = "analysis_unitbefore"


STATE = Source()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """Some units, one a row. ``trigger``: 1 outputs differ, 0 they do not, -1 the app has not said.

    ``values`` has shape (n, columns); ``day`` is the exposure day as in ``date.toordinal``.
    """

    variant: NDArray[np.int64]
    bucket: NDArray[np.int64]
    day: NDArray[np.int64]
    trigger: NDArray[np.int64]
    values: Array


def columns(metrics: Sequence[Counted]) -> list[str]:
    """Return the names of a unit's numbers.

    Of each metric that is one of units: the key for its numerator, the key and "/" for its denominator; of one that
    waits for a window the denominator is whether the unit counts. Behind them, of adjusted ones, what the unit did
    before its exposure: "<y/", for a ratio "<x/", and "<new/" for a unit that did nothing.
    """
    return [name for one in metrics for name in (*_names(one), *_before(one))]


def chunks(
    experiment: Experiment, metrics: Sequence[Counted], horizon: datetime, source: Source = STATE
) -> Iterator[Units]:
    """Yield all units that count, some buckets at a time, as they stood at ``horizon``."""
    counted = f"SELECT count(*) FROM {source.enrolment} WHERE experiment_id = %(experiment)s"  # noqa: S608
    units = sql.number(counted, {"experiment": experiment.pk})
    parts = min(BUCKETS, max(1, math.ceil(units / CHUNK_UNITS)))
    edges = [round(BUCKETS * part / parts) for part in range(parts + 1)]
    for low, high in pairwise(edges):
        yield _chunk(experiment, _Asked(metrics=metrics, horizon=horizon, source=source), low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    metrics: Sequence[Counted]
    horizon: datetime
    source: Source


@transaction.atomic
def _chunk(experiment: Experiment, asked: _Asked, low: int, high: int) -> Units:
    sql.run("SET LOCAL work_mem = '64MB'")
    sql.run("DROP TABLE IF EXISTS moment_unit")
    source = asked.source
    sql.run(UNITS.format(enrolment=source.enrolment), {"experiment": experiment.pk, "low": low, "high": high})
    sql.run("ANALYZE moment_unit")
    packed = _packed(UNIT_ROWS, UNIT_FIELDS, {})
    units = packed[np.argsort(packed["place"].astype(np.int64))]
    sql.run(SCAN)
    totals = _packed(TOTAL_ROWS.format(totals=source.unitday), TOTAL_FIELDS, {"experiment": experiment.pk})
    before = None
    if any(one.adjusted for one in asked.metrics):
        before = _packed(TOTAL_ROWS.format(totals=source.unitbefore), TOTAL_FIELDS, {"experiment": experiment.pk})
    sql.run(NO_SCAN)
    sql.run("DROP TABLE moment_unit")
    return Units(
        variant=units["variant"].astype(np.int64),
        bucket=units["bucket"].astype(np.int64),
        day=units["day"].astype(np.int64) + EPOCH,
        trigger=units["trigger"].astype(np.int64),
        values=_values(asked, asked.horizon.timestamp() - units["since"].astype(np.float64), totals, before),
    )


def _values(asked: _Asked, ages: Array, totals: NDArray[Any], before: NDArray[Any] | None) -> Array:
    """Return one row a unit; a unit without events is zeros, and so is one whose window is not over."""
    found: list[Array] = []
    for one in asked.metrics:
        if not _names(one):
            continue
        old = ages >= 3600.0 * one.matures
        numbers = _sums(one, totals, len(ages))
        if one.matures and not one.definition.is_ratio:
            numbers.append(np.ones(len(ages)))
        found += [np.where(old, numbers_of, 0.0) for numbers_of in numbers]
        if one.adjusted and before is not None:
            found += [np.where(old, past, 0.0) for past in _covariates(one, before, len(ages))]
    return np.column_stack(found) if found else np.zeros((len(ages), 0))


def _sums(one: Counted, totals: NDArray[Any], count: int) -> list[Array]:
    """Add up each unit's days; a total is at most its limit."""
    own = totals[totals["metric"] == one.metric]
    places = own["place"].astype(np.int64)
    fields = ("numerator", "denominator") if one.definition.is_ratio else ("numerator",)
    numbers: list[Array] = [
        np.bincount(places, weights=own[field].astype(np.float64), minlength=count).astype(np.float64)
        for field in fields
    ]
    if one.limit is not None:
        numbers[0] = np.minimum(numbers[0], one.limit)
    return numbers


def _covariates(one: Counted, before: NDArray[Any], count: int) -> list[Array]:
    own = before[before["metric"] == one.metric]
    new = np.ones(count)
    new[own["place"].astype(np.int64)] = 0.0
    return [*_sums(one, before, count), new]


def _names(one: Counted) -> list[str]:
    if one.is_quantile:
        return []
    return [one.key, f"{one.key}/"] if one.definition.is_ratio or one.matures else [one.key]


def _before(one: Counted) -> list[str]:
    if not one.adjusted or one.is_quantile:
        return []
    return [f"{one.key}<{part}/" for part in (("y", "x", "new") if one.definition.is_ratio else ("y", "new"))]


def _packed(query: str, fields: np.dtype[np.void], parameters: dict[str, sql.Parameter]) -> NDArray[Any]:
    """Return the rows that a query packed into values of bytes."""
    return np.frombuffer(b"".join(bytes(value) for (value,) in sql.rows(query, parameters)), dtype=fields)
