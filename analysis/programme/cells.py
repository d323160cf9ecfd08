"""The four combinations of two experiments, straight from the units: who is in which, and what they came to."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from django.db import transaction

from analysis.rollup import sql
from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.moments import Moments, mean_moments, pair_moments
from analysis.stats.unavailable import NotComputable
from experiments.domain.metrics import MetricKind
from experiments.models import Experiment, Metric

FORMS = {
    MetricKind.PROPORTION: Form.PROPORTION,
    MetricKind.COUNT: Form.MEAN,
    MetricKind.SUM: Form.MEAN,
    MetricKind.RATIO: Form.RATIO,
    MetricKind.MEAN: Form.RATIO,
}
"""Kinds whose units' totals add up from the days that are kept; the others cannot be told for a part of the units."""
LONGEST = 60_000
"""Milliseconds that one pair may keep the database busy."""

BOTH = """
SELECT a.unit, a.variant_id AS first, b.variant_id AS second
FROM analysis_enrolment a
JOIN analysis_enrolment b ON b.experiment_id = %(second)s AND b.unit = a.unit AND NOT b.quarantined
WHERE a.experiment_id = %(first)s AND NOT a.quarantined
"""
COUNTS = f"SELECT first, second, count(*) FROM ({BOTH}) both_of_them GROUP BY first, second"  # noqa: S608
SUMS = f"""
WITH both_of_them AS ({BOTH}), total AS (
    SELECT unit, CASE WHEN %(capped)s = 1 THEN least(1, sum(numerator)) ELSE sum(numerator) END AS y,
           sum(denominator) AS x
    FROM analysis_unitday WHERE experiment_id = %(counted)s AND metric_id = %(metric)s GROUP BY unit
)
SELECT first, second, count(*), coalesce(sum(y), 0), coalesce(sum(y * y), 0), coalesce(sum(x), 0),
       coalesce(sum(x * x), 0), coalesce(sum(x * y), 0)
FROM both_of_them LEFT JOIN total USING (unit) GROUP BY first, second
"""  # noqa: S608

Cell = tuple[int, int]
"""Variant ids of the first and of the second experiment."""


def shared(first: Experiment, second: Experiment) -> dict[Cell, int]:
    """Return how many units are in both experiments, by the pair of variants that they have."""
    rows = _rows(COUNTS, {"first": first.pk, "second": second.pk})
    return {(a, b): count for a, b, count in rows}


def estimates(
    first: Experiment, second: Experiment, metric: Metric, counted_by: Experiment
) -> dict[Cell, Estimate | NotComputable]:
    """Return the metric's value in each combination, as ``counted_by`` counts it: from its own exposure on."""
    kind = MetricKind(metric.kind)
    parameters: dict[str, sql.Parameter] = {
        "first": first.pk,
        "second": second.pk,
        "counted": counted_by.pk,
        "metric": metric.pk,
        "capped": int(kind is MetricKind.PROPORTION),
    }
    return {(a, b): estimate(FORMS[kind], _moments(kind, sums)) for a, b, *sums in _rows(SUMS, parameters)}


def _moments(kind: MetricKind, sums: list[Any]) -> Moments:
    n, y, yy, x, xx, xy = int(sums[0]), *(Fraction(one) for one in sums[1:])
    if FORMS[kind] is Form.RATIO:
        return pair_moments(n, y, x, yy, xy, xx)
    return mean_moments(n, y, yy)


@transaction.atomic
def _rows(statement: str, parameters: Mapping[str, sql.Parameter]) -> list[tuple[Any, ...]]:
    sql.run("SET LOCAL work_mem = '64MB'")
    sql.run(f"SET LOCAL statement_timeout = {LONGEST}")
    return sql.rows(statement, parameters)
