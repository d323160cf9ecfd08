"""The programme as arrays: experiments by metrics, with everything that estimators read."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analysis.programme import choice
from analysis.programme.vectors import FOLDS, Vector
from analysis.stats.moments import Array
from analysis.stats.programme.effects import Programme
from analysis.stats.unavailable import NotComputable

MOST_METRICS = 20
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """Effects of K treatments on m metrics; NaN where a treatment's experiment does not measure one.

    Attributes:
        vectors: the treatments.
        metrics: keys, the most measured first.
        effects: shape (K, m), log lifts.
        covariances: shape (K, m, m).
        folds: shape (K, FOLDS, m).
        groups: shape (K,), the same number for treatments that are no separate evidence.
        units: shape (K,).
    """

    vectors: Sequence[Vector]
    metrics: list[str]
    effects: Array
    covariances: Array
    folds: Array
    groups: Rows
    units: Rows

    @classmethod
    def of(cls, vectors: Sequence[Vector], known: set[str], first: str = "") -> Self:
        """Lay vectors out; ``first`` is kept whatever else is measured more often."""
        counts = Counter(metric for one in vectors for metric in one.metrics if metric in known)
        order = sorted(counts, key=lambda key: (key != first, -counts[key], key))[:MOST_METRICS]
        count, width = len(vectors), len(order)
        effects, folds = np.full((count, width), np.nan), np.full((count, FOLDS, width), np.nan)
        covariances = np.full((count, width, width), np.nan)
        for rows, own in _alike(vectors):
            there = places(i for i, key in enumerate(order) if key in own)
            here = places(own.index(order[i]) for i in there)
            found = [vectors[k] for k in rows]
            effects[np.ix_(rows, there)] = np.stack([one.log_lifts for one in found])[:, here]
            noise = np.stack([one.log_covariance for one in found])
            covariances[np.ix_(rows, there, there)] = noise[:, here][:, :, here]
            folds[np.ix_(rows, np.arange(FOLDS), there)] = np.stack([one.folds for one in found])[:, :, here]
        return cls(
            vectors=vectors,
            metrics=order,
            effects=effects,
            covariances=covariances,
            folds=folds,
            groups=np.array(choice.groups(vectors), dtype=np.int64),
            units=np.array([one.units for one in vectors], dtype=np.int64),
        )

    def programme(self, metrics: Sequence[str]) -> tuple[Programme | NotComputable, Rows]:
        """Return the programme of the treatments that have all these metrics (the business metric last), and which."""
        at = places(self.metrics.index(metric) for metric in metrics)
        effects = self.effects[:, at]
        noise = self.covariances[np.ix_(np.arange(len(self.vectors)), at, at)]
        kept = np.isfinite(effects).all(axis=1) & np.isfinite(noise).all(axis=(1, 2))
        kept &= (np.diagonal(noise, axis1=1, axis2=2) > 0).all(axis=1)
        rows = np.flatnonzero(kept)
        return Programme.of(effects[rows], noise[rows]), rows

    def fold_effects(self, metrics: Sequence[str], rows: Rows) -> Array:
        """Return the effects by fold of some treatments, shape (rows, FOLDS, metrics)."""
        at = places(self.metrics.index(metric) for metric in metrics)
        return np.asarray(self.folds[np.ix_(rows, np.arange(FOLDS), at)])


def places(found: Iterable[int]) -> Rows:
    """Return places as an array that can index others."""
    return np.array(list(found), dtype=np.int64)


def _alike(vectors: Sequence[Vector]) -> list[tuple[Rows, tuple[str, ...]]]:
    """Return the places of treatments that measure the same metrics in the same order, by those metrics."""
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, one in enumerate(vectors):
        found[one.metrics].append(place)
    return [(np.array(rows, dtype=np.int64), metrics) for metrics, rows in found.items()]
