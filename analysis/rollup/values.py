"""The SQL that keeps each unit's values: what quantiles and distinct counts follow from."""

SCRATCH = """
CREATE TEMP TABLE IF NOT EXISTS fold_distinct (
    experiment_id bigint NOT NULL, metric_id bigint NOT NULL, unit text NOT NULL
) ON COMMIT DELETE ROWS;
"""

# Of what had a distinct value in these rows is remembered, because its days must be counted anew: a late event may
# show that a value was there before the day that it was counted on.
ADD_VALUES = """
WITH added AS (
    INSERT INTO {unitvalue} AS d (experiment_id, metric_id, unit, day, value, events)
    SELECT experiment_id, metric_id, unit, day, value, count(*)
    FROM (
        SELECT t.experiment_id, t.metric_id, e.unit, (l.at AT TIME ZONE 'UTC')::date AS day,
               CASE t.keeps WHEN 'value' THEN analysis_rounded(analysis_number(l.props -> t.property))
                            ELSE analysis_hashed(l.props -> t.property) END AS value
        {source} AND l.at >= e.first_at AND t.keeps IN ('value', 'distinct')
        OFFSET 0
    ) c
    WHERE value IS NOT NULL
    GROUP BY experiment_id, metric_id, unit, day, value
    ON CONFLICT (experiment_id, metric_id, unit, day, value) DO UPDATE SET events = d.events + excluded.events
    RETURNING experiment_id, metric_id, unit
)
INSERT INTO fold_distinct
SELECT DISTINCT a.experiment_id, a.metric_id, a.unit FROM added a
WHERE EXISTS (
    SELECT FROM fold_term t
    WHERE t.experiment_id = a.experiment_id AND t.metric_id = a.metric_id AND t.keeps = 'distinct'
)
"""

FORGET_DAYS = """
DELETE FROM {unitday} d USING fold_distinct t
WHERE d.experiment_id = t.experiment_id AND d.metric_id = t.metric_id AND d.unit = t.unit
"""

# What was read of an experiment that is rebuilt may have been another metric's (analysis/quantile_readings.py).
FORGET_STALE = """
DELETE FROM analysis_quantilereading t USING fold_experiment x WHERE x.stale AND t.experiment_id = x.experiment_id
"""

# A value counts on the first day on which the unit had it.
COUNT_DAYS = """
INSERT INTO {unitday} (experiment_id, metric_id, unit, day, numerator, denominator, missing)
SELECT experiment_id, metric_id, unit, day, count(*), 0, 0
FROM (
    SELECT v.experiment_id, v.metric_id, v.unit, v.value, min(v.day) AS day
    FROM {unitvalue} v
    JOIN (SELECT DISTINCT experiment_id, metric_id, unit FROM fold_distinct) t
      ON t.experiment_id = v.experiment_id AND t.metric_id = v.metric_id AND t.unit = v.unit
    GROUP BY v.experiment_id, v.metric_id, v.unit, v.value
) first
GROUP BY experiment_id, metric_id, unit, day
"""
