"""Every unit's numbers as arrays: read in chunks of hash buckets, so that memory does not grow with the units."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from analysis.rollup import sql
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.stats.moments import Array
from experiments.domain.metrics import MetricKind
from experiments.models import Experiment, Metric

BUCKETS = 50
CHUNK_UNITS = 400_000
"""Units held in memory at once: 8 bytes for each of a unit's numbers, 100 MB at 30 of them."""

RATIOS = (MetricKind.RATIO, MetricKind.AVERAGE)
EPOCH = date(2000, 1, 1).toordinal()

UNITS = """
CREATE TEMP TABLE moment_unit ON COMMIT DROP AS
SELECT (row_number() OVER ())::int - 1 AS place, unit, variant_id, bucket,
       (first_at AT TIME ZONE 'UTC')::date - DATE '2000-01-01' AS day,
       CASE WHEN triggered_at IS NOT NULL THEN 1 WHEN reports_difference THEN 0 ELSE -1 END AS trigger
FROM {enrolment}
WHERE experiment_id = %(experiment)s AND NOT quarantined AND bucket >= %(low)s AND bucket < %(high)s
"""
# Rows leave the database as bytes of fixed width, thousands in one value: one by one, a million cost ten times more.
UNIT_ROWS = """
SELECT string_agg(
    int4send(place) || int8send(variant_id) || int4send(bucket::int) || int4send(day) || int4send(trigger), ''::bytea
)
FROM moment_unit GROUP BY place >> 13
"""
UNIT_FIELDS = np.dtype([("place", ">i4"), ("variant", ">i8"), ("bucket", ">i4"), ("day", ">i4"), ("trigger", ">i4")])
TOTAL_ROWS = """
SELECT string_agg(int4send(m.place) || int8send(u.metric_id) || float8send(u.numerator::float8)
                  || float8send(u.denominator::float8), ''::bytea)
FROM {unitday} u JOIN moment_unit m ON m.unit = u.unit WHERE u.experiment_id = %(experiment)s
GROUP BY m.place >> 13
"""
TOTAL_FIELDS = np.dtype([("place", ">i4"), ("metric", ">i8"), ("numerator", ">f8"), ("denominator", ">f8")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The tables to read."""

    enrolment: str = "analysis_enrolment"
    unitday: str = "analysis_unitday"


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


def columns(metrics: Sequence[Metric]) -> list[str]:
    """Return the names of a unit's numbers: each metric's numerator, and a ratio's denominator after it."""
    return [name for metric in metrics for name in _names(metric)]


def chunks(experiment: Experiment, metrics: Sequence[Metric], source: Source = STATE) -> Iterator[Units]:
    """Yield all units that count, some buckets at a time."""
    counted = f"SELECT count(*) FROM {source.enrolment} WHERE experiment_id = %(experiment)s"  # noqa: S608
    units = sql.number(counted, {"experiment": experiment.pk})
    parts = min(BUCKETS, max(1, math.ceil(units / CHUNK_UNITS)))
    edges = [round(BUCKETS * part / parts) for part in range(parts + 1)]
    for low, high in pairwise(edges):
        yield _chunk(experiment, metrics, source, low, high)


@transaction.atomic
def _chunk(experiment: Experiment, metrics: Sequence[Metric], source: Source, low: int, high: int) -> Units:
    sql.run("SET LOCAL work_mem = '64MB'")
    sql.run("DROP TABLE IF EXISTS moment_unit")
    sql.run(UNITS.format(enrolment=source.enrolment), {"experiment": experiment.pk, "low": low, "high": high})
    sql.run("ANALYZE moment_unit")
    packed = _packed(UNIT_ROWS, UNIT_FIELDS, {})
    units = packed[np.argsort(packed["place"].astype(np.int64))]
    sql.run(SCAN)
    totals = _packed(TOTAL_ROWS.format(unitday=source.unitday), TOTAL_FIELDS, {"experiment": experiment.pk})
    sql.run(NO_SCAN)
    sql.run("DROP TABLE moment_unit")
    return Units(
        variant=units["variant"].astype(np.int64),
        bucket=units["bucket"].astype(np.int64),
        day=units["day"].astype(np.int64) + EPOCH,
        trigger=units["trigger"].astype(np.int64),
        values=_values(len(units), totals, metrics),
    )


def _values(count: int, totals: NDArray[Any], metrics: Sequence[Metric]) -> Array:
    """Add up each unit's days; a unit without events is zeros, a proportion at most 1."""
    values = np.zeros((count, len(columns(metrics))))
    at = 0
    for metric in metrics:
        own = totals[totals["metric"] == metric.pk]
        places = own["place"].astype(np.int64)
        for field in ("numerator", "denominator")[: len(_names(metric))]:
            values[:, at] = np.bincount(places, weights=own[field].astype(np.float64), minlength=count)
            at += 1
        if metric.kind == MetricKind.PROPORTION:
            np.minimum(values[:, at - 1], 1.0, out=values[:, at - 1])
    return values


def _names(metric: Metric) -> list[str]:
    return [metric.key, f"{metric.key}/"] if MetricKind(metric.kind) in RATIOS else [metric.key]


def _packed(query: str, fields: np.dtype[np.void], parameters: dict[str, sql.Parameter]) -> NDArray[Any]:
    """Return the rows that a query packed into values of bytes."""
    return np.frombuffer(b"".join(bytes(value) for (value,) in sql.rows(query, parameters)), dtype=fields)
