"""The SQL of an experiment's sums over units: read where the fold keeps them, added up from all units where not.

A metric with a window (``hours``) counts a unit from the day on which its window is over, and with it all that it did
in it. ``slot`` is the metric, or minus the metric where the same is added up without its cap; 0 is units alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from analysis.rollup import sql, sums
from analysis.rollup.sums import POWERS
from analysis.rollup.totals import NO_SCAN, SCAN
from experiments.models import Experiment

_RULE = """
SELECT * FROM unnest(%(slots)s::bigint[], %(metrics)s::bigint[], %(divided)s::boolean[], %(hours)s::int[],
                     %(limits)s::numeric[]) AS r(slot, metric_id, divided, hours, most)
"""
KEPT = f"""
SELECT r.slot FROM ({_RULE}) r
JOIN analysis_sumrule k ON k.slot = r.slot AND k.metric_id = r.metric_id AND k.divided = r.divided
 AND k.hours = r.hours AND k.most IS NOT DISTINCT FROM r.most
WHERE k.experiment_id = %(experiment)s
"""  # noqa: S608  (own words)

# A unit's total c grows day by day; what a day adds to the sum of squares is c² − (c before)². So the sums up to any
# day are running sums of what the days add, and no unit is squared before its total is formed. All of it is
# ``numeric``: exact. ``scanned``: the slots that are not kept.
_RULES = f"WITH rule AS MATERIALIZED ({_RULE})"
_COUNTED = """
, scanned AS MATERIALIZED (
    SELECT * FROM rule WHERE slot <> ALL(%(kept)s::bigint[])
), counted AS MATERIALIZED (
    SELECT unit, variant_id, first_at FROM analysis_enrolment WHERE experiment_id = %(experiment)s AND NOT quarantined
), total AS (
    SELECT e.variant_id, r.slot, r.divided, r.most, u.missing, u.numerator, u.denominator,
           CASE WHEN r.hours = 0 THEN u.day ELSE
               greatest(u.day, ((e.first_at + make_interval(hours => r.hours)) AT TIME ZONE 'UTC')::date) END AS day,
           sum(u.numerator) OVER w AS y, sum(u.denominator) OVER w AS x
    FROM analysis_unitday u
    JOIN counted e ON e.unit = u.unit
    JOIN scanned r ON r.metric_id = u.metric_id
    WHERE u.experiment_id = %(experiment)s
      AND (r.hours = 0 OR e.first_at + make_interval(hours => r.hours) <= %(horizon)s::timestamptz)
    WINDOW w AS (PARTITION BY r.slot, u.unit ORDER BY u.day ROWS UNBOUNDED PRECEDING)
), step AS (
    SELECT variant_id, slot, day, missing, divided, x, x - denominator AS x0,
           least(most, y) AS y, least(most, y - numerator) AS y0
    FROM total
)
"""
_SCANNED = f"""
SELECT slot, variant_id, day, 0, count(*), sum(missing), {POWERS} FROM step GROUP BY slot, variant_id, day
"""  # noqa: S608  (own words)
_MATURED = """
SELECT r.slot, e.variant_id, ((e.first_at + make_interval(hours => r.hours)) AT TIME ZONE 'UTC')::date,
       count(*), 0, 0, 0, 0, 0, 0, 0, 0
FROM scanned r JOIN counted e ON e.first_at + make_interval(hours => r.hours) <= %(horizon)s::timestamptz
WHERE r.hours > 0
GROUP BY 1, 2, 3
"""
_UNITS = """
SELECT 0, CASE WHEN quarantined THEN 0 ELSE variant_id END, (first_at AT TIME ZONE 'UTC')::date, count(*), 0, 0,
       0, 0, 0, 0, 0, 0
FROM analysis_enrolment WHERE experiment_id = %(experiment)s
GROUP BY 2, 3
"""

# Of the day of the horizon some units count by now and others do not: they are looked at one by one.
_EDGE = """
, edge AS MATERIALIZED (
    SELECT r.slot, r.metric_id, r.divided, r.most, e.unit, e.variant_id,
           (%(horizon)s::timestamptz AT TIME ZONE 'UTC')::date AS entered
    FROM rule r
    JOIN analysis_enrolment e ON e.experiment_id = %(experiment)s AND NOT e.quarantined
     AND e.first_at + make_interval(hours => r.hours) >= date_trunc('day', %(horizon)s::timestamptz, 'UTC')
     AND e.first_at + make_interval(hours => r.hours) <= %(horizon)s::timestamptz
    WHERE r.hours > 0 AND r.slot = ANY(%(kept)s::bigint[])
), edge_step AS (
    SELECT e.slot, e.variant_id, e.divided, greatest(u.day, e.entered) AS day, u.missing, u.x,
           u.x - u.denominator AS x0, least(e.most, u.y) AS y, least(e.most, u.y - u.numerator) AS y0
    FROM edge e
    CROSS JOIN LATERAL (
        SELECT d.*, sum(d.numerator) OVER w AS y, sum(d.denominator) OVER w AS x FROM analysis_unitday d
        WHERE d.experiment_id = %(experiment)s AND d.metric_id = e.metric_id AND d.unit = e.unit
        WINDOW w AS (ORDER BY d.day ROWS UNBOUNDED PRECEDING) OFFSET 0
    ) u
)
"""
_EDGES = f"""
SELECT slot, variant_id, day, 0, count(*), sum(missing), {POWERS} FROM edge_step GROUP BY slot, variant_id, day
UNION ALL
SELECT slot, variant_id, entered, count(*), 0, 0, 0, 0, 0, 0, 0, 0 FROM edge GROUP BY slot, variant_id, entered
"""  # noqa: S608  (own words)

# Units whose window is over on a day before that of the horizon all count. The last row says how many of the rules
# that were found kept are so still, in the very moment of these sums.
_READ = f"""
SELECT d.slot, d.variant_id, d.day, sum(d.units), sum(d.unit_days), sum(d.missing), sum(d.y), sum(d.yy), sum(d.yyy),
       sum(d.x), sum(d.xx), sum(d.xy)
