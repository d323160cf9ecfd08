"""What a project's past says of how large changes of a metric are before an experiment has spoken."""

import math

from django.db import connection

from analysis.stats.bayes import LearnedPrior, learn_prior
from analysis.stats.unavailable import NotComputable
from experiments.domain.lifecycle import Status
from experiments.models import Experiment

MOST = 200
"""Past treatments that are read, the newest first: more would say the same and cost a page its time."""

NEWEST = """
WITH newest AS MATERIALIZED (
    SELECT v.id, v.as_of
      FROM analysis_effectvector v JOIN experiments_experiment e ON e.id = v.experiment_id
     WHERE v.project_id = %(project)s AND v.experiment_id <> %(experiment)s AND v.trustworthy
       AND v.metrics @> ARRAY[%(metric)s]::varchar[] AND e.status = %(stopped)s
     ORDER BY v.as_of DESC
     LIMIT %(most)s)
SELECT v.variant_id, v.log_lifts[p], v.log_covariance[(p - 1) * n - (p - 1) * (p - 2) / 2 + 1]
  FROM newest JOIN analysis_effectvector v USING (id),
       LATERAL (SELECT array_position(v.metrics, %(metric)s) AS p, cardinality(v.metrics) AS n) place
 ORDER BY newest.as_of DESC
"""
"""One metric's log lift and its variance: the upper triangle of the covariances is kept row by row."""


def learned(experiment: Experiment, metric: str) -> LearnedPrior | NotComputable:
    """Learn from the log lifts of the project's other experiments that have ended and whose split held."""
    asked: dict[str, int | str] = {
        "project": experiment.project_id, "experiment": experiment.pk, "metric": metric,
        "stopped": Status.STOPPED.value, "most": MOST,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, asked)
        rows = cursor.fetchall()
    effects: dict[int, tuple[float, float]] = {}
    for variant, lift, variance in rows:
        if variant not in effects and math.isfinite(lift) and math.isfinite(variance) and variance > 0:
            effects[variant] = (lift, math.sqrt(variance))
    return learn_prior([effect for effect, _ in effects.values()], [error for _, error in effects.values()])
