"""The SQL of what metrics listen to: one row, a term, for each event name that a metric of an experiment reads."""

# counts: adds to the numerator, ``sign`` for each event or times its property. divides: adds to the denominator, by
# 'event' (each one), 'value' (its property), 'carrying' (1 if it carries a number), or not at all (''). keeps: 'total'
# alone, or beside it each 'value' of the property; or 'distinct' values or the times of a funnel's 'step' instead.
# opens, closes: the window after the first exposure, NULL where it is open. before: how long before the first exposure
# events count towards the covariate, NULL for none. path: the condition that the properties must meet.
SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS fold_term (
    experiment_id bigint NOT NULL, project_id bigint NOT NULL, metric_id bigint NOT NULL, name text NOT NULL,
    step smallint NOT NULL, counts boolean NOT NULL, adds_property boolean NOT NULL, sign smallint NOT NULL,
    property text NOT NULL, divides text NOT NULL, keeps text NOT NULL, opens interval, closes interval,
    before interval, path jsonpath
) ON COMMIT DELETE ROWS;
"""

_COLUMNS = """
d.kind, d.event, d.property, d.filters, d.denominator_event, d.denominator_property, d.denominator_filters,
d.refund_event, d.refund_property, d.steps, d.delay_hours, d.window_hours, d.covariate_days
"""

# What a started experiment's metric counts is the version that was fixed, or the metric's own where none was.
_FILL = """
INSERT INTO fold_term
WITH counted AS ({counted})
SELECT x.id, x.project_id, m.metric_id, t.name, t.step, t.counts, t.adds_property, t.sign, t.property, t.divides,
       t.keeps, CASE WHEN m.delay_hours > 0 THEN make_interval(hours => m.delay_hours) END,
       make_interval(hours => m.delay_hours + m.window_hours),
       CASE WHEN x.adjusted AND m.covariate_days > 0 AND t.is_before
            THEN make_interval(hours => 24 * m.covariate_days) END,
       CASE WHEN t.filters <> '[]' THEN analysis_path(t.filters) END
FROM {experiments} x
JOIN counted m ON m.experiment_id = x.id
CROSS JOIN LATERAL (
    SELECT m.event AS name, 0 AS step, true AS counts,
           m.kind IN ('sum', 'mean', 'quantile') OR (m.kind = 'ratio' AND m.property <> '') AS adds_property, 1 AS sign,
           m.property, CASE WHEN m.kind IN ('mean', 'quantile') THEN 'carrying' ELSE '' END AS divides,
           CASE m.kind WHEN 'quantile' THEN 'value' WHEN 'distinct' THEN 'distinct' ELSE 'total' END AS keeps,
           m.filters, m.kind <> 'quantile' AS is_before
    WHERE m.kind <> 'funnel'
    UNION ALL
    SELECT m.denominator_event, 0, false, m.denominator_property <> '', 1, m.denominator_property,
           CASE WHEN m.denominator_property <> '' THEN 'value' ELSE 'event' END, 'total', m.denominator_filters, true
    WHERE m.kind = 'ratio'
    UNION ALL
    SELECT m.refund_event, 0, true, true, -1, m.refund_property, '', 'total', '[]', true WHERE m.refund_event <> ''
    UNION ALL
    SELECT s.step ->> 'event', s.number, true, false, 1, '', '', 'step', s.step -> 'filters',
           s.number = jsonb_array_length(m.steps)
    FROM jsonb_array_elements(m.steps) WITH ORDINALITY AS s(step, number)
) t
WHERE x.started_at IS NOT NULL AND x.design = '{{}}'  -- kinds with a design add up their metrics by themselves
"""
_COUNTED = """
    SELECT p.experiment_id, p.metric_id, {columns}
    FROM experiments_experimentmetric p JOIN experiments_metric d ON d.id = p.metric_id WHERE p.version_id IS NULL
    UNION ALL
    SELECT p.experiment_id, p.metric_id, {columns}
    FROM experiments_experimentmetric p JOIN experiments_metricversion d ON d.id = p.version_id
"""
FILL_TERMS = _FILL.format(counted=_COUNTED.format(columns=_COLUMNS), experiments="experiments_experiment")

# A definition that no metric has yet, given as parameters, for the one experiment in ``fold_experiment``.
_GIVEN = """
    SELECT 0::bigint AS experiment_id, 0::bigint AS metric_id, %(kind)s::text AS kind, %(event)s::text AS event,
           %(property)s::text AS property, %(filters)s::jsonb AS filters,
           %(denominator_event)s::text AS denominator_event, %(denominator_property)s::text AS denominator_property,
           %(denominator_filters)s::jsonb AS denominator_filters, %(refund_event)s::text AS refund_event,
           %(refund_property)s::text AS refund_property, %(steps)s::jsonb AS steps, %(delay_hours)s::int AS delay_hours,
           %(window_hours)s::int AS window_hours, 0 AS covariate_days
"""
_PRETENDED = """
(SELECT experiment_id AS id, project_id, false AS adjusted, started_at, '{}'::jsonb AS design FROM fold_experiment)
"""
FILL_ONE_TERM = _FILL.format(counted=_GIVEN, experiments=_PRETENDED)

LEAVE_OUT_THEIR_TERMS = """
DELETE FROM fold_term t WHERE NOT EXISTS (SELECT FROM fold_experiment x WHERE x.experiment_id = t.experiment_id)
"""

# What of a chunk must be kept beside totals, and whether anything reaches back before an exposure.
USED = "SELECT DISTINCT t.keeps, t.before IS NOT NULL FROM fold_term t"

COUNTS = """
    AND ((l.at >= e.first_at AND (t.opens IS NULL OR l.at >= e.first_at + t.opens)
          AND (t.closes IS NULL OR l.at < e.first_at + t.closes))
         OR (t.before IS NOT NULL AND l.at < e.first_at AND l.at >= e.first_at - t.before))
    AND (t.path IS NULL OR jsonb_path_match(l.props, t.path, silent => true))
"""
"""Whether an event ``l`` of an enrolled unit ``e`` counts for a term ``t``, after its exposure or before it."""