FROM analysis_daysum d
WHERE d.experiment_id = %(experiment)s AND d.slot = ANY(%(kept)s::bigint[])
  AND d.entered < (%(horizon)s::timestamptz AT TIME ZONE 'UTC')::date
GROUP BY d.slot, d.variant_id, d.day
UNION ALL
SELECT NULL, 0, NULL, count(*), 0, 0, 0, 0, 0, 0, 0, 0 FROM ({KEPT}) k WHERE k.slot = ANY(%(kept)s::bigint[])
"""  # noqa: S608  (own words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one slot is added up. ``keeps``: the fold may keep its sums, for ``most`` does not move."""

    slot: int
    metric: int
    divided: bool = False
    hours: int = 0
    most: float | None = None
    keeps: bool = True


HEADS = Rule(slot=0, metric=0)


def rows(experiment: Experiment, rules: Sequence[Rule], horizon: datetime, *, scan: bool) -> list[tuple[Any, ...]]:
    """Return (slot, variant, day, units, unit-days, missing, y, y², y³, x, x², xy), some keys in several parts.

    Units in quarantine are of variant 0. ``scan`` adds up everything from all units.
    """
    of = {"experiment": experiment.pk, "horizon": horizon.isoformat(), **arrays([HEADS, *rules])}
    kept = [] if scan else [slot for (slot,) in sql.rows(KEPT, of)]
    found = _rows(rules, {**of, "kept": kept}, kept)
    still = next((row[3] for row in found if row[0] is None), 0)
    if still != len(kept):  # a fold began to rebuild the experiment between the two
        return rows(experiment, rules, horizon, scan=True)
    return [row for row in found if row[0] is not None]


def keep(experiment: Experiment, rules: Sequence[Rule]) -> bool:
    """Have the fold keep from now on what it may keep of these rules; say whether it does.

    What it keeps already stays; only what is new is added up from all units.
    """
    wanted = [HEADS, *(rule for rule in rules if rule.keeps)]
    there = [slot for (slot,) in sql.rows(KEPT, {"experiment": experiment.pk, **arrays(wanted)})]
    new = [rule for rule in wanted if rule.slot not in there]
    return not new or sums.keep(experiment, arrays(new), there)


def arrays(rules: Sequence[Rule]) -> dict[str, sql.Parameter]:
    """Return the rules as the statements take them."""
    return {
        "slots": [rule.slot for rule in rules],
        "metrics": [rule.metric for rule in rules],
        "divided": [rule.divided for rule in rules],
        "hours": [rule.hours for rule in rules],
        "limits": [rule.most for rule in rules],
    }


@transaction.atomic
def _rows(rules: Sequence[Rule], parameters: dict[str, sql.Parameter], kept: Sequence[int]) -> list[tuple[Any, ...]]:
    with_, selects = [_RULES], []
    if kept:
        selects.append(_READ)
    if any(rule.hours and rule.slot in kept for rule in rules):
        with_.append(_EDGE)
        selects.append(_EDGES)
    if not all(rule.slot in kept for rule in rules):
        with_.append(_COUNTED)
        selects.append(_SCANNED)
    if any(rule.hours and rule.slot not in kept for rule in rules):
        selects.append(_MATURED)
    if 0 not in kept:
        selects.append(_UNITS)
    # Enough to sort a million totals in memory: a third faster than with PostgreSQL's 4 MB.
    sql.run("SET LOCAL work_mem = '64MB'")
    # Just after a large fold the tables' statistics do not know the experiment: expecting one row, PostgreSQL would
    # look every unit up for every other (30 s instead of 0.3 s at 8,000 units).
    sql.run(SCAN)
    found = sql.rows("".join(with_) + " UNION ALL ".join(selects), parameters)
    sql.run(NO_SCAN)
    return found
