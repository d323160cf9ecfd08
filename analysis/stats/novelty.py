"""Does the effect wear off or grow? Effects by days since the exposure, of the same units, so they are correlated."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from analysis.stats.moments import Array, Moments
from analysis.stats.unavailable import NotComputable


class Trend(StrEnum):
    """What the effect does as units get used to the treatment."""

    NOVELTY = "wears off"
    PRIMACY = "grows"
    STEADY = "no clear change over time"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeCourse:
    """Effects by days since the exposure with two tests.

    Attributes:
        effects: treatment - control on day 0, 1, … since the exposure.
        standard_errors: one each.
        slope: change of the effect per unit of log(1 + day).
        slope_p_value: that the effect has no trend in log(day): one contrast, most power against wearing off.
        statistic: chi-square with ``df`` that all days share one effect, against any shape.
        df: days - 1.
        p_value: of that test.
        trend: read from the slope at alpha; "wears off" when the size of the effect shrinks.
    """

    effects: tuple[float, ...]
    standard_errors: tuple[float, ...]
    slope: float
    slope_p_value: float
    statistic: float
    df: int
    p_value: float
    trend: Trend


def time_course(control: Moments, treatment: Moments, alpha: float = 0.05) -> TimeCourse | NotComputable:
    """Test whether the effect changes with the days since the exposure.

    Args:
        control, treatment: moments over units of the vector (value on day 0, 1, … since exposure), each unit observed
            on all of those days: a balanced cohort, or late comers would pass for a trend.
        alpha: of the trend.

    Source: linear contrasts of a mean vector with its full covariance (Mardia, Kent, Bibby 1979, section 5.2): slope
    c't with c proportional to centred log(1 + d), and (Ct)'(C S C')^-1 (Ct) with C the differences to the first day.
    """
    if min(control.n, treatment.n) < 2:
        return NotComputable("a variant has fewer than two units with all days")
    covariance = sum(
        (arm.comoment / (arm.n - 1) / arm.n for arm in (control, treatment)), np.zeros_like(control.comoment)
    )
    return course(treatment.mean - control.mean, covariance, alpha)


def course(effects: Sequence[float] | Array, covariance: Array, alpha: float = 0.05) -> TimeCourse | NotComputable:
    """Test a vector of effects by day with its covariance; see ``time_course``."""
    tau = np.asarray(effects, dtype=float)
    days = len(tau)
    if days < 2:
        return NotComputable("a change over time needs at least two days since the exposure")
    logs = np.log1p(np.arange(days))
    weights = logs - logs.mean()
    weights = weights / (weights @ weights)
    slope, variance = float(weights @ tau), float(weights @ covariance @ weights)
    contrast = np.hstack([-np.ones((days - 1, 1)), np.eye(days - 1)])
    middle = contrast @ covariance @ contrast.T
    if variance <= 0 or np.linalg.matrix_rank(middle) < days - 1:
        return NotComputable("the days do not differ from one another within units")
    moved = contrast @ tau
    q = float(moved @ np.linalg.solve(middle, moved))
    p_slope = float(2 * stats.norm.sf(abs(slope) / math.sqrt(variance)))
    return TimeCourse(
        effects=tuple(float(one) for one in tau),
        standard_errors=tuple(float(one) for one in np.sqrt(np.diag(covariance))),
        slope=slope,
        slope_p_value=p_slope,
        statistic=q,
        df=days - 1,
        p_value=float(stats.chi2.sf(q, days - 1)),
        trend=_trend(slope, float(tau.mean()), p_slope, alpha),
    )


def _trend(slope: float, mean: float, p_value: float, alpha: float) -> Trend:
    if p_value >= alpha:
        return Trend.STEADY
    return Trend.NOVELTY if slope * mean < 0 else Trend.PRIMACY
