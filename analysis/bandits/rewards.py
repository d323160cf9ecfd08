"""What each batch's units earned in their time, added up by the database that holds the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection

from analysis.models import BanditBatch
from analysis.rollup.units import unit_of
from analysis.stats.batched_bandits import Batch
from experiments.domain.designs.bandit import BanditDesign
from experiments.domain.metrics import MetricKind
from experiments.domain.shares import WHOLE
from experiments.models import Experiment
from experiments.models.metric import Defined

CLOCKS = timedelta(days=7)
"""The log is cut by the client's own time: how far that may be from the corrected one before an event is missed."""
LONGEST_SETTLING = timedelta(minutes=10)
SETTLING_SHARE = 0.05

_EARNED = """
WITH batch AS (
    SELECT * FROM unnest(%(numbers)s::int[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[])
        AS b(number, first, last)
), dealt AS MATERIALIZED (
    SELECT e.unit, e.variant_id, e.first_at, b.number
    FROM analysis_enrolment e JOIN batch b ON e.first_at >= b.first AND e.first_at < b.last
    WHERE e.experiment_id = %(experiment)s AND NOT e.quarantined AND e.first_at < %(ripe)s
), reward AS MATERIALIZED (
    SELECT {unit} AS unit, l.at, {value} AS value
    FROM events_log l
    WHERE l.project_id = %(project)s AND l.name = %(event)s AND l.environment = 0
      AND l.ts >= %(since)s AND l.ts < %(until)s AND {unit} IS NOT NULL
), earned AS (
    SELECT d.number, d.variant_id, {earned} AS v
    FROM dealt d LEFT JOIN reward r ON r.unit = d.unit AND r.at >= d.first_at AND r.at < d.first_at + %(window)s
    GROUP BY d.number, d.variant_id, d.unit
)
SELECT number, variant_id, count(*), sum(v)::float8, sum(v::float8 * v::float8) FROM earned GROUP BY number, variant_id
"""
EARNED = {
    MetricKind.PROPORTION: "(count(r.unit) > 0)::int",
    MetricKind.COUNT: "count(r.unit)",
    MetricKind.SUM: "coalesce(sum(r.value), 0)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A batch's time: units first seen in [first, last) were dealt by its shares."""

    number: int
    first: datetime
    last: datetime
    shares: tuple[int, ...]


def stretches(rows: Sequence[BanditBatch], design: BanditDesign, until: datetime) -> list[Stretch]:
    """Return the batches with their times.

    Clients that keep the definition for some minutes deal by the old shares for as long; units of the first minutes
    after a change are left out, whatever they did.
    """
    settling = min(LONGEST_SETTLING, SETTLING_SHARE * timedelta(hours=design.batch_hours))
    found = []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        first = row.began_at + (settling if row.number else timedelta(0))
        last = following.began_at if following is not None else until
        found.append(Stretch(number=row.number, first=first, last=max(first, last), shares=tuple(row.shares)))
    return found


def batches(
    experiment: Experiment, counted: Defined, design: BanditDesign, found: Sequence[Stretch], as_of: datetime
) -> list[Batch]:
    """Return each batch's sums over units whose time for a reward is over, arms in the order of the variants."""
    if not found:
        return []
    places = {pk: place for place, pk in enumerate(experiment.variants.values_list("pk", flat=True))}
    sums = np.zeros((len(found), len(places), 3))
    at = {stretch.number: index for index, stretch in enumerate(found)}
    for number, variant, count, total, squares in _rows(experiment, counted, design, found, as_of):
        sums[at[number], places[variant]] = (count, total, squares)
    return [
        Batch(
            shares=np.array(stretch.shares) / WHOLE,
            units=sums[index, :, 0],
            totals=sums[index, :, 1],
            squares=sums[index, :, 2],
        )
        for index, stretch in enumerate(found)
    ]


def _rows(
    experiment: Experiment, counted: Defined, design: BanditDesign, found: Sequence[Stretch], as_of: datetime
) -> list[tuple[int, int, int, float, float]]:
    window = timedelta(hours=design.window_hours)
    given: dict[str, Any] = {
        "numbers": [one.number for one in found],
        "firsts": [one.first for one in found],
        "lasts": [one.last for one in found],
        "experiment": experiment.pk,
        "project": experiment.project_id,
        "event": counted.event,
        "property": counted.property,
        "ripe": as_of - window,
        "since": found[0].first - CLOCKS,
        "until": as_of + CLOCKS,
        "window": window,
    }
    kind = MetricKind(counted.kind)
    value = "analysis_number(l.props -> %(property)s)" if kind is MetricKind.SUM else "NULL::numeric"
    statement = _EARNED.format(unit=unit_of(experiment.unit_type), value=value, earned=EARNED[kind])
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return list(cursor.fetchall())
