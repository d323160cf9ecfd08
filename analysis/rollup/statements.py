"""The SQL of the fold: experiments, their units, what is remembered. All experiments of a chunk at once.

``lo`` and ``hi`` bound the transaction ids of a chunk, half open. ``{enrolment}`` and the like name the tables that are
written, so that the exact recompute runs the very same statements on tables of its own.
"""

from analysis.rollup.units import TAKES_LINKS

# One fold keeps one picture of experiments and their plans, however they change while it works.
SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS fold_experiment (
    experiment_id bigint PRIMARY KEY, project_id bigint NOT NULL, key text NOT NULL, unit_type text NOT NULL,
    fallback_unit_type text NOT NULL, started_at timestamptz NOT NULL, stopped_at timestamptz, plan text NOT NULL,
    stale boolean NOT NULL,
    before interval NOT NULL, reads_from timestamptz NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_override (
    experiment_id bigint NOT NULL, unit text NOT NULL, PRIMARY KEY (experiment_id, unit)
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_event (
    project_id bigint NOT NULL, at timestamptz NOT NULL, received_at timestamptz NOT NULL, name text NOT NULL,
    user_id text, anonymous_id text, experiment text, variant text, props jsonb, ts timestamptz, person text,
    past boolean NOT NULL DEFAULT false
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_unit (
    experiment_id bigint NOT NULL, unit text NOT NULL, variant_id bigint NOT NULL, first_at timestamptz NOT NULL,
    quarantined boolean NOT NULL, triggered_at timestamptz, reports_difference boolean NOT NULL,
    known boolean NOT NULL, moved boolean NOT NULL,
    was_variant_id bigint, was_first_at timestamptz, was_quarantined boolean,
    PRIMARY KEY (experiment_id, unit)
) ON COMMIT DELETE ROWS;
"""

# A unit that is given a variant by hand is nobody's evidence, whatever it was exposed to before or after.
FILL_OVERRIDES = """
INSERT INTO fold_override
SELECT o.experiment_id, o.unit_id FROM experiments_override o
JOIN experiments_experiment x ON x.id = o.experiment_id WHERE x.started_at IS NOT NULL
"""

# Only the current phase counts: at its beginning every unit was dealt anew.
# Stale: nothing folded yet, or folded under another start, plan (metrics and overrides) or stop. A stop later than
# every row folded so far changes nothing that was folded. Closed experiments, of whose time the log lacks days,
# are left alone (retention.py).
FILL_EXPERIMENTS = """
INSERT INTO fold_experiment
SELECT x.id, x.project_id, x.key, x.unit_type, x.fallback_unit_type, phase.started_at, x.stopped_at, plan.digest,
       f.experiment_id IS NULL OR f.started_at <> phase.started_at OR f.plan <> plan.digest
       OR (f.stopped_at IS DISTINCT FROM x.stopped_at
           AND (f.stopped_at IS NOT NULL OR coalesce(p.newest_at > x.stopped_at, false))),
       coalesce(terms.before, '0'), greatest(phase.started_at - coalesce(terms.before, '0'), horizon.at)
FROM experiments_experiment x
CROSS JOIN (
    SELECT coalesce(max(data_up_to), '-infinity') AS at FROM analysis_watermark WHERE name = 'retention'
) horizon
LEFT JOIN analysis_foldedproject p ON p.project_id = x.project_id
LEFT JOIN analysis_foldedexperiment f ON f.experiment_id = x.id
LEFT JOIN (
    SELECT t.experiment_id, md5(string_agg(t::text, '|' ORDER BY t::text)) AS digest, max(t.before) AS before
    FROM fold_term t GROUP BY t.experiment_id
) terms ON terms.experiment_id = x.id
LEFT JOIN (
    SELECT o.experiment_id, string_agg(o.unit, E'\x01' ORDER BY o.unit) AS units
    FROM fold_override o GROUP BY o.experiment_id
) overridden ON overridden.experiment_id = x.id
CROSS JOIN LATERAL (
    SELECT CASE WHEN overridden.units IS NULL THEN coalesce(terms.digest, '')
                ELSE md5(coalesce(terms.digest, '') || overridden.units) END AS digest
) plan
CROSS JOIN LATERAL (SELECT coalesce(x.phase_started_at, x.started_at) AS started_at) phase
WHERE x.started_at IS NOT NULL
  AND CASE WHEN f.started_at = phase.started_at THEN coalesce(f.reads_from, phase.started_at)
           ELSE phase.started_at END >= horizon.at
"""

# The chunk is read once, out of many partitions, and then known to the planner by its own statistics. Properties that
# no metric asks for stay behind, and so do events of other environments than production (events/row.py).
FILL_EVENTS = """
INSERT INTO fold_event
SELECT project_id, at, received_at, name, user_id, anonymous_id, experiment, variant,
       CASE WHEN experiment IS NOT NULL OR name = '$alias'
                 OR (project_id, name) IN (SELECT project_id, name FROM fold_term) THEN props END, ts
FROM events_log
WHERE xid >= %(lo)s::xid8 AND xid < %(hi)s::xid8 AND environment = 0
"""

# Experiments that stopped before anything in the chunk happened have nothing to gain from it: years of them must not
# be joined with every new event. Those stay to which a person was exposed whose ids became known now (identities.py).
LEAVE_OUT_THE_PAST = """
WITH happened AS (SELECT project_id, min(oldest) AS oldest FROM fold_seen WHERE NOT past GROUP BY project_id),
     affected AS (SELECT DISTINCT project_id, experiment FROM fold_seen WHERE past AND experiment IS NOT NULL)
DELETE FROM fold_experiment x USING analysis_foldedexperiment f
WHERE f.experiment_id = x.experiment_id AND NOT x.stale AND x.stopped_at = f.stopped_at
  AND NOT EXISTS (SELECT FROM happened h WHERE h.project_id = x.project_id AND h.oldest <= x.stopped_at)
  AND NOT EXISTS (SELECT FROM affected a WHERE a.project_id = x.project_id AND a.experiment = x.key)
"""

FORGET_STALE = """
DELETE FROM {table} t USING fold_experiment x WHERE x.stale AND t.experiment_id = x.experiment_id
"""

# The first exposure decides the variant; of two at the very same moment, the older variant, whatever came first.
# ``{moved}`` says of a unit that is new whether older rows of the log may hold something of it.
FILL_UNITS = """
INSERT INTO fold_unit
SELECT n.*, e.unit IS NOT NULL, CASE WHEN e.unit IS NULL THEN {moved} ELSE n.first_at < e.first_at END,
       e.variant_id, e.first_at, e.quarantined
FROM (
    SELECT x.experiment_id, u.unit, (array_agg(v.id ORDER BY l.at, v.id))[1] AS variant_id, min(l.at) AS first_at,
           min(v.id) <> max(v.id) AS quarantined,
           min(l.at) FILTER (WHERE l.props -> 'outputs_differ' = 'true') AS triggered_at,
           bool_or(l.props ? 'outputs_differ') AS reports_difference
    FROM fold_experiment x
    JOIN {log} l ON l.project_id = x.project_id AND l.experiment = x.key
    JOIN experiments_variant v ON v.experiment_id = x.experiment_id AND v.key = l.variant
    CROSS JOIN LATERAL (SELECT {unit} AS unit) u
    WHERE {rows} AND char_length(u.unit) BETWEEN 1 AND 255
      AND l.at >= x.started_at AND (x.stopped_at IS NULL OR l.at <= x.stopped_at)
      AND NOT EXISTS (SELECT FROM fold_override o WHERE o.experiment_id = x.experiment_id AND o.unit = u.unit)
    GROUP BY x.experiment_id, u.unit
) n
JOIN fold_experiment h ON h.experiment_id = n.experiment_id
LEFT JOIN analysis_foldedproject p ON p.project_id = h.project_id
LEFT JOIN LATERAL (
    SELECT e.* FROM {enrolment} e WHERE e.experiment_id = n.experiment_id AND e.unit = n.unit OFFSET 0
) e ON true
"""
# All that a unit did that is newer than every event folded so far is in the chunk: nothing need be looked up.
MAY_BE_IN_LOG = "coalesce(n.first_at - h.before <= p.newest_at, true)"

_ENROL = """
INSERT INTO {enrolment} AS e (
    experiment_id, unit, variant_id, first_at, bucket, quarantined, triggered_at, reports_difference
)
SELECT experiment_id, unit, variant_id, first_at,
       mod(('x' || substr(md5(unit), 1, 8))::bit(32)::bigint, 50), quarantined, triggered_at, reports_difference
FROM fold_unit
"""
ENROL_NEW = f"{_ENROL} WHERE NOT known"
"""Under the fold's lock those that were just looked up are still not there: written plainly they cost half."""

# A repeated exposure that changes nothing writes nothing.
ENROL_KNOWN = f"""{_ENROL} WHERE known
ON CONFLICT (experiment_id, unit) DO UPDATE SET
    variant_id = CASE WHEN (excluded.first_at, excluded.variant_id) < (e.first_at, e.variant_id)
                      THEN excluded.variant_id ELSE e.variant_id END,
    first_at = least(e.first_at, excluded.first_at),
    quarantined = e.quarantined OR excluded.quarantined OR e.variant_id <> excluded.variant_id,
    triggered_at = least(e.triggered_at, excluded.triggered_at),
    reports_difference = e.reports_difference OR excluded.reports_difference
WHERE (excluded.first_at, excluded.variant_id) < (e.first_at, e.variant_id)
   OR (NOT e.quarantined AND (excluded.quarantined OR e.variant_id <> excluded.variant_id))
   OR (NOT e.reports_difference AND excluded.reports_difference)
   OR excluded.triggered_at < coalesce(e.triggered_at, 'infinity')
"""

UNITS = """
SELECT count(*), count(*) FILTER (WHERE known), count(*) FILTER (WHERE moved), count(*) FILTER (WHERE known AND moved)
FROM fold_unit
"""

FORGET_MOVED = """
DELETE FROM {table} d USING fold_unit m
WHERE m.known AND m.moved AND d.experiment_id = m.experiment_id AND d.unit = m.unit
"""

NEW_EXPOSURES = f"NOT x.stale AND (NOT l.past OR ({TAKES_LINKS}))"
# The length is what lets the index on exposures be used (no experiment's key is longer).
ALL_EXPOSURES_OF_STALE = "x.stale AND l.xid < %(hi)s::xid8 AND l.environment = 0 AND char_length(l.experiment) <= 80"

REMEMBER_PROJECTS = """
INSERT INTO analysis_foldedproject AS p (project_id, data_up_to, newest_at, events)
SELECT project_id, max(data_up_to), max(newest), sum(events)
FROM fold_seen l
WHERE NOT past AND EXISTS (SELECT FROM experiments_project h WHERE h.id = l.project_id)
GROUP BY project_id
ON CONFLICT (project_id) DO UPDATE SET
    data_up_to = greatest(p.data_up_to, excluded.data_up_to),
    newest_at = greatest(p.newest_at, excluded.newest_at),
    events = p.events + excluded.events
"""

# An experiment changed when the chunk held, of its own time, an exposure to it or an event that a metric of it counts.
REMEMBER_EXPERIMENTS = """
WITH changed AS (
    SELECT x.experiment_id
    FROM fold_experiment x
    JOIN fold_seen s ON s.project_id = x.project_id AND s.newest >= x.started_at - x.before
        AND (x.stopped_at IS NULL OR s.oldest <= x.stopped_at)
    WHERE s.experiment = x.key
       OR EXISTS (SELECT FROM fold_term t WHERE t.experiment_id = x.experiment_id AND t.name = s.name)
)
INSERT INTO analysis_foldedexperiment AS f (
    experiment_id, started_at, stopped_at, plan, changes, rebuilt_at, reads_from
)
SELECT x.experiment_id, x.started_at, x.stopped_at, x.plan, 1, now(), x.reads_from
FROM fold_experiment x
LEFT JOIN analysis_foldedexperiment k ON k.experiment_id = x.experiment_id
WHERE x.stale OR k.stopped_at IS DISTINCT FROM x.stopped_at OR x.experiment_id IN (SELECT experiment_id FROM changed)
ON CONFLICT (experiment_id) DO UPDATE SET
    started_at = excluded.started_at, stopped_at = excluded.stopped_at, plan = excluded.plan, changes = f.changes + 1,
    reads_from = CASE WHEN f.started_at = excluded.started_at AND f.plan = excluded.plan
                      THEN coalesce(f.reads_from, excluded.reads_from) ELSE excluded.reads_from END,
    rebuilt_at = CASE WHEN f.experiment_id IN (SELECT experiment_id FROM fold_experiment WHERE stale)
                      THEN excluded.rebuilt_at ELSE f.rebuilt_at END
"""

COUNT_STRAYS = """
INSERT INTO analysis_strayexposure AS s (project_id, experiment, variant, reason, exposures, newest_at)
SELECT l.project_id, left(l.experiment, 80), left(l.variant, 80), r.reason, count(*), max(l.at)
FROM fold_event l
JOIN experiments_project h ON h.id = l.project_id
LEFT JOIN experiments_experiment x ON x.project_id = l.project_id AND x.key = l.experiment
LEFT JOIN experiments_variant v ON v.experiment_id = x.id AND v.key = l.variant
CROSS JOIN LATERAL (SELECT {unit} AS unit) u
CROSS JOIN LATERAL (
    SELECT CASE WHEN x.id IS NULL THEN 'no experiment' WHEN v.id IS NULL THEN 'no variant'
                WHEN coalesce(char_length(u.unit), 0) NOT BETWEEN 1 AND 255 THEN 'no unit' END AS reason
) r
WHERE l.experiment IS NOT NULL AND r.reason IS NOT NULL AND NOT l.past
GROUP BY l.project_id, left(l.experiment, 80), left(l.variant, 80), r.reason
ON CONFLICT (project_id, experiment, variant, reason) DO UPDATE SET
    exposures = s.exposures + excluded.exposures, newest_at = greatest(s.newest_at, excluded.newest_at)
"""
