"""The SQL that keeps what a model predicted: each unit's first score of a day, from its exposures.

Of two exposures at the very same moment the lower score counts, whatever came first. Every exposure that counts lies at
or after the unit's first, so a first exposure that moves takes no score away.
"""

PROPERTY = "score"
"""The property of an exposure that holds what the model predicted."""

# Each row that carries a score looks its unit up by the key. As a plain join PostgreSQL, whose statistics do not know
# an experiment that has just enrolled, read all of the experiment's units for each row: 90 s at 16,000 units.
_ADD = """
INSERT INTO {{unitscore}} AS s (experiment_id, unit, day, at, value)
SELECT DISTINCT ON (experiment_id, unit, day) experiment_id, unit, day, at, value
FROM (
    SELECT said.experiment_id, e.unit, (said.at AT TIME ZONE 'UTC')::date AS day, said.at, said.value
    FROM (
        SELECT x.experiment_id, {{unit}} AS unit, l.at,
               analysis_rounded(analysis_number(l.props -> '{property}')) AS value
        FROM fold_experiment x
        JOIN {{log}} l ON l.project_id = x.project_id AND l.experiment = x.key
        JOIN experiments_variant v ON v.experiment_id = x.experiment_id AND v.key = l.variant
        WHERE {{rows}} AND l.props ? '{property}'
          AND l.at >= x.started_at AND (x.stopped_at IS NULL OR l.at <= x.stopped_at)
        OFFSET 0
    ) said
    CROSS JOIN LATERAL (
        SELECT e.unit FROM {{enrolment}} e WHERE e.experiment_id = said.experiment_id AND e.unit = said.unit OFFSET 0
    ) e
    WHERE said.value IS NOT NULL
) found
ORDER BY experiment_id, unit, day, at, value
ON CONFLICT (experiment_id, unit, day) DO UPDATE SET at = excluded.at, value = excluded.value
WHERE (excluded.at, excluded.value) < (s.at, s.value)
"""
ADD = _ADD.format(property=PROPERTY)
"""Add the scores of exposures in ``{log}`` that meet ``{rows}``; their units, ``{unit}``, are enrolled."""
