"""The SQL of funnels: when each unit reached each step, in order.

Greedy and exact: the first event of step 1 after the exposure, then the first of step 2 after that one, and so on.
Where a unit's new events are newer than all that was read of it, they go on from the steps reached; where one is not,
earlier steps may have been reached earlier, and the unit is read from the log again.
"""

SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS fold_step (
    experiment_id bigint NOT NULL, metric_id bigint NOT NULL, unit text NOT NULL, step smallint NOT NULL,
    at timestamptz NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS fold_behind (
    experiment_id bigint NOT NULL, unit text NOT NULL, first_at timestamptz NOT NULL, moved boolean NOT NULL
) ON COMMIT DELETE ROWS;
"""

FILL_STEPS = """
INSERT INTO fold_step
SELECT t.experiment_id, t.metric_id, e.unit, t.step, l.at
{source} AND l.at >= e.first_at AND t.keeps = 'step'
"""

# A unit that is behind in one funnel of an experiment is read again for all of them.
FIND_BEHIND = """
INSERT INTO fold_behind
SELECT DISTINCT e.experiment_id, e.unit, e.first_at, true
FROM fold_step s
JOIN {unitfunnel} f ON f.experiment_id = s.experiment_id AND f.metric_id = s.metric_id AND f.unit = s.unit
JOIN {enrolment} e ON e.experiment_id = s.experiment_id AND e.unit = s.unit
WHERE s.at <= f.latest
"""
FORGET_BEHIND = [
    """
DELETE FROM fold_step s USING fold_behind b WHERE b.experiment_id = s.experiment_id AND b.unit = s.unit
""",
    """
DELETE FROM {unitfunnel} f USING fold_behind b WHERE b.experiment_id = f.experiment_id AND b.unit = f.unit
""",
]

# The steps that were reached stand for all older events.
REACH = """
INSERT INTO {unitfunnel} AS f (experiment_id, metric_id, unit, reached, latest)
SELECT experiment_id, metric_id, unit, analysis_steps(at, step ORDER BY at, step), max(at)
FROM (
    SELECT experiment_id, metric_id, unit, step, at FROM fold_step
    UNION ALL
    SELECT k.experiment_id, k.metric_id, k.unit, r.step, r.at
    FROM (SELECT DISTINCT experiment_id, metric_id, unit FROM fold_step) s
    JOIN {unitfunnel} k ON k.experiment_id = s.experiment_id AND k.metric_id = s.metric_id AND k.unit = s.unit
    CROSS JOIN LATERAL unnest(k.reached) WITH ORDINALITY AS r(at, step)
) c
GROUP BY experiment_id, metric_id, unit
ON CONFLICT (experiment_id, metric_id, unit) DO UPDATE SET
    reached = excluded.reached, latest = greatest(f.latest, excluded.latest)
"""

FORGET_DAYS = """
DELETE FROM {unitday} d USING fold_step s
WHERE d.experiment_id = s.experiment_id AND d.metric_id = s.metric_id AND d.unit = s.unit
"""
COUNT_DAYS = """
INSERT INTO {unitday} (experiment_id, metric_id, unit, day, numerator, denominator, missing)
SELECT f.experiment_id, f.metric_id, f.unit, (f.reached[n.steps] AT TIME ZONE 'UTC')::date, 1, 0, 0
FROM (SELECT DISTINCT experiment_id, metric_id, unit FROM fold_step) s
JOIN {unitfunnel} f ON f.experiment_id = s.experiment_id AND f.metric_id = s.metric_id AND f.unit = s.unit
JOIN (SELECT experiment_id, metric_id, max(step) AS steps FROM fold_term WHERE keeps = 'step' GROUP BY 1, 2) n
  ON n.experiment_id = f.experiment_id AND n.metric_id = f.metric_id
WHERE cardinality(f.reached) = n.steps
"""
