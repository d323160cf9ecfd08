"""Looking as often as one likes: asymptotic confidence sequences, for where no sample size is planned.

They hold at every moment at once, and cost width for it: at the number of units they are tuned for, 1.55 times the
interval of one look. Any asymptotically normal estimate will do, adjusted or a ratio, by its standard error.
"""

import math
from dataclasses import dataclass

from analysis.stats.unavailable import NotComputable

EARLIEST_UNITS = 500
"""Units in a variant below which an asymptotic confidence sequence is not asymptotic yet."""
EARLIEST_CONVERSIONS = 50.0
"""Successes (and failures) in a variant below which the mean of zeros and ones is not normal enough."""
_LARGEST_EXPONENT = 700.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceSequence:
    """An always-valid reading.

    Attributes:
        multiplier: standard errors on each side.
        interval: at 1 - alpha, whenever looked at; one-sided ones are unbounded above.
        p_value: 1 / e-value; below alpha exactly when the interval excludes 0.
        e_value: evidence against no effect; 1 is none.
    """

    multiplier: float
    interval: tuple[float, float]
    p_value: float
    e_value: float


def confidence_sequence(
    estimate: float,
    standard_error: float,
    n: int,
    *,
    tuned_for: int,
    alpha: float,
    one_sided: bool = False,
    smallest_arm: int | None = None,
    conversions: float | None = None,
) -> ConfidenceSequence | NotComputable:
    """Return the asymptotic confidence sequence of an effect.

    Args:
        estimate, standard_error: of treatment - control, whatever made them.
        n: units in both variants together.
        tuned_for: n at which it is tightest; fixed before the start.
        alpha: risk over all looks together.
        one_sided: a lower bound only, for "greater than 0".
        smallest_arm: units of the smaller variant, for the floor; n // 2 when left out.
        conversions: fewest successes or failures in a variant, for a proportion.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2024, Annals of Statistics 52, equation 9; one-sided: its
    supplement, equation 134 in arXiv 2103.06476v7. The same as Robbins' normal mixture (Howard et al. 2021).
    """
    if missing := too_early(n // 2 if smallest_arm is None else smallest_arm, conversions):
        return missing
    if standard_error <= 0 or not math.isfinite(standard_error):
        return NotComputable("the standard error is zero, so nothing can be tested")
    z = estimate / standard_error
    multiplier = boundary(n, alpha, tuned_for, one_sided=one_sided)
    p = always_valid_p(z, n, alpha, tuned_for, one_sided=one_sided)
    low = estimate - multiplier * standard_error
    return ConfidenceSequence(
        multiplier=multiplier,
        interval=(low, math.inf if one_sided else estimate + multiplier * standard_error),
        p_value=p,
        e_value=math.exp(min(_LARGEST_EXPONENT, log_e_value(z, n, alpha, tuned_for))) if not one_sided else 1 / p,
    )


def too_early(smallest_arm: int, conversions: float | None = None) -> NotComputable | None:
    """Say why an always-valid reading cannot start yet, or None when it can."""
    if smallest_arm < EARLIEST_UNITS:
        return NotComputable(
            f"an always-valid interval needs {EARLIEST_UNITS} units in each variant; the smaller has {smallest_arm}"
        )
    if conversions is not None and conversions < EARLIEST_CONVERSIONS:
        return NotComputable(
            f"an always-valid interval needs {EARLIEST_CONVERSIONS:.0f} successes and failures in each variant; the "
            f"fewest are {conversions:.0f}"
        )
    return None


def rho_squared(alpha: float, tuned_for: float) -> float:
    """Return the mixture's variance that makes the sequence tightest at ``tuned_for`` units.

    Source: Waudby-Smith et al. 2024, appendix (equation 161 in arXiv 2103.06476v7).
    """
    return (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / tuned_for


def boundary(n: float, alpha: float, tuned_for: float, *, one_sided: bool = False) -> float:
    """Return how many standard errors wide the interval is on each side after ``n`` units."""
    spread = n * rho_squared(alpha, tuned_for)
    root = math.sqrt(spread + 1)
    log = math.log1p(root / (2 * alpha)) if one_sided else math.log(root / alpha)
    return math.sqrt(2 * (spread + 1) / spread * log)


def log_e_value(statistic: float, n: float, alpha: float, tuned_for: float) -> float:
    """Return the logarithm of the two-sided e-value; it averages to at most 1 where there is no effect."""
    spread = n * rho_squared(alpha, tuned_for)
    return statistic**2 / 2 * spread / (spread + 1) - 0.5 * math.log1p(spread)


def always_valid_p(statistic: float, n: float, alpha: float, tuned_for: float, *, one_sided: bool = False) -> float:
    """Return the p-value: below ``alpha`` exactly when the interval at ``alpha`` excludes 0."""
    if not one_sided:
        return math.exp(min(0.0, -log_e_value(statistic, n, alpha, tuned_for)))
    if statistic <= 0:
        return 1.0
    spread = n * rho_squared(alpha, tuned_for)
    exponent = min(_LARGEST_EXPONENT, statistic**2 / 2 * spread / (spread + 1))
    return min(1.0, math.sqrt(spread + 1) / (2 * math.expm1(exponent))) if exponent > 0 else 1.0


def anytime_regression_width(
    standard_error: float, residual_sd: float, df: float, mixture_precision: float, alpha: float
) -> float:
    """Return the half-width of an anytime-valid interval of one regression coefficient; infinite while too early.

    With r = phi / (phi + s² / se²): half = se sqrt(df (1 - (r alpha²)^(1/(df+1))) / ((r alpha²)^(1/(df+1)) - r)).

    Args:
        standard_error: of the coefficient.
        residual_sd: s of the regression.
        df: residual degrees of freedom.
        mixture_precision: phi, fixed before the start; the sequence is tightest where s² / se² is a few times phi.
        alpha: risk over all looks together.

    Source: Lindon, Ham, Tingley, Bojinov 2022, arXiv 2210.08589.
    """
    r = mixture_precision / (mixture_precision + (residual_sd / standard_error) ** 2)
    root = (r * alpha**2) ** (1 / (df + 1))
    room = root - r
    return math.inf if room <= 0 else standard_error * math.sqrt(df * (1 - root) / room)
