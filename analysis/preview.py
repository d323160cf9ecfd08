"""A metric's definition tried on what is in the log already: how its numbers would be spread.

Everybody who sent anything in the last days stands for a unit, as if exposed at its first event of them. The fold's own
statements count, on tables that are gone afterwards, so that a preview cannot count in another way than an experiment.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from django.db import OperationalError, transaction

from analysis.rollup import identities, sql
from analysis.rollup.check import FRESH, MAKE
from analysis.rollup.fold import Adding, scratch
from analysis.rollup.terms import FILL_ONE_TERM
from analysis.rollup.units import Basis
from analysis.rollup.watermark import Bounds, settled_xid
from analysis.stats.estimates import ratio
from analysis.stats.moments import Array, Moments
from analysis.stats.unavailable import NotComputable
from experiments.domain.definitions import Definition
from experiments.domain.metrics import MetricKind
from experiments.domain.units import UnitType
from experiments.models import Project
from experiments.models.metric import columns_of

MOST_UNITS = 20_000
"""Units looked at: enough for a shape and an average within a percent or so of most metrics."""
PATIENCE = "4s"
DAYS = (14, 3, 1)
"""How far back is read; less where the log is too long to be read while somebody waits."""
BINS = 24
Z = 2.8
"""Standard errors of a change that is seen with 80 % chance at 5 % risk (1.96 + 0.84)."""

PRETEND = """
INSERT INTO fold_experiment
VALUES (0, %(project)s, '', %(unit_type)s, '', %(start)s, NULL, '', true, '0', %(start)s)
"""
FILL_UNITS = """
INSERT INTO fold_unit
SELECT 0, u.unit, 0, min(l.at), false, NULL::timestamptz, false, false, true
FROM events_log l
CROSS JOIN LATERAL (SELECT {unit} AS unit) u
WHERE l.project_id = %(project)s AND l.environment = 0 AND l.at >= %(start)s::timestamptz
  AND l.ts >= %(start)s::timestamptz - interval '1 day' AND char_length(u.unit) BETWEEN 1 AND 255
GROUP BY u.unit
ORDER BY md5(u.unit) LIMIT {most}
"""
TOTALS = """
SELECT coalesce(sum(d.numerator), 0)::float8, coalesce(sum(d.denominator), 0)::float8, coalesce(sum(d.missing), 0)
FROM fold_unit u LEFT JOIN {unitday} d ON d.unit = u.unit
WHERE u.first_at + make_interval(hours => %(hours)s) <= now()
GROUP BY u.unit
"""
VALUES = "SELECT value::float8, sum(events) FROM {unitvalue} GROUP BY value ORDER BY value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """How many units have a number from ``low`` up to below ``high`` (the last one includes it)."""

    low: float
    high: float
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the definition gives. Of a ratio the numbers are each unit's own ratio, of a quantile all events' values.

    Attributes:
        days, units: how far back was read, and how many units count.
        value: the metric's value over all of them.
        zeros: share of units whose number is 0.
        deviation: standard deviation of a unit's number; None where units have no number of their own.
        top: the largest numbers.
        bins: the histogram of what is not 0.
        capped: units above the cap, and the value without it.
        change: the smallest relative change that twice as many days as these could hardly miss; None where not known.
        missing: events whose property was no number.
    """

    days: int
    units: int
    value: float | None
    zeros: float
    deviation: float | None
    top: list[float]
    bins: list[Bin]
    cap: float | None
    capped: int
    uncapped: float | None
    change: float | None
    missing: int


def preview(project: Project, definition: Definition, unit_type: UnitType, now: datetime) -> Preview | NotComputable:
    """Try a definition on the events of the last days; changes nothing."""
    for days in DAYS:
        found = _tried(project, definition, unit_type, now, days)
        if found is not None:
            return found
    return NotComputable("there are too many events to read while you wait")


def _tried(
    project: Project, definition: Definition, unit_type: UnitType, now: datetime, days: int
) -> Preview | NotComputable | None:
    """Return what the last days give, or None where that takes too long."""
    start = (now - timedelta(days=days)).isoformat()
    try:
        with _given_back():
            sql.run(f"SET LOCAL statement_timeout = '{PATIENCE}'")
            _count(project, definition, unit_type, start)
            rows = sql.rows(TOTALS.format(unitday=FRESH.unitday), {"hours": definition.matures_hours})
            values = sql.rows(VALUES.format(unitvalue=FRESH.unitvalue))
    except OperationalError as error:
        if "statement timeout" in str(error):
            return None
        raise
    if not rows:
        return NotComputable(f"no {unit_type.value} sent anything in the last {days} days that could count by now")
    table = np.array([row[:2] for row in rows], dtype=np.float64)
    missing = int(sum(row[2] for row in rows))
    if definition.kind is MetricKind.QUANTILE:
        return _of_events(np.array(values, dtype=np.float64).reshape(-1, 2), definition, days, len(rows), missing)
    return _of_units(table, definition, days, missing)


