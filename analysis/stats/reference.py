"""Reference distributions: Student's t, and the normal as its limit of infinitely many degrees of freedom."""

import math

from scipy import stats


def satterthwaite(v1: float, df1: float, v0: float, df0: float, covariance: float = 0.0) -> float:
    """Return the degrees of freedom of v1 + v0 - 2 covariance (Welch 1947, Satterthwaite 1946).

    What two adjusted values share cancels in their difference, so each counts by what it does not share.
    """
    if math.isinf(df1) and math.isinf(df0):
        return math.inf
    own1, own0 = max(0.0, v1 - covariance), max(0.0, v0 - covariance)
    return float((own1 + own0) ** 2 / (own1**2 / df1 + own0**2 / df0))


def upper_tail(statistic: float, df: float) -> float:
    """Return P(T >= statistic); the survival function keeps its digits where 1 - cdf has none left."""
    return float(stats.norm.sf(statistic) if math.isinf(df) else stats.t.sf(statistic, df))


def two_sided_quantile(alpha: float, df: float) -> float:
    """Return the quantile that a two-sided test at ``alpha`` compares with."""
    return float(stats.norm.isf(alpha / 2) if math.isinf(df) else stats.t.isf(alpha / 2, df))
