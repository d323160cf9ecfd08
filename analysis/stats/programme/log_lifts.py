"""Several metrics' log lifts of one experiment with their joint covariance: what a programme keeps of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.stats.moments import Array, Moments
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogLifts:
    """Log lifts of treatment over control. ``values`` has shape (r,), ``covariance`` (r, r)."""

    values: Array
    covariance: Array


def log_lifts(control: Moments, treatment: Moments, contrasts: ArrayLike | None = None) -> LogLifts | NotComputable:
    """Return the log lifts of several metrics of the same users, with how their noise goes together.

    values = A (log m1 - log m0); covariance = sum over variants of A diag(1/m) C diag(1/m) A' / n.

    Args:
        control, treatment: moments of the same k numbers a unit.
        contrasts: A, shape (r, k); a mean is a row with one 1, a ratio a row with 1 and -1. Each number by itself when
            left out.

    Source: delta method; STATISTICS section 2, "within one experiment".
    """
    k = control.mean.shape[0]
    if treatment.mean.shape[0] != k:
        raise ValueError(f"both variants have the same numbers; got {k} and {treatment.mean.shape[0]}")
    rows = np.eye(k) if contrasts is None else np.asarray(contrasts, dtype=np.float64)
    used = np.abs(rows).sum(axis=0) > 0
    values, covariance = np.zeros(len(rows)), np.zeros((len(rows), len(rows)))
    for sign, one in ((-1.0, control), (1.0, treatment)):
        if one.n < 2:
            return NotComputable(f"a variant has {one.n} units; 2 are the fewest")
        if (one.mean[used] <= 0).any():
            return NotComputable("a mean is 0 or below, so it has no logarithm")
        inverse = np.where(used, 1 / np.where(used, one.mean, 1.0), 0.0)
        scaled = rows * inverse
        values += sign * rows @ np.log(np.where(used, one.mean, 1.0))
        covariance += scaled @ one.comoment @ scaled.T / (one.n - 1) / one.n
    return LogLifts(values=values, covariance=covariance)
