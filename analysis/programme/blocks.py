"""An experiment's effect in each finished block of time, and how the blocks' errors go together: same units."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analysis.programme.cells import FORMS
from analysis.rollup import sql
from analysis.stats.estimates import Form
from analysis.stats.moments import Array
from experiments.domain.metrics import MetricKind
from experiments.models import Experiment, Metric, Variant

SETTLED_AFTER = timedelta(days=2)
"""Events of a block may come late by this much and still be in its numbers."""
CHUNK_UNITS = 100_000
BUCKETS = 50

UNITS = """
SELECT variant_id, ((first_at AT TIME ZONE 'UTC')::date - %(start)s::date) / %(days)s, unit
FROM analysis_enrolment
WHERE experiment_id = %(experiment)s AND NOT quarantined AND bucket >= %(low)s AND bucket < %(high)s
ORDER BY unit
"""
TOTALS = """
SELECT u.unit, (u.day - %(start)s::date) / %(days)s, sum(u.numerator)::float8, sum(u.denominator)::float8
FROM analysis_unitday u
JOIN analysis_enrolment e ON e.experiment_id = u.experiment_id AND e.unit = u.unit AND NOT e.quarantined
WHERE u.experiment_id = %(experiment)s AND u.metric_id = %(metric)s AND e.bucket >= %(low)s AND e.bucket < %(high)s
  AND u.day >= %(start)s::date AND u.day < %(end)s::date
GROUP BY 1, 2
"""
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """Log lifts of finished blocks, shape (J,), and their covariance, shape (J, J)."""

    lifts: Array
    covariance: Array


@dataclass(slots=True, kw_only=True, eq=False)
class Tally:
    """Sums of one variant over its units. A unit is in a block from the one on in which it was first exposed.

    Attributes:
        count: shape (J,), units in each block; those of a block are in all later ones.
        totals: shape (J, c), sums of the c columns over the units of each block.
        products: shape (c, c), sums of products; a column is 0 for units that are not in its block yet.
    """

    count: Array
    totals: Array
    products: Array

    @classmethod
    def empty(cls, blocks: int, columns: int) -> "Tally":
        """Return the tally of nobody."""
        return cls(count=np.zeros(blocks), totals=np.zeros((blocks, columns)), products=np.zeros((columns, columns)))

    def add(self, entered: Labels, values: Array) -> None:
        """Add units: the block that each entered in, and its numbers."""
        inside = entered[:, None] <= np.arange(len(self.count))
        self.count += inside.sum(axis=0)
        self.totals += inside.T.astype(np.float64) @ values
        self.products += values.T @ values


def finished(since: datetime, days: int, now: datetime) -> int:
    """Return how many blocks since then are over, late events included."""
    first = _first_day(since)
    over = datetime.combine(first, datetime.min.time(), UTC)
    return max(0, math.floor((now - SETTLED_AFTER - over) / timedelta(days=days)))


def span(since: datetime, days: int, block: int) -> tuple[datetime, datetime]:
    """Return when a block begins and ends."""
    first = datetime.combine(_first_day(since), datetime.min.time(), UTC)
    return first + timedelta(days=days * block), first + timedelta(days=days * (block + 1))


def _first_day(since: datetime) -> date:
    return since.astimezone(UTC).date()


def effects(experiment: Experiment, metric: Metric, days: int, count: int) -> Blocks | None:
    """Return the treatment's effect in each of ``count`` blocks; None where a value is not above zero or nobody is in.

    Randomised units stay randomised in every block, whenever they came; so each block compares those who had come.
    """
    kind = MetricKind(metric.kind)
    if experiment.started_at is None or kind not in FORMS or count == 0:
        return None
    variants = list(experiment.variants.all()[:2])
    tallies = _tallies(experiment, metric, kind, days, count, variants)
    values, covariances = zip(*(_means(tallies[one.pk], FORMS[kind], count) for one in variants), strict=True)
    if not all(np.isfinite(one).all() and (one > 0).all() for one in values):
        return None
    relative = [cov / np.outer(value, value) for value, cov in zip(values, covariances, strict=True)]
    return Blocks(lifts=np.log(values[1] / values[0]), covariance=relative[0] + relative[1])


def _tallies(
    experiment: Experiment, metric: Metric, kind: MetricKind, days: int, count: int, variants: list[Variant]
) -> dict[int, Tally]:
    assert experiment.started_at is not None  # noqa: S101  (``effects`` has looked)
    width = count * (2 if FORMS[kind] is Form.RATIO else 1)
    tallies = {one.pk: Tally.empty(count, width) for one in variants}
    first = _first_day(experiment.started_at)
    parameters: dict[str, sql.Parameter] = {
        "experiment": experiment.pk,
        "metric": metric.pk,
        "days": days,
        "start": first.isoformat(),
        "end": (first + timedelta(days=days * count)).isoformat(),
    }
    units = sql.number("SELECT count(*) FROM analysis_enrolment WHERE experiment_id = %(experiment)s", parameters)
    parts = min(BUCKETS, max(1, math.ceil(units / CHUNK_UNITS)))
    edges = [round(BUCKETS * part / parts) for part in range(parts + 1)]
    for low, high in pairwise(edges):
        _add_chunk({**parameters, "low": low, "high": high}, kind, count, tallies)
    return tallies


def _add_chunk(parameters: dict[str, sql.Parameter], kind: MetricKind, count: int, tallies: dict[int, Tally]) -> None:
    rows = sql.rows(UNITS, parameters)
    if not rows:
        return
    place = {unit: i for i, (_, _, unit) in enumerate(rows)}
    ratio = FORMS[kind] is Form.RATIO
    values = np.zeros((len(rows), count * (2 if ratio else 1)))
    for unit, block, y, x in sql.rows(TOTALS, parameters):
        values[place[unit], block] = min(1.0, y) if kind is MetricKind.PROPORTION else y
        if ratio:
            values[place[unit], count + block] = x
    variant = np.array([row[0] for row in rows], dtype=np.int64)
    entered = np.maximum(0, np.array([row[1] for row in rows], dtype=np.int64))
    for pk, tally in tallies.items():
        own = (variant == pk) & (entered < count)
        tally.add(entered[own], values[own])


def _means(tally: Tally, form: Form, count: int) -> tuple[Array, Array]:
    """Return a variant's value in each block and their covariance.

    Units of block j are in every later block k: Cov(mean_j, mean_k) = C_jk / n_k, C_jk over the units of j. A ratio is
    taken by its linear part (delta method), as everywhere.
    """
    columns = tally.totals.shape[1]
    block = np.arange(columns) % count
    earlier = np.minimum.outer(block, block)
    later = np.maximum.outer(block, block)
    n = np.maximum(tally.count, 1.0)
    means = tally.totals[block, np.arange(columns)] / n[block]
    over = tally.totals[earlier, np.arange(columns)[:, None]] * tally.totals[earlier, np.arange(columns)[None, :]]
    within = (tally.products - over / n[earlier]) / np.maximum(n[earlier] - 1, 1)
    covariance = within / n[later]
    if (tally.count < 2).any():
        return np.full(count, np.nan), np.full((count, count), np.nan)
    if form is not Form.RATIO:
        return means, covariance
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = means[:count] / means[count:]
        slope = np.hstack([np.diag(1 / means[count:]), np.diag(-ratio / means[count:])])
    return ratio, np.asarray(slope @ covariance @ slope.T)
