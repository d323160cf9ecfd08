"""The SQL that keeps sums over units by day up to date, so that a result reads those few rows and not every unit.

What a unit adds to a day's sums follows from its rows of ``UnitDay`` and from its enrolment (analysis/summing.py). So a
chunk takes out what the units that it changes have added so far, and adds what they add from now on, all of it
``numeric`` and so exact; in the fold's own transaction and under its lock. Most rows of a chunk belong to a unit's
newest day: of these the difference follows from the unit's total alone. Units that are dealt with otherwise (an older
day, several days at once, another exposure, distinct values, funnels) are taken out and added as a whole.

Kept is what has a rule; a refresh asks for rules (``keep``), and a fold that rebuilds an experiment forgets them.
"""

from collections.abc import Mapping, Sequence

from django.db import transaction

from analysis.rollup import sql, watermark
from analysis.rollup.totals import NO_SCAN, SCAN, WRITE, Added
from analysis.rollup.units import TAKES_LINKS
from experiments.models import Experiment

SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS fold_delta (
    experiment_id bigint NOT NULL, metric_id bigint NOT NULL, unit text NOT NULL, day date NOT NULL,
    numerator numeric NOT NULL, denominator numeric NOT NULL, missing bigint NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_whole (
    experiment_id bigint NOT NULL, unit text NOT NULL, metric_id bigint, variant_id bigint NOT NULL,
    first_at timestamptz NOT NULL, quarantined boolean NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_sum (
    experiment_id bigint NOT NULL, slot bigint NOT NULL, variant_id bigint NOT NULL, entered date NOT NULL,
    day date NOT NULL, units numeric NOT NULL, unit_days numeric NOT NULL, missing numeric NOT NULL, y numeric NOT NULL,
    yy numeric NOT NULL, yyy numeric NOT NULL, x numeric NOT NULL, xx numeric NOT NULL, xy numeric NOT NULL
) ON COMMIT DELETE ROWS;
"""

FORGET_STALE = [
    f"DELETE FROM {table} t USING fold_experiment x WHERE x.stale AND t.experiment_id = x.experiment_id"  # noqa: S608
    for table in ("analysis_daysum", "analysis_sumrule")
]
KEEPS = """
SELECT EXISTS (SELECT FROM analysis_sumrule r JOIN fold_experiment x ON x.experiment_id = r.experiment_id)::int
"""
_COLUMNS = "experiment_id, slot, variant_id, entered, day, units, unit_days, missing, y, yy, yyy, x, xx, xy"
ENTERED = """
CASE WHEN r.hours = 0 THEN DATE '0001-01-01' ELSE
    ((e.first_at + make_interval(hours => r.hours)) AT TIME ZONE 'UTC')::date END
"""
POWERS = """
sum(y - y0), sum(y * y - y0 * y0), coalesce(sum(y * y * y - y0 * y0 * y0) FILTER (WHERE NOT divided), 0),
coalesce(sum(x - x0) FILTER (WHERE divided), 0), coalesce(sum(x * x - x0 * x0) FILTER (WHERE divided), 0),
coalesce(sum(x * y - x0 * y0) FILTER (WHERE divided), 0)
"""
"""What steps from totals ``y0``, ``x0`` to ``y``, ``x`` add to the sums."""

# What the units in ``fold_whole`` add with all that they have: as many rows as units and days, but these are few.
WHOLE = f"""
INSERT INTO fold_sum
SELECT experiment_id, slot, variant_id, entered, day, 0, {{sign}} * unit_days, {{sign}} * missing, {{sign}} * y,
       {{sign}} * yy, {{sign}} * yyy, {{sign}} * x, {{sign}} * xx, {{sign}} * xy
FROM (
    SELECT experiment_id, slot, variant_id, entered, day, count(*), sum(missing), {POWERS}
    FROM (
        SELECT e.experiment_id, r.slot, r.divided, e.variant_id, {ENTERED} AS entered,
               greatest(u.day, {ENTERED}) AS day, u.missing, least(r.most, u.y) AS y,
               least(r.most, u.y - u.numerator) AS y0, u.x, u.x - u.denominator AS x0
        FROM (SELECT * FROM fold_whole WHERE NOT quarantined OFFSET 0) e
        JOIN analysis_sumrule r ON r.experiment_id = e.experiment_id AND r.slot <> 0
         AND (e.metric_id IS NULL OR e.metric_id = r.metric_id)
        CROSS JOIN LATERAL (
            SELECT d.*, sum(d.numerator) OVER w AS y, sum(d.denominator) OVER w AS x FROM analysis_unitday d
            WHERE d.experiment_id = e.experiment_id AND d.metric_id = r.metric_id AND d.unit = e.unit
            WINDOW w AS (ORDER BY d.day ROWS UNBOUNDED PRECEDING) OFFSET 0
        ) u
    ) step
    GROUP BY experiment_id, slot, variant_id, entered, day
) s (experiment_id, slot, variant_id, entered, day, unit_days, missing, y, yy, yyy, x, xx, xy)
"""  # noqa: S608  (own words)

# How many the units in ``fold_whole`` are: on the day on which they enrolled, and for metrics that wait on that on
# which they begin to count.
HEADS = f"""
INSERT INTO fold_sum
SELECT e.experiment_id, r.slot, CASE WHEN e.quarantined THEN 0 ELSE e.variant_id END, {ENTERED},
       CASE WHEN r.slot = 0 THEN (e.first_at AT TIME ZONE 'UTC')::date ELSE {ENTERED} END,
       {{sign}} * count(*), 0, 0, 0, 0, 0, 0, 0, 0
FROM fold_whole e
JOIN analysis_sumrule r ON r.experiment_id = e.experiment_id
WHERE e.metric_id IS NULL AND (r.slot = 0 OR (r.hours > 0 AND NOT e.quarantined))
GROUP BY 1, 2, 3, 4, 5
"""  # noqa: S608  (own words)

# A unit is looked up by its key. As a plain join PostgreSQL, whose statistics do not know an experiment that has just
# enrolled, read a chunk's rows once for each of the experiment's units: folds were five times slower at 40,000 units.
_ENROLLED = """
CROSS JOIN LATERAL (
    SELECT e.* FROM analysis_enrolment e
    WHERE e.experiment_id = {of}.experiment_id AND e.unit = {of}.unit AND NOT e.quarantined OFFSET 0
) e
"""

_CHANGES = "(m.moved OR m.quarantined OR m.variant_id <> m.was_variant_id)"
BEFORE_ENROLLING = f"""
INSERT INTO fold_whole
SELECT m.experiment_id, m.unit, NULL::bigint, m.was_variant_id, m.was_first_at, m.was_quarantined FROM fold_unit m
WHERE m.known AND {_CHANGES}
"""  # noqa: S608  (own words)
AFTER_ENROLLING = f"""
INSERT INTO fold_whole
SELECT m.experiment_id, m.unit, NULL::bigint, m.variant_id, m.first_at, m.quarantined FROM fold_unit m WHERE NOT m.known
UNION ALL
SELECT e.experiment_id, e.unit, NULL::bigint, e.variant_id, e.first_at, e.quarantined FROM fold_unit m
JOIN analysis_enrolment e ON e.experiment_id = m.experiment_id AND e.unit = m.unit
WHERE m.known AND {_CHANGES}
"""  # noqa: S608  (own words)
OF_PERSONS = f"""
INSERT INTO fold_whole
SELECT e.experiment_id, e.unit, NULL::bigint, e.variant_id, e.first_at, e.quarantined
FROM fold_experiment x
JOIN fold_person p ON p.project_id = x.project_id
JOIN analysis_enrolment e ON e.experiment_id = x.experiment_id AND e.unit = p.unit
WHERE NOT x.stale AND {TAKES_LINKS}
"""  # noqa: S608  (own words)
OF_METRICS = """
INSERT INTO fold_whole
SELECT e.experiment_id, e.unit, t.metric_id, e.variant_id, e.first_at, false
FROM (SELECT DISTINCT experiment_id, metric_id, unit FROM {those} OFFSET 0) t
""" + _ENROLLED.format(of="t")  # noqa: S608  (own words)

MOVED = """
INSERT INTO fold_whole
SELECT e.experiment_id, e.unit, NULL::bigint, e.variant_id, e.first_at, e.quarantined FROM fold_unit m
JOIN analysis_enrolment e ON e.experiment_id = m.experiment_id AND e.unit = m.unit WHERE m.moved
"""

# ``{added}`` is what the chunk adds to units' days (totals.py), ``{several}`` whether it adds to several of them. What
# a unit had before is looked up where sums are kept. Rows that were just looked up and are known not to be there stay
# so under the fold's lock: written plainly they cost half. What must be taken out as a whole is left in
# ``fold_delta``; no unit has rows there and rows that are written here for one metric.
_DAY = "experiment_id, metric_id, unit, day, numerator, denominator, missing"
ADD = f"""
WITH {{first}} delta AS MATERIALIZED (
    SELECT d.*, r.metric_id IS NOT NULL AS kept, coalesce(had.y, 0) AS y, coalesce(had.x, 0) AS x, had.last,
           d.several OR coalesce(had.last > d.day, false) AS whole
    FROM (SELECT *, {{several}} AS several FROM ({{added}}) a OFFSET 0) d ({_DAY}, variant_id, first_at, quarantined,
                                                                         several)
    LEFT JOIN (SELECT DISTINCT experiment_id, metric_id FROM analysis_sumrule WHERE slot <> 0) r
      ON r.experiment_id = d.experiment_id AND r.metric_id = d.metric_id
    LEFT JOIN LATERAL (
        SELECT sum(u.numerator) AS y, sum(u.denominator) AS x, max(u.day) AS last FROM analysis_unitday u
        WHERE r.metric_id IS NOT NULL AND u.experiment_id = d.experiment_id AND u.metric_id = d.metric_id
          AND u.unit = d.unit
        OFFSET 0
    ) had ON true
), whole AS (
    INSERT INTO fold_delta SELECT {_DAY} FROM delta WHERE kept AND whole
), fresh AS (
    INSERT INTO analysis_unitday ({_DAY})
    SELECT {_DAY} FROM delta WHERE kept AND NOT whole AND last IS DISTINCT FROM day
), raised AS (
    {
    WRITE.format(
        unitday="analysis_unitday",
        added=f"SELECT {_DAY} FROM delta WHERE NOT kept OR (NOT whole AND last IS NOT DISTINCT FROM day)",
    )
}
)
INSERT INTO fold_sum
SELECT experiment_id, slot, variant_id, entered, day, 0, count(*) FILTER (WHERE is_new), sum(missing), {POWERS}
FROM (
    SELECT e.experiment_id, r.slot, r.divided, e.variant_id, {ENTERED} AS entered, greatest(e.day, {ENTERED}) AS day,
           e.last IS DISTINCT FROM e.day AS is_new, e.missing, least(r.most, e.y + e.numerator) AS y,
           least(r.most, e.y) AS y0, e.x + e.denominator AS x, e.x AS x0
    FROM (SELECT * FROM delta WHERE kept AND NOT whole AND NOT quarantined OFFSET 0) e
    JOIN analysis_sumrule r ON r.experiment_id = e.experiment_id AND r.metric_id = e.metric_id
) step
GROUP BY experiment_id, slot, variant_id, entered, day
"""  # noqa: S608  (own words)
SEVERAL = "count(*) OVER (PARTITION BY experiment_id, metric_id, unit) > 1"
WRITE_WHOLE = WRITE.format(unitday="analysis_unitday", added=f"SELECT {_DAY} FROM fold_delta WHERE true")  # noqa: S608

FLUSH = f"""
INSERT INTO analysis_daysum AS d ({_COLUMNS})
SELECT experiment_id, slot, variant_id, entered, day, sum(units), sum(unit_days), sum(missing), sum(y), sum(yy),
       sum(yyy), sum(x), sum(xx), sum(xy)
FROM fold_sum GROUP BY experiment_id, slot, variant_id, entered, day
ON CONFLICT (experiment_id, slot, variant_id, entered, day) DO UPDATE SET
    units = d.units + excluded.units, unit_days = d.unit_days + excluded.unit_days,
    missing = d.missing + excluded.missing, y = d.y + excluded.y, yy = d.yy + excluded.yy,
    yyy = d.yyy + excluded.yyy, x = d.x + excluded.x, xx = d.xx + excluded.xx, xy = d.xy + excluded.xy;
DELETE FROM analysis_daysum d
USING (
    SELECT DISTINCT experiment_id, slot, variant_id, entered, day FROM fold_sum WHERE units < 0 OR unit_days < 0
) s
WHERE d.units = 0 AND d.unit_days = 0 AND d.experiment_id = s.experiment_id AND d.slot = s.slot
  AND d.variant_id = s.variant_id AND d.entered = s.entered AND d.day = s.day;
"""  # noqa: S608  (own words)

ANEW = f"""
INSERT INTO {{daysum}} ({_COLUMNS})
WITH chosen AS MATERIALIZED (
    SELECT experiment_id, unit, variant_id, first_at, quarantined FROM {{enrolment}}
    WHERE experiment_id = ANY(%(experiments)s)
), step AS (
    SELECT e.experiment_id, r.slot, r.divided, e.variant_id, {ENTERED} AS entered, greatest(u.day, {ENTERED}) AS day,
           u.missing, least(r.most, sum(u.numerator) OVER w) AS y, sum(u.denominator) OVER w AS x,
           least(r.most, sum(u.numerator) OVER w - u.numerator) AS y0, sum(u.denominator) OVER w - u.denominator AS x0
    FROM {{unitday}} u
    JOIN chosen e ON e.experiment_id = u.experiment_id AND e.unit = u.unit AND NOT e.quarantined
    JOIN analysis_sumrule r ON r.experiment_id = u.experiment_id AND r.metric_id = u.metric_id
     AND r.slot <> ALL(%(stay)s::bigint[])
    WINDOW w AS (PARTITION BY u.experiment_id, r.slot, u.unit ORDER BY u.day ROWS UNBOUNDED PRECEDING)
), part ({_COLUMNS}) AS (
    SELECT experiment_id, slot, variant_id, entered, day, 0, count(*), sum(missing), {POWERS} FROM step
    GROUP BY experiment_id, slot, variant_id, entered, day
    UNION ALL
    SELECT e.experiment_id, r.slot, CASE WHEN e.quarantined THEN 0 ELSE e.variant_id END, {ENTERED},
           CASE WHEN r.slot = 0 THEN (e.first_at AT TIME ZONE 'UTC')::date ELSE {ENTERED} END,
           count(*), 0, 0, 0, 0, 0, 0, 0, 0
    FROM chosen e JOIN analysis_sumrule r ON r.experiment_id = e.experiment_id
    WHERE (r.slot = 0 OR (r.hours > 0 AND NOT e.quarantined)) AND r.slot <> ALL(%(stay)s::bigint[])
    GROUP BY 1, 2, 3, 4, 5
)
SELECT experiment_id, slot, variant_id, entered, day, sum(units), sum(unit_days), sum(missing), sum(y), sum(yy),
       sum(yyy), sum(x), sum(xx), sum(xy)
FROM part GROUP BY experiment_id, slot, variant_id, entered, day
"""  # noqa: S608  (own words)
"""Add up from all units what has a rule, but for the slots that stay as they are."""

_FORGET = "DELETE FROM {table} WHERE experiment_id = ANY(%(experiments)s) AND slot <> ALL(%(stay)s::bigint[])"
_RULES = """
INSERT INTO analysis_sumrule (experiment_id, slot, metric_id, divided, hours, most)
SELECT %(experiment)s, r.* FROM unnest(
    %(slots)s::bigint[], %(metrics)s::bigint[], %(divided)s::boolean[], %(hours)s::int[], %(limits)s::numeric[]) AS r
"""

Rules = Mapping[str, sql.Parameter]
"""Arrays of equal length: slots, metrics, divided, hours, limits."""


@transaction.atomic
def keep(experiment: Experiment, rules: Rules, stay: Sequence[int] = ()) -> bool:
    """Begin to keep the sums of an experiment by these rules; not now, where somebody folds at this moment.

    Of what is kept already only the slots in ``stay`` stay.
    """
    if not watermark.lock_if_free():
        return False
    forget([experiment.pk], stay)
    sql.run(_RULES, {"experiment": experiment.pk, **rules})
    anew([experiment.pk], stay=stay)
    return True


def forget(experiments: list[int], stay: Sequence[int] = ()) -> None:
    """Keep no sums of these experiments from now on, but for the slots in ``stay``; with the watermark locked."""
    for table in ("analysis_daysum", "analysis_sumrule"):
        sql.run(_FORGET.format(table=table), {"experiments": experiments, "stay": list(stay)})


def anew(experiments: list[int], daysum: str = "analysis_daysum", enrolment: str = "analysis_enrolment",
         unitday: str = "analysis_unitday", stay: Sequence[int] = ()) -> None:  # fmt: skip
    """Add up all units of experiments by their rules, but for ``stay``, into a table that holds nothing of that.

    One pass over all units, never a loop: statistics do not know an experiment that has just enrolled.
    """
    sql.run("SET LOCAL work_mem = '64MB'")
    sql.run(SCAN)
    parameters: Rules = {"experiments": experiments, "stay": list(stay)}
    sql.run(ANEW.format(daysum=daysum, enrolment=enrolment, unitday=unitday), parameters)
    sql.run(NO_SCAN)


class Keeping:
    """Keep the sums of a chunk's experiments: what changes is taken out before, and added after."""

    def __init__(self) -> None:
        self.on = bool(sql.number(KEEPS))

    def of_units(self, statement: str, sign: int) -> None:
        """Take units out (−1) or add them (1), as they are enrolled and with all that they have."""
        if self.on:
            self._whole(statement, sign)
            sql.run(HEADS.format(sign=sign))

    def of_heads(self, statement: str) -> None:
        """Add units of which nothing is folded yet."""
        if self.on:
            sql.run("TRUNCATE fold_whole")
            sql.run(statement)
            sql.run(HEADS.format(sign=1))

    def of_metrics(self, those: str, sign: int) -> None:
        """Take out or add units with all that they have of the metrics in a table or query."""
        if self.on:
            self._whole(OF_METRICS.format(those=those), sign)

    def add(self, added: Added, *, one_day: bool, parameters: Mapping[str, sql.Parameter]) -> None:
        """Add to units' days, and to the sums what that changes."""
        several = "false" if one_day else SEVERAL
        first = f"{added.first}," if added.first else ""
        sql.run(ADD.format(first=first, several=several, added=added.rows), parameters)
        if sql.rows("SELECT FROM fold_delta LIMIT 1"):
            self.of_metrics("fold_delta", -1)
            sql.run(WRITE_WHOLE)
            self.of_metrics("fold_delta", 1)
            sql.run("TRUNCATE fold_delta")

    def of_moved(self) -> None:
        """Add units that moved with what was read of them from the log."""
        if self.on:
            self._whole(MOVED, 1)

    def flush(self) -> None:
        """Write down what the chunk changed."""
        if self.on:
            sql.run(FLUSH)

    def _whole(self, statement: str, sign: int) -> None:
        sql.run("TRUNCATE fold_whole")
        sql.run(statement)
        sql.run(WHOLE.format(sign=sign))
