"""The SQL that adds events to units: their totals by day, and what they did before their exposure.

``{source}`` is one of the sources below: rows of events ``l`` with the enrolled unit ``e`` and the term ``t``.
"""

from dataclasses import dataclass

# OFFSET 0 keeps the planner from reading the property once for each aggregate.
_ROWS = """
    SELECT t.experiment_id, t.metric_id, e.unit, (l.at AT TIME ZONE 'UTC')::date AS day, t.counts, t.adds_property,
           t.sign, t.divides, t.keeps, l.at < e.first_at AS is_before, {enrolled}
           CASE WHEN t.adds_property THEN analysis_number(l.props -> t.property) END AS value
    {source}
    OFFSET 0
"""
# Events are counted as whole numbers, and decimals added up only where a property is: that is quicker, and as exact.
_TOP = """
    coalesce(sum(CASE WHEN sign < 0 THEN -value ELSE value END) FILTER (WHERE counts AND adds_property), 0)
    + count(*) FILTER (WHERE counts AND NOT adds_property)
"""
_BELOW = """
    coalesce(sum(value) FILTER (WHERE divides = 'value'), 0)
    + count(*) FILTER (WHERE divides = 'event' OR (divides = 'carrying' AND value IS NOT NULL))
"""
_ADDED = """
SELECT experiment_id, metric_id, unit, day, {top}, {below},
       count(*) FILTER (WHERE adds_property AND value IS NULL) {more}
FROM {rows}
GROUP BY experiment_id, metric_id, unit, day
"""
_TOTAL = "keeps IN ('total', 'value')"
# Of one unit they are all the same.
_ENROLLED, _OF_UNIT = (
    "e.variant_id, e.first_at, e.quarantined,",
    ", min(variant_id), min(first_at), bool_or(quarantined)",
)

# The events are read once for both. A distinct count's and a funnel's covariate is how many of its events there were.
_BEFORE = """
c AS MATERIALIZED ({rows}), before AS (
    INSERT INTO {unitbefore} AS d (experiment_id, metric_id, unit, numerator, denominator)
    SELECT experiment_id, metric_id, unit, {top}, {below} FROM c WHERE is_before
    GROUP BY experiment_id, metric_id, unit
    ON CONFLICT (experiment_id, metric_id, unit) DO UPDATE SET
        numerator = d.numerator + excluded.numerator, denominator = d.denominator + excluded.denominator
)
"""

WRITE = """
INSERT INTO {unitday} AS d (experiment_id, metric_id, unit, day, numerator, denominator, missing) {added}
ON CONFLICT (experiment_id, metric_id, unit, day) DO UPDATE SET
    numerator = d.numerator + excluded.numerator,
    denominator = d.denominator + excluded.denominator,
    missing = d.missing + excluded.missing
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What events add to units' days: ``rows``, and where a metric reaches back, what their statement begins with."""

    first: str
    rows: str


def added(source: str, *, unitbefore: str, reaches_back: bool, enrolled: bool = False) -> Added:
    """Return what the events of a source add; ``enrolled``: with how their unit is enrolled, in three columns more."""
    rows = _ROWS.format(source=source, enrolled=_ENROLLED if enrolled else "")
    columns = {"top": _TOP, "below": _BELOW}
    of_after = f"c WHERE NOT is_before AND {_TOTAL}" if reaches_back else f"({rows}) c WHERE {_TOTAL}"
    return Added(
        first=_BEFORE.format(rows=rows, unitbefore=unitbefore, **columns) if reaches_back else "",
        rows=_ADDED.format(rows=of_after, more=_OF_UNIT if enrolled else "", **columns),
    )


def write(what: Added, unitday: str) -> str:
    """Return the statement that writes down what events add."""
    return (f"WITH {what.first}" if what.first else "") + WRITE.format(unitday=unitday, added=what.rows)


# Units whose first exposure stands: their new events add. A unit is looked up by its key, once for each event: as a
# plain join PostgreSQL would now and then read all enrolled units for a minute's few events.
NEW_EVENTS = """
    FROM (
        SELECT l.at, l.name, l.props, e.experiment_id, e.unit, e.first_at, e.variant_id, e.quarantined
        FROM fold_event l
        JOIN (SELECT DISTINCT t.project_id, t.experiment_id, t.name FROM fold_term t) n
          ON n.project_id = l.project_id AND n.name = l.name
        JOIN fold_experiment x ON x.experiment_id = n.experiment_id AND NOT x.stale AND {basis}
        CROSS JOIN LATERAL (
            SELECT e.* FROM {enrolment} e WHERE e.experiment_id = n.experiment_id AND e.unit = {unit} OFFSET 0
        ) e
        WHERE (x.stopped_at IS NULL OR l.at <= x.stopped_at) {standing}
        OFFSET 0
    ) l
    CROSS JOIN LATERAL (
        SELECT l.experiment_id, l.unit, l.first_at, l.variant_id, l.quarantined
    ) e
    JOIN fold_term t ON t.experiment_id = l.experiment_id AND t.name = l.name
    WHERE true
    {counts}
"""
STANDING = """
AND NOT EXISTS (SELECT FROM fold_unit m WHERE m.moved AND m.experiment_id = e.experiment_id AND m.unit = e.unit)
"""

# Units that are new, or whose first exposure moved: all their events, from the whole log. Few units are looked up by
# their index, in a subquery that the planner may not turn round: today's partition has no statistics in the morning,
# and without them it would read the whole log for every unit. Many units are cheaper met in one pass (``SCAN``).
# ``{units}`` is where the units ``e`` are, with their first exposure; ``{only}`` may keep to a part of the log.
BY_INDEX = """
    FROM (
        SELECT * FROM {units} u
        WHERE EXISTS (SELECT FROM fold_term t WHERE t.experiment_id = u.experiment_id) OFFSET 0
    ) e
    JOIN fold_experiment x ON x.experiment_id = e.experiment_id AND {basis}
    CROSS JOIN LATERAL ({rows} OFFSET 0) l
    JOIN fold_term t ON t.experiment_id = e.experiment_id AND t.name = l.name
    WHERE e.moved AND (x.stopped_at IS NULL OR l.at <= x.stopped_at)
    {counts}
"""
OF_A_UNIT = """
    AND l.project_id = x.project_id AND l.at >= e.first_at - x.before {only} AND l.xid < %(hi)s::xid8
    AND l.environment = 0
"""
BY_SCAN = """
    FROM {units} e
    JOIN fold_experiment x ON x.experiment_id = e.experiment_id AND {basis}
    JOIN fold_term t ON t.experiment_id = e.experiment_id
    JOIN events_log l ON l.project_id = t.project_id AND l.name = t.name AND {unit} = e.unit {indexed} {only}
    WHERE e.moved AND l.xid < %(hi)s::xid8 AND l.environment = 0 AND (x.stopped_at IS NULL OR l.at <= x.stopped_at)
    {counts}
"""
NEEDED = """
SELECT count(*), min(u.first_at - x.before)
FROM {units} u JOIN fold_experiment x ON x.experiment_id = u.experiment_id WHERE u.moved
"""
"""How many units moved, and the oldest moment that they need to be read from."""

SCAN, NO_SCAN = "SET LOCAL enable_nestloop = off", "SET LOCAL enable_nestloop = on"