@contextmanager
def _given_back() -> Iterator[None]:
    """Roll back whatever was written, also where nothing went wrong."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _count(project: Project, definition: Definition, unit_type: UnitType, start: str) -> None:
    parameters: dict[str, sql.Parameter] = {"project": project.pk, "unit_type": unit_type.value, "start": start}
    scratch()
    sql.run(MAKE)
    sql.run(PRETEND, parameters)
    sql.run(FILL_ONE_TERM, _as_parameters(definition))
    unit = Basis(unit_type=unit_type).in_log(identities.linked_projects())
    sql.run(FILL_UNITS.format(unit=unit, most=MOST_UNITS), parameters)
    sql.run("ANALYZE fold_unit")
    top = settled_xid()
    only = f"AND l.ts >= '{start}'::timestamptz - interval '1 day'"
    adding = Adding(bounds=Bounds(lo=0, hi=top), tables=FRESH, only=only)
    adding.moved_units()
    adding.count_days()


def _as_parameters(definition: Definition) -> dict[str, sql.Parameter]:
    columns = columns_of(replace(definition, covariate_days=0))
    return {name: json.dumps(value) if isinstance(value, list) else value for name, value in columns.items()}


def _of_units(table: Array, definition: Definition, days: int, missing: int) -> Preview:
    n = len(table)
    if definition.is_ratio:
        with np.errstate(invalid="ignore", divide="ignore"):
            own = np.where(table[:, 1] > 0, table[:, 0] / table[:, 1], np.nan)
        found = ratio(Moments.from_values(table)) if n > 1 else NotComputable("one unit alone")
        known = None if isinstance(found, NotComputable) else found
        value, error = (known.value, math.sqrt(known.variance)) if known else (None, None)
        shown, deviation, cap = own[~np.isnan(own)], None, None
    else:
        cap = _cap(table[:, 0], definition)
        shown = np.minimum(table[:, 0], 1.0) if definition.is_bounded else table[:, 0]
        counted = shown if cap is None else np.minimum(shown, cap)
        value, deviation = float(counted.mean()), float(counted.std(ddof=1)) if n > 1 else None
        error = None if deviation is None else deviation / math.sqrt(n)
    return Preview(
        days=days,
        units=n,
        value=value,
        zeros=float((shown == 0).mean()) if len(shown) else 0.0,
        deviation=deviation,
        top=sorted((float(one) for one in shown), reverse=True)[:5],
        bins=_bins(shown[shown != 0], np.ones(int((shown != 0).sum()))),
        cap=cap,
        capped=0 if cap is None else int((shown > cap).sum()),
        uncapped=None if cap is None else float(shown.mean()),
        change=_change(value, error),
        missing=missing,
    )


def _of_events(values: Array, definition: Definition, days: int, units: int, missing: int) -> Preview | NotComputable:
    if not len(values):
        return NotComputable(f"no event of the last {days} days carries a number there")
    reached = values[:, 1].cumsum()
    rank = math.ceil(reached[-1] * (definition.level or 5000) / 10_000)
    return Preview(
        days=days,
        units=units,
        value=float(values[int(np.searchsorted(reached, rank)), 0]),
        zeros=float(values[values[:, 0] == 0, 1].sum() / reached[-1]),
        deviation=None,
        top=[float(one) for one in values[::-1, 0][:5]],
        bins=_bins(values[:, 0], values[:, 1]),
        cap=None,
        capped=0,
        uncapped=None,
        change=None,
        missing=missing,
    )


def _cap(totals: Array, definition: Definition) -> float | None:
    if definition.cap_value is not None:
        return float(definition.cap_value)
    if definition.cap_share is None:
        return None
    found = float(np.sort(totals)[math.ceil(len(totals) * definition.cap_share / 10_000) - 1])
    return found if found > 0 else None


def _change(value: float | None, error: float | None) -> float | None:
    """Return the change that two halves of these units could show: each has √2 the error, their difference twice it."""
    if not value or error is None or value <= 0:
        return None
    return Z * 2 * error / value


def _bins(values: Array, weights: Array) -> list[Bin]:
    """Return a histogram; what lies beyond the 99th percentile is in the last bin, or it would be one bar and dust."""
    if not len(values):
        return []
    order = np.argsort(values)
    reached = weights[order].cumsum()
    top = float(values[order][int(np.searchsorted(reached, 0.99 * reached[-1]))])
    low = float(min(values.min(), 0.0))
    distinct = np.unique(values)
    if len(distinct) <= BINS and np.all(distinct == np.round(distinct)):
        return [Bin(low=float(one), high=float(one), units=int(weights[values == one].sum())) for one in distinct]
    edges = np.linspace(low, top if top > low else low + 1, BINS + 1)
    counts, _ = np.histogram(np.clip(values, low, edges[-1]), bins=edges, weights=weights)
    return [Bin(low=float(a), high=float(b), units=int(n)) for a, b, n in zip(edges, edges[1:], counts, strict=False)]
