"""One variant's estimate of a metric: the value, its variance, and the reference distribution it calls for."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable

_NO_SPREAD = 1e-13
"""A spread below this share of the mean is rounding: doubles carry about 16 digits."""


class Form(StrEnum):
    """How a metric's value is formed from the moments over units."""

    MEAN = "mean"
    PROPORTION = "proportion"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A variant's value with its sampling variance.

    Attributes:
        n: units behind it.
        value: in the metric's unit.
        variance: of ``value`` (not of one unit).
        df: degrees of freedom of ``variance``; infinite where the normal distribution is the reference.
    """

    n: int
    value: float
    variance: float
    df: float


def estimate(form: Form, moments: Moments) -> Estimate | NotComputable:
    """Return the value of a metric in one variant, or why there is none."""
    if moments.n == 0:
        return NotComputable("no unit has been exposed")
    if form is Form.PROPORTION:
        return proportion(moments)
    if moments.n < 2:
        return NotComputable("one unit alone says nothing about the spread between units")
    return ratio(moments) if form is Form.RATIO else mean(moments)


def mean(moments: Moments) -> Estimate:
    """Return the mean over units; variance C / n with C the sample variance (divisor n - 1)."""
    n, value = moments.n, float(moments.mean[0])
    variance = float(moments.comoment[0, 0]) / (n - 1)
    if math.sqrt(variance) <= _NO_SPREAD * abs(value):
        variance = 0.0
    return Estimate(n=n, value=value, variance=variance / n, df=n - 1)


def proportion(moments: Moments) -> Estimate:
    """Return the share of units that are 1, with the unpooled variance p(1 - p) / n and the normal distribution.

    Unpooled, because the interval and the p-value must come from one standard error, and an interval for the difference
    cannot use a variance that assumes there is none. Normal and not Student's t, because the variance follows from the
    mean: nothing is estimated beside it whose uncertainty a t would allow for. This is the Wald method of
    ``statsmodels.stats.proportion.test_proportions_2indep``.

    Raises:
        ValueError: the values cannot be 0 and 1.
    """
    n, value = moments.n, float(moments.mean[0])
    if not -1e-12 <= value <= 1 + 1e-12:
        raise ValueError(f"a proportion is formed from 0 and 1 a unit; got a mean of {value}; cap each unit at 1 first")
    value = min(1.0, max(0.0, value))
    return Estimate(n=n, value=value, variance=value * (1 - value) / n, df=math.inf)


def ratio(moments: Moments) -> Estimate | NotComputable:
    """Return total numerator over total denominator with its delta-method variance over units.

    With R = y/x (means over units): g = (1/x, -y/x²) and Var(R) = g'Cg / n, C the covariance over randomisation units.
    Source: Deng, Knoblich, Lu, KDD 2018, section 3.
    """
    n = moments.n
    top, bottom = (float(value) for value in moments.mean)
    if bottom <= 0:
        return NotComputable("the denominator adds up to zero" if bottom == 0 else "the denominator is negative")
    value = top / bottom
    gradient = np.array([1.0, -value]) / bottom
    variance = float(gradient @ (moments.comoment / (n - 1)) @ gradient)
    if math.sqrt(max(0.0, variance)) <= _NO_SPREAD * abs(value):
        variance = 0.0
    return Estimate(n=n, value=value, variance=variance / n, df=n - 1)
