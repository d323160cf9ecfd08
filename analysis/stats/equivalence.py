"""Is a change too small to matter? Two one-sided tests against what matters, the counterpart of "no clear change"."""

import math
from dataclasses import dataclass
from enum import StrEnum

from analysis.stats.estimates import Estimate
from analysis.stats.reference import satterthwaite, two_sided_quantile, upper_tail
from analysis.stats.unavailable import NotComputable


class Size(StrEnum):
    """How a change compares with the smallest that matters (given in absolute or relative terms)."""

    NEGLIGIBLE = "smaller than what matters"
    """Both one-sided tests reject: the change lies within the limits. It may still be significant."""
    MATTERS = "large enough to matter"
    """The interval lies wholly beyond a limit."""
    OPEN = "may or may not matter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Two one-sided tests.

    Attributes:
        p_value: the larger of the two; below alpha exactly when ``interval`` lies within the limits.
        p_low, p_high: that the effect is above the lower limit, and below the upper one.
        interval: at 1 - 2 alpha.
        size: the reading at alpha.
    """

    p_value: float
    p_low: float
    p_high: float
    interval: tuple[float, float]
    size: Size


def tost(
    value: float, standard_error: float, df: float, *, low: float, high: float, alpha: float
) -> Equivalence | NotComputable:
    """Test that an effect lies between ``low`` and ``high``.

    Args:
        value, standard_error, df: the effect; infinite df for the normal distribution.
        low, high: the smallest effects that matter, low < high.
        alpha: of each one-sided test, and so of the claim.

    Source: Schuirmann 1987; as ``statsmodels.stats.weightstats.ttost_ind(usevar="unequal")``.

    Raises:
        ValueError: limits in the wrong order.
    """
    if low >= high:
        raise ValueError(f"the lower limit lies below the upper; got {low} and {high}")
    if standard_error <= 0 or not math.isfinite(standard_error):
        return NotComputable("no unit differs from another within either variant")
    p_low = upper_tail((value - low) / standard_error, df)
    p_high = upper_tail((high - value) / standard_error, df)
    reach = two_sided_quantile(2 * alpha, df) * standard_error
    interval = (value - reach, value + reach)
    p = max(p_low, p_high)
    beyond = interval[0] > high or interval[1] < low
    return Equivalence(
        p_value=p,
        p_low=p_low,
        p_high=p_high,
        interval=interval,
        size=Size.NEGLIGIBLE if p < alpha else Size.MATTERS if beyond else Size.OPEN,
    )


def equivalence(
    control: Estimate, treatment: Estimate, *, margin: float, alpha: float, covariance: float = 0.0
) -> Equivalence | NotComputable:
    """Test that treatment - control lies within +- ``margin``, in the metric's unit (Welch degrees of freedom)."""
    variance = control.variance + treatment.variance - 2 * covariance
    if variance <= 0:
        return NotComputable("no unit differs from another within either variant")
    df = satterthwaite(treatment.variance, treatment.df, control.variance, control.df, covariance)
    value = treatment.value - control.value
    return tost(value, math.sqrt(variance), df, low=-margin, high=margin, alpha=alpha)


def relative_equivalence(
    control: Estimate, treatment: Estimate, *, margin: float, alpha: float, covariance: float = 0.0
) -> Equivalence | NotComputable:
    """Test that the lift lies within +- ``margin`` (a fraction of the control's value).

    Each limit is a linear contrast, treatment - (1 +- margin) control, so that no ratio is formed; the interval
    returned is that of the two contrasts, each in units of the control's value.
    """
    if control.value <= 0:
        return NotComputable("the control's value is not above zero: read the absolute difference")
    sides = [_contrast(control, treatment, 1 + sign * margin, covariance) for sign in (-1.0, 1.0)]
    if any(se <= 0 for _, se, _ in sides):
        return NotComputable("no unit differs from another within either variant")
    (below, se_low, df_low), (over, se_high, df_high) = sides
    p_low, p_high = upper_tail(below / se_low, df_low), upper_tail(-over / se_high, df_high)
    low = -margin + (below - two_sided_quantile(2 * alpha, df_low) * se_low) / control.value
    high = margin + (over + two_sided_quantile(2 * alpha, df_high) * se_high) / control.value
    p = max(p_low, p_high)
    beyond = upper_tail(-below / se_low, df_low) < alpha or upper_tail(over / se_high, df_high) < alpha
    size = Size.NEGLIGIBLE if p < alpha else Size.MATTERS if beyond else Size.OPEN
    return Equivalence(p_value=p, p_low=p_low, p_high=p_high, interval=(low, high), size=size)


def _contrast(control: Estimate, treatment: Estimate, factor: float, covariance: float) -> tuple[float, float, float]:
    """Return treatment - factor * control, its standard error and degrees of freedom."""
    v1, v0 = treatment.variance, factor**2 * control.variance
    variance = max(0.0, v1 + v0 - 2 * factor * covariance)
    df = satterthwaite(v1, treatment.df, v0, control.df, factor * covariance) if variance > 0 else math.inf
    return treatment.value - factor * control.value, math.sqrt(variance), df
