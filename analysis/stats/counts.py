"""Event rates for canaries: errors, crashes or time-outs a unit of exposure, when only the counts are at hand."""

import math
from dataclasses import dataclass

from analysis.stats.reference import two_sided_quantile
from analysis.stats.settings import DEFAULTS
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRatio:
    """Treatment's rate over control's, minus 1, with the score test of equal rates and the interval that inverts it."""

    lift: float
    interval: tuple[float, float]
    p_value: float


def compare_rates(
    control: tuple[int, float], treatment: tuple[int, float], alpha: float = DEFAULTS.alpha
) -> RateRatio | NotComputable:
    """Compare two rates of independent events.

    Events of one user resemble each other, so that a metric of counts is read over users (``compare``, robust to that);
    this is for canaries, which count requests and must answer within minutes.

    Args:
        control, treatment: (events, exposure), exposure in requests, hours or the like.
        alpha: two-sided.

    The score statistic (x1 - q x0) / sqrt(q (x1 + x0)), q the ratio times t1 / t0, is inverted in closed form, so that
    the interval excludes 0 exactly when the test rejects, also where the treatment has had no event.

    Source: Gu et al. 2008, as ``statsmodels.stats.rates.test_poisson_2indep(method="score")``.
    """
    (x0, t0), (x1, t1) = control, treatment
    if min(x0, x1) < 0 or min(t0, t1) < 0:
        raise ValueError(f"events and exposure are 0 or more; got {control} and {treatment}")
    if min(t0, t1) == 0:
        return NotComputable("a variant has had no exposure yet")
    if x0 == 0:
        return NotComputable("the control has had no event, so the ratio has no bounds")
    from statsmodels.stats import rates  # with pandas: a second that no start should take

    found = rates.test_poisson_2indep(x1, t1, x0, t0, method="score", compare="ratio")
    z2, scale = two_sided_quantile(alpha, math.inf) ** 2, t1 / t0
    middle = x1 * x0 + z2 * (x1 + x0) / 2
    root = math.sqrt(max(0.0, middle**2 - (x0 * x1) ** 2))
    ends = tuple((middle + side * root) / x0**2 / scale - 1 for side in (-1, 1))
    return RateRatio(lift=x1 / t1 / (x0 / t0) - 1, interval=(ends[0], ends[1]), p_value=float(found.pvalue))
