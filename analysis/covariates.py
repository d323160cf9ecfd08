"""Moments of units together with what they did before their exposure: what adjusted results are made from.

Of many units the fold keeps sums that give them (crossing.py). Else it is one pass in the database, in floats that are
centred as they are summed (PostgreSQL's regression sums follow Youngs and Cramer 1971), so that no digits are lost
where a mean is far larger than its deviation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations
from typing import Any

import numpy as np
from django.db import transaction

from analysis import crossing
from analysis.counted import Counted
from analysis.crossing import MEAN, PAIR, Key
from analysis.rollup import sql
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.stats.moments import Moments, merge
from experiments.models import Experiment

# A unit counts once its window is over, at the end of ``until`` where the experiment was read for the last time then.
# Units that did nothing, before or after, are not joined: they are all alike and only counted ('all').
STATEMENT = """
WITH rule AS (
    SELECT * FROM unnest(%(metrics)s::bigint[], %(hours)s::int[], %(limits)s::float8[]) AS r(metric_id, hours, most)
), counted AS MATERIALIZED (
    SELECT r.metric_id, r.most, e.unit, e.variant_id
    FROM rule r CROSS JOIN analysis_enrolment e
    WHERE e.experiment_id = %(experiment)s AND NOT e.quarantined
      AND (r.hours = 0 OR e.first_at + make_interval(hours => r.hours) <= %(horizon)s::timestamptz)
      AND ((e.first_at + make_interval(hours => r.hours)) AT TIME ZONE 'UTC')::date <= %(until)s::date
), total AS (
    SELECT metric_id, unit, sum(numerator)::float8 AS y, sum(denominator)::float8 AS x FROM analysis_unitday
    WHERE experiment_id = %(experiment)s AND metric_id = ANY(%(metrics)s) AND day <= %(until)s::date
    GROUP BY metric_id, unit
), past AS (
    SELECT metric_id, unit, numerator::float8 AS y, denominator::float8 AS x FROM analysis_unitbefore
    WHERE experiment_id = %(experiment)s AND metric_id = ANY(%(metrics)s)
), did AS (
    SELECT metric_id, unit, coalesce(t.y, 0) AS y, coalesce(t.x, 0) AS x, coalesce(p.y, 0) AS past_y,
           coalesce(p.x, 0) AS past_x, (p.y IS NULL)::int::float8 AS is_new
    FROM total t FULL JOIN past p USING (metric_id, unit)
), one AS (
    SELECT c.metric_id, c.variant_id, least(c.most, d.y) AS y, d.x, least(c.most, d.past_y) AS past_y, d.past_x,
           d.is_new
    FROM did d JOIN counted c ON c.metric_id = d.metric_id AND c.unit = d.unit
)
SELECT 'did', metric_id, variant_id, count(*), {sums} FROM one GROUP BY metric_id, variant_id
UNION ALL
SELECT 'all', metric_id, variant_id, count(*), {nothing} FROM counted GROUP BY metric_id, variant_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When the units are read: how far events are folded, and the last day that counts."""

    horizon: datetime
    until: date


def collect(
    experiment: Experiment, metrics: Sequence[Counted], limits: Mapping[int, float | None], at: Moment
) -> dict[Key, Moments]:
    """Return (metric, variant) -> the moments of (value, covariates) for the adjusted metrics; others are left out.

    Those whose sums the fold keeps come from these, the others from all units.
    """
    adjusted = [one for one in metrics if one.adjusted]
    found = crossing.collect(experiment, adjusted, limits, at.horizon) if at.until == date.max else {}
    kept = {metric for metric, _ in found}
    chosen = [one for one in adjusted if one.metric not in kept]
    for numbers in (MEAN, PAIR):
        own = [one for one in chosen if one.definition.is_ratio == (numbers is PAIR)]
        if own:
            found |= _collected(experiment, own, numbers, limits, at)
    return found


def _collected(
    experiment: Experiment,
    metrics: Sequence[Counted],
    numbers: tuple[str, ...],
    limits: Mapping[int, float | None],
    at: Moment,
) -> dict[Key, Moments]:
    parameters: dict[str, sql.Parameter] = {
        "experiment": experiment.pk,
        "metrics": [one.metric for one in metrics],
        "hours": [one.matures for one in metrics],
        "limits": [limits.get(one.metric, one.limit) for one in metrics],
        "horizon": at.horizon.isoformat(),
        "until": at.until.isoformat(),
    }
    active: dict[Key, Moments] = {}
    count: dict[Key, int] = {}
    for what, metric, variant, n, *sums in _rows(_statement(numbers), parameters):
        if what == "all":
            count[metric, variant] = n
        else:
            active[metric, variant] = _moments(n, len(numbers), sums)
    # A unit that did nothing before and nothing after is a new one with zeros.
    idle = np.array([0.0] * (len(numbers) - 1) + [1.0])
    nothing = np.zeros((len(numbers), len(numbers)))
    whole: dict[Key, Moments] = {}
    for key, n in count.items():
        did = active.get(key, Moments(n=0, mean=idle * 0, comoment=nothing))
        whole[key] = merge(did, Moments(n=n - did.n, mean=idle, comoment=nothing))
    return whole


def _statement(numbers: tuple[str, ...]) -> str:
    """Return the statement with a mean for each number and, for each pair, its centred sums."""
    sums = [f"avg({name})" for name in numbers]
    for a, b in combinations(numbers, 2):
        sums += [f"regr_syy({a}, {b})", f"regr_sxx({a}, {b})", f"regr_sxy({a}, {b})"]
    return STATEMENT.format(sums=", ".join(sums), nothing=", ".join("0" for _ in sums))


def _moments(n: int, k: int, sums: list[float]) -> Moments:
    comoment = np.zeros((k, k))
    rest = iter(sums[k:])
    for i, j in combinations(range(k), 2):
        comoment[i, i], comoment[j, j] = next(rest), next(rest)
        comoment[i, j] = comoment[j, i] = next(rest)
    return Moments(n=n, mean=np.array(sums[:k], dtype=np.float64), comoment=comoment)


@transaction.atomic
def _rows(statement: str, parameters: dict[str, sql.Parameter]) -> list[tuple[Any, ...]]:
    sql.run("SET LOCAL work_mem = '64MB'")
    sql.run(SCAN)
    found = sql.rows(statement, parameters)
    sql.run(NO_SCAN)
    return found
