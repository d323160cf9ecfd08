"""Quantiles of a property over all events, by variant, with the standard error that knows whose events they are.

Two passes of counting over the values that the fold keeps (``UnitValue``): a histogram of each variant, from which the
quantile and later its order statistics are read; and for each unit how many of its values lie at or below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from analysis.counted import Counted
from analysis.covariates import Moment
from analysis.crossing import Key
from analysis.rollup import sql
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.stats.estimates import Estimate
from analysis.stats.moments import Array, pair_moments
from analysis.stats.quantiles import from_order_statistics, ranks, value_rank
from analysis.stats.unavailable import NotComputable
from experiments.domain.shares import WHOLE
from experiments.models import Experiment

COUNTED = """
FROM analysis_unitvalue v
JOIN analysis_enrolment e ON e.experiment_id = v.experiment_id AND e.unit = v.unit AND NOT e.quarantined
WHERE v.experiment_id = %(experiment)s AND v.metric_id = %(metric)s AND v.day <= %(until)s::date
  AND (%(hours)s = 0 OR e.first_at + make_interval(hours => %(hours)s) <= %(horizon)s::timestamptz)
  AND ((e.first_at + make_interval(hours => %(hours)s)) AT TIME ZONE 'UTC')::date <= %(until)s::date
"""
HISTOGRAM = "SELECT e.variant_id, v.value::float8, sum(v.events)::bigint {counted} GROUP BY 1, 2 ORDER BY 1, 2"
BELOW = """
SELECT count(*), sum(s), sum(n), sum(s * s), sum(s * n), sum(n * n)
FROM (
    SELECT coalesce(sum(v.events) FILTER (WHERE v.value::float8 <= %(at)s), 0) AS s, sum(v.events) AS n
    {counted} AND e.variant_id = %(variant)s
    GROUP BY v.unit
) one
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Histogram:
    """Values, rising, and how many events of a variant have at most each of them."""

    values: Array
    reached: NDArray[np.int64]

    def at(self, rank: int) -> float:
        """Return the value of a rank: 1 is the smallest event's."""
        return float(self.values[int(np.searchsorted(self.reached, rank))])

    @property
    def rows(self) -> int:
        """Return how many events there are."""
        return int(self.reached[-1])


def collect(
    experiment: Experiment, metrics: Sequence[Counted], variants: Sequence[int], at: Moment
) -> dict[Key, Estimate | NotComputable]:
    """Return (metric, variant) -> the quantile of each metric that is one."""
    found: dict[Key, Estimate | NotComputable] = {}
    for one in metrics:
        if one.is_quantile:
            parameters = _parameters(experiment, one, at)
            histograms = _histograms(parameters)
            for variant in variants:
                found[one.metric, variant] = _estimate(one, variant, histograms.get(variant), parameters)
    return found


def _parameters(experiment: Experiment, one: Counted, at: Moment) -> dict[str, sql.Parameter]:
    return {
        "experiment": experiment.pk,
        "metric": one.metric,
        "hours": one.matures,
        "horizon": at.horizon.isoformat(),
        "until": at.until.isoformat(),
    }


def _histograms(parameters: dict[str, sql.Parameter]) -> dict[int, Histogram]:
    rows = _rows(HISTOGRAM.format(counted=COUNTED), parameters)
    found = {}
    for variant in dict.fromkeys(row[0] for row in rows):
        table = np.array([row[1:] for row in rows if row[0] == variant], dtype=np.float64)
        found[variant] = Histogram(values=table[:, 0], reached=table[:, 1].astype(np.int64).cumsum())
    return found


def _estimate(
    one: Counted, variant: int, histogram: Histogram | None, parameters: dict[str, sql.Parameter]
) -> Estimate | NotComputable:
    if histogram is None:
        return NotComputable("no unit has a value")
    level = (one.definition.level or WHOLE // 2) / WHOLE
    value = histogram.at(value_rank(histogram.rows, level))
    ((units, *sums),) = _rows(BELOW.format(counted=COUNTED), {**parameters, "variant": variant, "at": value})
    below, count, below_below, below_count, count_count = sums
    counts = pair_moments(units, below, count, below_below, below_count, count_count)
    between = ranks(level, counts)
    if isinstance(between, NotComputable):
        return between
    return from_order_statistics(units, value, histogram.at(between.lower), histogram.at(between.upper))


@transaction.atomic
def _rows(statement: str, parameters: dict[str, sql.Parameter]) -> list[tuple[Any, ...]]:
    sql.run(SCAN)
    found = sql.rows(statement, parameters)
    sql.run(NO_SCAN)
    return found
