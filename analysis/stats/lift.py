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


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftEstimate:
    """A lift with a standard error of its own, for pooling and shrinking lifts across experiments.

    Not for the reading of one experiment: intervals from it can contradict the test of the difference.
    """

    value: float
    standard_error: float


def delta_lift(control: Estimate, treatment: Estimate, covariance: float = 0.0) -> LiftEstimate | NotComputable:
    """Return treatment / control - 1 by the delta method: variance (V1 - 2Rc + R² V0) / m0², R = m1 / m0."""
    if control.value == 0:
        return NotComputable("the control's value is zero: read the absolute difference")
    r = treatment.value / control.value
    variance = treatment.variance - 2 * r * covariance + r * r * control.variance
    return LiftEstimate(value=r - 1, standard_error=math.sqrt(max(0.0, variance)) / abs(control.value))


def log_lift(control: Estimate, treatment: Estimate, covariance: float = 0.0) -> LiftEstimate | NotComputable:
    """Return log(treatment / control): variance V1 / m1² + V0 / m0² - 2c / (m1 m0); log lifts add and average best."""
    if control.value <= 0 or treatment.value <= 0:
        return NotComputable("a logarithm of the change needs both values above zero")
    m0, m1 = control.value, treatment.value
    variance = treatment.variance / m1**2 + control.variance / m0**2 - 2 * covariance / (m1 * m0)
    return LiftEstimate(value=math.log(m1 / m0), standard_error=math.sqrt(max(0.0, variance)))
