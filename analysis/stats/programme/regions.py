"""Sets of slopes that the effects do not contradict: an interval, its outside, or every slope there is."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from analysis.stats.moments import Array


class Shape(StrEnum):
    """What a confidence set looks like."""

    INTERVAL = "interval"
    OUTSIDE = "outside"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A confidence set of a slope.

    Attributes:
        shape: between ``low`` and ``high`` (which may be infinite), outside of them, or everything.
        low, high: the two ends; infinite where there is none.
    """

    shape: Shape
    low: float
    high: float

    @property
    def bounded(self) -> bool:
        """Say whether the set has two ends with all of it between them."""
        return self.shape is Shape.INTERVAL and math.isfinite(self.low) and math.isfinite(self.high)

    def holds(self, slope: float) -> bool:
        """Say whether a slope is in the set."""
        if self.shape is Shape.EVERYTHING:
            return True
        between = self.low <= slope <= self.high
        return between if self.shape is Shape.INTERVAL else slope <= self.low or slope >= self.high


def everything() -> Region:
    """Return the set that rules nothing out."""
    return Region(shape=Shape.EVERYTHING, low=-math.inf, high=math.inf)


def fieller_region(numerators: Array, denominators: Array, quantile: float) -> Region:
    """Return the slopes b for which the mean of ``numerators - b denominators`` is not far from 0.

    Solves (sum A - b sum B)² <= t² K/(K-1) sum((A_k - b B_k - mean)²), a quadratic in b; never breaks down where the
    denominator may be 0, and says so by being unbounded.

    Args:
        numerators, denominators: shape (K,), one pair of moments an experiment, independent of one another.
        quantile: t.

    Source: Fieller 1954; Anderson and Rubin 1949.
    """
    a, b = numerators, denominators
    size = len(a)
    scale = quantile**2 * size / (size - 1)
    off_a, off_b = a - a.mean(), b - b.mean()
    two = b.sum() ** 2 - scale * (off_b @ off_b)
    one = -2 * (a.sum() * b.sum() - scale * (off_a @ off_b))
    zero = a.sum() ** 2 - scale * (off_a @ off_a)
    return _quadratic(float(two), float(one), float(zero))


def _quadratic(two: float, one: float, zero: float) -> Region:
    """Return where two b² + one b + zero <= 0."""
    inside = one**2 - 4 * two * zero
    if two == 0 or (two < 0 and inside <= 0):
        return everything()
    root = math.sqrt(max(0.0, inside))
    ends = sorted(((-one - root) / (2 * two), (-one + root) / (2 * two)))
    return Region(shape=Shape.INTERVAL if two > 0 else Shape.OUTSIDE, low=ends[0], high=ends[1])


def summed(values: Array, groups: NDArray[np.int64] | None) -> Array:
    """Return the sums by group, or the values where every experiment stands alone."""
    if groups is None:
        return values
    _, labels = np.unique(groups, return_inverse=True)
    return np.bincount(labels, weights=values).astype(np.float64)
