"""The relative change, with an interval that cannot contradict the test of the difference."""

import math
from dataclasses import dataclass

from analysis.stats.estimates import Estimate
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Treatment / control - 1, with its interval or the reason why it has none."""

    value: float
    interval: tuple[float, float] | NotComputable


def fieller(control: Estimate, treatment: Estimate, quantile: float, covariance: float = 0.0) -> Lift | NotComputable:
    """Return the lift with Fieller's interval.

    The interval holds every ratio R for which treatment - R * control is not rejected at the same quantile; R = 1 is
    the test of the difference itself, so the interval excludes 0 exactly when that test rejects. The delta method lacks
    this: on GrowthBook's own test case the difference has p = .020 while the delta interval of the lift covers 0.

    Args:
        control, treatment: the two estimates.
        quantile: of the test's reference distribution, for instance 1.96.
        covariance: between the two estimates; 0 for disjoint units without shared adjustment.

    Source: Fieller 1954; with g = q² V0 / m0², the interval is
    [R - g c / V0 ± (q / m0) sqrt(V1 - 2Rc + R² V0 - g (V1 - c² / V0))] / (1 - g) - 1. From g = 1 it is unbounded.
    """
    m0, v0, v1, c = control.value, control.variance, treatment.variance, covariance
    if m0 <= 0:
        what = "zero" if m0 == 0 else "negative"
        return NotComputable(f"the control's value is {what}: read the absolute difference")
    r = treatment.value / m0
    if not math.isfinite(r):
        return NotComputable("the control's value is too close to zero: read the absolute difference")
    root_g = quantile * math.sqrt(v0) / m0
    if root_g >= 1:
        reason = "the control's value is not clearly above zero, so the relative change has no bounds"
        return Lift(value=r - 1, interval=NotComputable(f"{reason}: read the absolute difference"))
    g, scaled_c = root_g**2, quantile / m0 * c  # never q / m0 squared by itself: that overflows for a tiny control
    spread = max(0.0, v1 - 2 * r * c + r * r * v0 - (g * v1 - scaled_c**2))
    centre, half = r - quantile / m0 * scaled_c, quantile / m0 * math.sqrt(spread)
    return Lift(value=r - 1, interval=((centre - half) / (1 - g) - 1, (centre + half) / (1 - g) - 1))
