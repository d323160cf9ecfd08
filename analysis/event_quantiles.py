"""Quantiles of a property over all events, by variant, with the standard error that knows whose events they are.

Two passes of counting over the values that the fold keeps (``UnitValue``): a histogram of each variant, from which the
quantile and later its order statistics are read; and for each unit how many of its values lie at or below it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from analysis.counted import Counted
from analysis.covariates import Moment
from analysis.rollup import sql
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.stats.estimates import Estimate
from analysis.stats.moments import Array, Moments, pair_moments
from analysis.stats.quantiles import from_order_statistics, ranks, value_rank
from analysis.stats.unavailable import NotComputable
from experiments.domain.shares import WHOLE
from experiments.models import Experiment

COUNTED = """
FROM analysis_unitvalue v
JOIN analysis_enrolment e ON e.experiment_id = v.experiment_id AND e.unit = v.unit AND NOT e.quarantined
{also}
WHERE v.experiment_id = %(experiment)s AND v.metric_id = %(metric)s AND v.day <= %(until)s::date
  AND (%(hours)s = 0 OR e.first_at + make_interval(hours => %(hours)s) <= %(horizon)s::timestamptz)
  AND ((e.first_at + make_interval(hours => %(hours)s)) AT TIME ZONE 'UTC')::date <= %(until)s::date
"""
HISTOGRAM = f"""
SELECT e.variant_id, v.value::float8, sum(v.events)::bigint {COUNTED.format(also="")} GROUP BY 1, 2 ORDER BY 1, 2
"""
_QUANTILES = (
    "JOIN unnest(%(variants)s::bigint[], %(ats)s::float8[]) AS q(variant_id, at) ON q.variant_id = e.variant_id"
)
BELOW = f"""
SELECT variant_id, count(*), sum(s), sum(n), sum(s * s), sum(s * n), sum(n * n)
FROM (
    SELECT e.variant_id, coalesce(sum(v.events) FILTER (WHERE v.value::float8 <= q.at), 0) AS s, sum(v.events) AS n
    {COUNTED.format(also=_QUANTILES)}
    GROUP BY e.variant_id, v.unit
) one
GROUP BY variant_id
"""  # noqa: S608  (own words)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A metric's quantile in each variant, and how many values all variants have."""

    estimates: Mapping[int, Estimate | NotComputable]
    values: int


def read(experiment: Experiment, one: Counted, variants: Sequence[int], at: Moment) -> Read:
    """Read the quantile of a metric from every value of every unit that counts."""
    parameters, level = _parameters(experiment, one, at), (one.definition.level or WHOLE // 2) / WHOLE
    histograms = _histograms(parameters)
    quantiles = {variant: histogram.at(value_rank(histogram.rows, level)) for variant, histogram in histograms.items()}
    counts = _counts(quantiles, parameters) if quantiles else {}
    nothing = NotComputable("no unit has a value")
    return Read(
        estimates={
            variant: _estimate(level, quantiles[variant], counts[variant], histograms[variant])
            if variant in counts
            else nothing
            for variant in variants
        },
        values=sum(histogram.rows for histogram in histograms.values()),
    )


def _parameters(experiment: Experiment, one: Counted, at: Moment) -> dict[str, sql.Parameter]:
    return {
        "experiment": experiment.pk,
        "metric": one.metric,
        "hours": one.matures,
        "horizon": at.horizon.isoformat(),
        "until": at.until.isoformat(),
    }


def _histograms(parameters: dict[str, sql.Parameter]) -> dict[int, Histogram]:
    rows = _rows(HISTOGRAM, parameters)
    found = {}
    for variant in dict.fromkeys(row[0] for row in rows):
        table = np.array([row[1:] for row in rows if row[0] == variant], dtype=np.float64)
        found[variant] = Histogram(values=table[:, 0], reached=table[:, 1].astype(np.int64).cumsum())
    return found


def _counts(quantiles: Mapping[int, float], parameters: dict[str, sql.Parameter]) -> dict[int, Moments]:
    """Return variant -> moments over its units of (values at or below its quantile, values)."""
    asked: dict[str, sql.Parameter] = {"variants": list(quantiles), "ats": list(quantiles.values())}
    return {
        variant: pair_moments(units, below, count, below_below, below_count, count_count)
        for variant, units, below, count, below_below, below_count, count_count in _rows(BELOW, {**parameters, **asked})
    }


def _estimate(level: float, value: float, counts: Moments, histogram: Histogram) -> Estimate | NotComputable:
    between = ranks(level, counts)
    if isinstance(between, NotComputable):
        return between
    return from_order_statistics(counts.n, value, histogram.at(between.lower), histogram.at(between.upper))


@transaction.atomic
def _rows(statement: str, parameters: dict[str, sql.Parameter]) -> list[tuple[Any, ...]]:
    sql.run(SCAN)
    found = sql.rows(statement, parameters)
    sql.run(NO_SCAN)
    return found
