"""The slope from hash buckets: one bucket's proxy effect against other buckets' business effect shares no noise."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.programme.regions import fieller_region
from analysis.stats.programme.slopes import Method, Slope
from analysis.stats.unavailable import NotComputable


def cross_fold(effects: ArrayLike, weights: ArrayLike | None = None, alpha: float = 0.05) -> Slope | NotComputable:
    """Return sum over experiments of x_f y_g over pairs of different buckets, divided by the same of x_f x_g.

    Needs no covariances: a check of those that the other estimators subtract.

    Args:
        effects: shape (K, F, 2), the proxy's and the business metric's effect in each of F buckets of users.
        weights: shape (K,), for instance sizes; equal when left out.
        alpha: 1 - confidence.

    Source: jackknife instrumental variables, Angrist, Imbens and Krueger 1999; Bibaut et al. 2024.
    """
    d = np.asarray(effects, dtype=np.float64)
    if d.ndim != 3 or d.shape[2] != 2:
        raise ValueError(f"effects have the shape (experiments, buckets, 2); got {d.shape}")
    count, folds, _ = d.shape
    if count < 5 or folds < 2 or not np.isfinite(d).all():
        return NotComputable(f"needs five experiments with effects in two buckets; got {count} in {folds}")
    u = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    u = u / u.sum()
    products = _across(d - np.einsum("k,kfm->fm", u, d))
    a, b = u * products[:, 0, 1], u * products[:, 0, 0]
    if b.sum() <= 0:
        return NotComputable("the proxy's effects do not repeat from one bucket to the other: there is no slope to see")
    value = float(a.sum() / b.sum())
    left = a - value * b
    error = math.sqrt(count / (count - 1) * float(left @ left)) / float(b.sum())
    region = fieller_region(a, b, float(stats.t.isf(alpha / 2, count - 1)))
    return Slope(method=Method.CROSS_FOLD, value=value, standard_error=error, region=region)


def _across(off: Array) -> Array:
    """Return the mean over f != g of off_f off_g', made symmetric: shape (K, 2, 2)."""
    folds = off.shape[1]
    whole = off.sum(axis=1)
    same = np.einsum("kfi,kfj->kij", off, off)
    return np.asarray((whole[:, :, None] * whole[:, None, :] - same) / (folds * (folds - 1)))
