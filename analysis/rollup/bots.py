"""The SQL that keeps units with implausible rates out of the fold, as units with an override are kept out.

A unit broke a rule on a day. It is nobody's evidence in every experiment that ran on that day, in all variants alike,
whatever it did before or after. Which units broke it is in ``analysis_botday`` (analysis/bots/flagging.py); a list that
changes marks the experiments that it concerns, and the fold rebuilds them.
"""

# After the digests of plans are made: what is left out by rule must not look like another plan for all experiments.
LEAVE_OUT = """
INSERT INTO fold_override
SELECT DISTINCT x.experiment_id, b.unit
FROM fold_experiment x
JOIN analysis_botrule r ON r.project_id = x.project_id AND (x.stopped_at IS NULL OR x.stopped_at >= r.switched_on_at)
JOIN analysis_botday b ON b.project_id = x.project_id AND b.unit_type = x.unit_type
 AND (b.events > r.most_a_day OR b.busiest > r.most_a_minute)
 AND b.day >= (x.started_at AT TIME ZONE 'UTC')::date
 AND (x.stopped_at IS NULL OR b.day <= (x.stopped_at AT TIME ZONE 'UTC')::date)
ON CONFLICT DO NOTHING
"""

PLAN = "bots"
"""A plan that no experiment has, so that the next fold rebuilds what is marked with it."""

MARK = """
UPDATE analysis_foldedexperiment f SET plan = %(plan)s, changes = changes + 1
FROM experiments_experiment x
WHERE f.experiment_id = x.id AND x.project_id = %(project)s AND x.unit_type = %(unit_type)s
  AND (x.stopped_at IS NULL OR x.stopped_at >= %(switched_on_at)s::timestamptz)
  AND x.key IN (
      SELECT l.experiment FROM unnest(%(units)s::text[]) AS b(unit)
      JOIN events_log l ON l.project_id = %(project)s AND {unit} = b.unit {indexed}
      WHERE l.experiment IS NOT NULL AND l.environment = 0
  )
"""
"""Mark the experiments that units were exposed to; one that is marked needlessly is rebuilt to what it was."""
