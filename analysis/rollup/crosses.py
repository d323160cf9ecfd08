"""The SQL that keeps sums over units of what they did after their exposure with what they did before it.

Adjusted results follow from these sums of products (Deng, Xu, Kohavi, Walker 2013). A chunk changes few units: what
each of them adds is taken out before anything is written and added again at the end, all of it ``numeric`` and so
exact. A unit that did nothing before and nothing after adds nothing: how many there are follows from the sums of heads.

``entered`` is the UTC day from which a unit counts, the beginning of time where the metric waits for nothing.
"""

from collections.abc import Sequence

from django.db import transaction

from analysis.rollup import sql, watermark
from analysis.rollup.sums import ENTERED, Rules
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.rollup.units import TAKES_LINKS
from experiments.models import Experiment

SUMS = ("had", "p", "q", "pp", "qq", "pq", "y", "x", "yy", "xx", "xy", "yp", "yq", "yh", "xp", "xq", "xh")
"""y and x after the exposure, above and below; p and q before it; ``had`` whether there was a before."""

SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS fold_cross (
    experiment_id bigint NOT NULL, metric_id bigint NOT NULL, unit text NOT NULL,
    PRIMARY KEY (experiment_id, metric_id, unit)
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_crossing (
    experiment_id bigint NOT NULL, metric_id bigint NOT NULL, unit text NOT NULL
) ON COMMIT DELETE ROWS;
"""
KEEPS = """
SELECT EXISTS (
    SELECT FROM analysis_crossrule r JOIN fold_experiment x ON x.experiment_id = r.experiment_id WHERE NOT x.stale
)::int
"""
FORGET_STALE = [
    f"DELETE FROM {table} t USING fold_experiment x WHERE x.stale AND t.experiment_id = x.experiment_id"  # noqa: S608
    for table in ("analysis_crosssum", "analysis_crossrule")
]

# Whoever may change by what the chunk says of the metric, or as a whole because ids were linked. Too many do no harm:
# what is taken out of them is added again.
BY_EVENTS = f"""
INSERT INTO fold_crossing
SELECT DISTINCT x.experiment_id, t.metric_id, u.unit
FROM fold_event l
JOIN fold_term t ON t.project_id = l.project_id AND t.name = l.name
JOIN fold_experiment x ON x.experiment_id = t.experiment_id AND NOT x.stale
JOIN analysis_crossrule r ON r.experiment_id = t.experiment_id AND r.metric_id = t.metric_id
CROSS JOIN LATERAL (SELECT {{unit}} AS unit) u
WHERE u.unit IS NOT NULL AND (NOT l.past OR ({TAKES_LINKS}))
UNION
SELECT x.experiment_id, r.metric_id, p.unit
FROM fold_person p
JOIN fold_experiment x ON x.project_id = p.project_id AND NOT x.stale AND {TAKES_LINKS}
JOIN analysis_crossrule r ON r.experiment_id = x.experiment_id
"""  # noqa: S608  (own words)
# Units that enrol now and are read from the log, and those whose enrolment changes: in all metrics.
BY_ENROLLING = """
INSERT INTO fold_crossing
SELECT m.experiment_id, r.metric_id, m.unit
FROM fold_unit m JOIN analysis_crossrule r ON r.experiment_id = m.experiment_id
WHERE (m.moved OR (m.known AND (m.quarantined OR m.variant_id <> m.was_variant_id)))
  AND NOT EXISTS (
    SELECT FROM fold_cross c
    WHERE c.experiment_id = m.experiment_id AND c.metric_id = r.metric_id AND c.unit = m.unit
  )
"""
REMEMBER = "INSERT INTO fold_cross SELECT * FROM fold_crossing; TRUNCATE fold_crossing"

_KEY = "experiment_id, metric_id, variant_id, entered"
_COLUMNS = f"{_KEY}, {', '.join(SUMS)}"
NUMBERS = """
coalesce(b.numerator IS NOT NULL, false)::int AS had, least(r.most, coalesce(b.numerator, 0)) AS p,
CASE WHEN r.divided THEN coalesce(b.denominator, 0) ELSE 0 END AS q, least(r.most, coalesce(t.y, 0)) AS y,
CASE WHEN r.divided THEN coalesce(t.x, 0) ELSE 0 END AS x
"""
PRODUCTS = """
{sign} * sum(had), {sign} * sum(p), {sign} * sum(q), {sign} * sum(p * p), {sign} * sum(q * q), {sign} * sum(p * q),
{sign} * sum(y), {sign} * sum(x), {sign} * sum(y * y), {sign} * sum(x * x), {sign} * sum(x * y), {sign} * sum(y * p),
{sign} * sum(y * q), {sign} * sum(y * had), {sign} * sum(x * p), {sign} * sum(x * q), {sign} * sum(x * had)
"""
_INTO = f"""
INSERT INTO analysis_crosssum AS s ({_COLUMNS})
SELECT {_KEY}, {PRODUCTS} FROM ({{of}}) one GROUP BY {_KEY}
ON CONFLICT ({_KEY}) DO UPDATE SET {", ".join(f"{name} = s.{name} + excluded.{name}" for name in SUMS)}
"""  # noqa: S608  (own words)
# Each unit ``c`` is looked up by its keys: these are a chunk's few.
OF_A_UNIT = """
CROSS JOIN LATERAL (
    SELECT sum(u.numerator) AS y, sum(u.denominator) AS x FROM analysis_unitday u
    WHERE u.experiment_id = c.experiment_id AND u.metric_id = {metric} AND u.unit = c.unit OFFSET 0
) t
LEFT JOIN LATERAL (
    SELECT b.* FROM analysis_unitbefore b
    WHERE b.experiment_id = c.experiment_id AND b.metric_id = {metric} AND b.unit = c.unit OFFSET 0
) b ON true
"""
_LOOKED_UP = f"""
SELECT r.experiment_id, r.metric_id, e.variant_id, {ENTERED} AS entered, {NUMBERS}
FROM {{those}} c
JOIN analysis_crossrule r ON r.experiment_id = c.experiment_id AND r.metric_id = c.metric_id
CROSS JOIN LATERAL (
    SELECT e.* FROM analysis_enrolment e
    WHERE e.experiment_id = c.experiment_id AND e.unit = c.unit AND NOT e.quarantined OFFSET 0
) e
{OF_A_UNIT.format(metric="c.metric_id")}
WHERE t.y IS NOT NULL OR b.numerator IS NOT NULL
"""  # noqa: S608  (own words)

_ALL = f"""
WITH chosen AS MATERIALIZED (
    SELECT experiment_id, unit, variant_id, first_at FROM {{enrolment}}
    WHERE experiment_id = ANY(%(experiments)s) AND NOT quarantined
), total AS (
    SELECT u.experiment_id, u.metric_id, u.unit, sum(u.numerator) AS y, sum(u.denominator) AS x FROM {{unitday}} u
    WHERE u.experiment_id = ANY(%(experiments)s) GROUP BY u.experiment_id, u.metric_id, u.unit
), before AS (
    SELECT * FROM {{unitbefore}} WHERE experiment_id = ANY(%(experiments)s)
)
INSERT INTO {{crosssum}} ({_COLUMNS})
SELECT {_KEY}, {PRODUCTS.format(sign="1")} FROM (
    SELECT r.experiment_id, r.metric_id, e.variant_id, {ENTERED} AS entered, {NUMBERS}
    FROM total t
    FULL JOIN before b ON b.experiment_id = t.experiment_id AND b.metric_id = t.metric_id AND b.unit = t.unit
    JOIN analysis_crossrule r ON r.experiment_id = coalesce(t.experiment_id, b.experiment_id)
     AND r.metric_id = coalesce(t.metric_id, b.metric_id) AND r.metric_id <> ALL(%(stay)s::bigint[])
    JOIN chosen e ON e.experiment_id = r.experiment_id AND e.unit = coalesce(t.unit, b.unit)
) one GROUP BY {_KEY}
"""  # noqa: S608  (own words)

_FORGET = "DELETE FROM {table} WHERE experiment_id = ANY(%(experiments)s) AND metric_id <> ALL(%(stay)s::bigint[])"
_RULES = """
INSERT INTO analysis_crossrule (experiment_id, metric_id, divided, hours, most)
SELECT %(experiment)s, r.* FROM unnest(
    %(metrics)s::bigint[], %(divided)s::boolean[], %(hours)s::int[], %(limits)s::numeric[]) AS r
"""


@transaction.atomic
def keep(experiment: Experiment, rules: Rules, stay: Sequence[int]) -> bool:
    """Begin to keep these sums of an experiment; not now, where somebody folds at this moment.

    Of what is kept already only the metrics in ``stay`` stay.
    """
    if not watermark.lock_if_free():
        return False
    forget([experiment.pk], stay)
    sql.run(_RULES, {"experiment": experiment.pk, **rules})
    anew([experiment.pk], stay=stay)
    return True


def forget(experiments: list[int], stay: Sequence[int] = ()) -> None:
    """Keep nothing of these experiments from now on, but for the metrics in ``stay``; with the watermark locked."""
    for table in ("analysis_crosssum", "analysis_crossrule"):
        sql.run(_FORGET.format(table=table), {"experiments": experiments, "stay": list(stay)})


def anew(experiments: list[int], tables: dict[str, str] | None = None, stay: Sequence[int] = ()) -> None:
    """Add up all units of experiments by their rules, but for ``stay``, into a table that holds nothing of that."""
    names = {name: f"analysis_{name}" for name in ("crosssum", "enrolment", "unitday", "unitbefore")} | (tables or {})
    sql.run("SET LOCAL work_mem = '64MB'")
    sql.run(SCAN)
    sql.run(_ALL.format(**names), {"experiments": experiments, "stay": list(stay)})
    sql.run(NO_SCAN)


class Crossing:
    """Follow a chunk: take out whoever may change, and add them again when everything is written."""

    def __init__(self) -> None:
        self.on = bool(sql.number(KEEPS))

    def by_events(self, unit: str) -> None:
        """Take out whom events and links may change; before anything is forgotten or written."""
        if self.on:
            self._take_out(BY_EVENTS.format(unit=unit))

    def by_enrolling(self) -> None:
        """Take out whose enrolment changes; before it does."""
        if self.on:
            self._take_out(BY_ENROLLING)

    def add_again(self) -> None:
        """Add everybody who was taken out, as they are now."""
        if self.on:
            self._add("fold_cross", 1)

    def _take_out(self, those: str) -> None:
        sql.run(those)
        self._add("fold_crossing", -1)
        sql.run(REMEMBER)

    def _add(self, those: str, sign: int) -> None:
        sql.run(_INTO.format(of=_LOOKED_UP.format(those=those), sign=sign))
