"""Capping (winsorising): one cap for all variants, with the uncapped comparison beside it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.compare import ComparisonNumbers, compare
from analysis.stats.estimates import Form
from analysis.stats.moments import Array, Moments
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ValueCounts:
    """An exact histogram: each distinct total and how many units have it, rising."""

    values: Array
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: ArrayLike) -> "ValueCounts":
        """Return the histogram of one total a unit."""
        distinct, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
        return cls(values=distinct, counts=counts.astype(np.int64))

    @property
    def n(self) -> int:
        """Return the number of units."""
        return int(self.counts.sum())

    def moments(self, cap: float = math.inf) -> Moments:
        """Return the moments with every total above ``cap`` counted as the cap."""
        n = self.n
        if n == 0:
            return Moments.empty(with_third=True)
        held = np.minimum(self.values, cap)
        mean = float(held @ self.counts) / n
        off = held - mean
        powers = [float((off**power) @ self.counts) for power in (2, 3)]
        return Moments(n=n, mean=np.array([mean]), comoment=np.array([[powers[0]]]), third=np.array([powers[1]]))

    def above(self, cap: float) -> int:
        """Return how many units have more than ``cap``."""
        return int(self.counts[self.values > cap].sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Capped:
    """A comparison with the cap, the same without, and how many units the cap touched. They answer two questions."""

    cap: float
    units_capped: int
    numbers: ComparisonNumbers
    uncapped: ComparisonNumbers


def pooled_percentile(parts: Iterable[ValueCounts], percentile: float) -> float | NotComputable:
    """Return the total at a percentile (0 to 100) of all variants together: the smallest that so many do not exceed.

    One cap for all: a cap of each variant's own would hide a gain that large totals make. Estimated on the data that it
    caps, which matters little from p95 on with many units; for p99.9 a cap fixed beforehand is safer.
    """
    if not 0 < percentile < 100:
        raise ValueError(f"a percentile lies between 0 and 100; got {percentile}")
    all_parts = list(parts)
    total = sum(part.n for part in all_parts)
    if total == 0:
        return NotComputable("no unit has a total")
    values = np.concatenate([part.values for part in all_parts])
    counts = np.concatenate([part.counts for part in all_parts])
    order = np.argsort(values, kind="stable")
    place = int(np.searchsorted(counts[order].cumsum(), math.ceil(total * percentile / 100 - 1e-9)))
    found = float(values[order][place])
    if found <= float(values.min()):
        return NotComputable(f"p{percentile:g} is the smallest total there is, so a cap at it would leave nothing")
    return found


def compare_capped(
    control: ValueCounts,
    treatment: ValueCounts,
    cap: float,
    alpha: float = DEFAULTS.alpha,
    settings: Settings = DEFAULTS,
) -> Capped:
    """Compare means with totals above ``cap`` counted as the cap, and without it."""
    numbers, uncapped = (
        compare(Form.MEAN, control.moments(limit), treatment.moments(limit), alpha, settings)
        for limit in (cap, math.inf)
    )
    return Capped(cap=cap, units_capped=control.above(cap) + treatment.above(cap), numbers=numbers, uncapped=uncapped)
