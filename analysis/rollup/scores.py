"""The SQL that keeps what a model predicted: each unit's first score of a day, from its exposures.

Of two exposures at the very same moment the lower score counts, whatever came first. Every exposure that counts lies at
or after the unit's first, so a first exposure that moves takes no score away.
"""

PROPERTY = "score"
"""The property of an exposure that holds what the model predicted."""

_ADD = """
INSERT INTO {{unitscore}} AS s (experiment_id, unit, day, at, value)
SELECT DISTINCT ON (experiment_id, unit, day) experiment_id, unit, day, at, value
FROM (
    SELECT x.experiment_id, e.unit, (l.at AT TIME ZONE 'UTC')::date AS day, l.at,
           analysis_rounded(analysis_number(l.props -> '{property}')) AS value
    FROM fold_experiment x
    JOIN {{log}} l ON l.project_id = x.project_id AND l.experiment = x.key
    JOIN experiments_variant v ON v.experiment_id = x.experiment_id AND v.key = l.variant
    JOIN {{enrolment}} e ON e.experiment_id = x.experiment_id AND e.unit = {{unit}}
    WHERE {{rows}} AND l.props ? '{property}'
      AND l.at >= x.started_at AND (x.stopped_at IS NULL OR l.at <= x.stopped_at)
    OFFSET 0
) found
WHERE value IS NOT NULL
ORDER BY experiment_id, unit, day, at, value
ON CONFLICT (experiment_id, unit, day) DO UPDATE SET at = excluded.at, value = excluded.value
WHERE (excluded.at, excluded.value) < (s.at, s.value)
"""
ADD = _ADD.format(property=PROPERTY)
"""Add the scores of exposures in ``{log}`` that meet ``{rows}``; their units, ``{unit}``, are enrolled."""
