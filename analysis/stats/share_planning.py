"""Sample sizes of two shares as other calculators have them, to compare with: they differ in one variance.

They disagree on the variance that the test has where there is no effect.

Ours (``planning.sample_size``) is unpooled, as the test that reads the experiment is.
"""

import math
from enum import StrEnum

from scipy import stats


class Null(StrEnum):
    """Which variance a calculator's test has where there is no effect.

    UNPOOLED: each variant's own (ours). POOLED: both at their mean (statsmodels, the score test). BASELINE: both at the
    control's share (Evan Miller's calculator). ARCSINE: the same everywhere, after Cohen's transformation.
    """

    UNPOOLED = "unpooled"
    POOLED = "pooled"
    BASELINE = "baseline"
    ARCSINE = "arcsine"


def units_a_variant(
    control: float, treatment: float, *, alpha: float = 0.05, power: float = 0.8, null: Null = Null.UNPOOLED
) -> float:
    """Return how many units each of two equal variants needs to tell the shares apart, two-sided.

    n = (z_{1 - alpha/2} s_null + z_power s)² / change², with s² the sum of both variants' p(1 - p); for arcsine
    (z_{1 - alpha/2} + z_power)² / (2 (asin sqrt p1 - asin sqrt p0)²).

    Source: Fleiss, Levin, Paik 2003, chapter 4; Cohen 1988, chapter 6.
    """
    _check(control, treatment)
    reach = float(stats.norm.isf(alpha / 2)), float(stats.norm.ppf(power))
    if null is Null.ARCSINE:
        away = math.asin(math.sqrt(treatment)) - math.asin(math.sqrt(control))
        return sum(reach) ** 2 / (2 * away * away)
    spread = reach[0] * _null_sd(control, treatment, null) + reach[1] * _own_sd(control, treatment)
    return (spread / (treatment - control)) ** 2


def power_at(
    control: float, treatment: float, units: float, *, alpha: float = 0.05, null: Null = Null.UNPOOLED
) -> float:
    """Return the chance that the test with this variance calls the change, with ``units`` in each of two variants."""
    _check(control, treatment)
    quantile = float(stats.norm.isf(alpha / 2))
    if null is Null.ARCSINE:
        away = abs(math.asin(math.sqrt(treatment)) - math.asin(math.sqrt(control)))
        return float(stats.norm.sf(quantile - away * math.sqrt(2 * units)))
    room = abs(treatment - control) * math.sqrt(units) - quantile * _null_sd(control, treatment, null)
    return float(stats.norm.cdf(room / _own_sd(control, treatment)))


def _own_sd(control: float, treatment: float) -> float:
    return math.sqrt(control * (1 - control) + treatment * (1 - treatment))


def _null_sd(control: float, treatment: float, null: Null) -> float:
    if null is Null.UNPOOLED:
        return _own_sd(control, treatment)
    common = control if null is Null.BASELINE else (control + treatment) / 2
    return math.sqrt(2 * common * (1 - common))


def _check(control: float, treatment: float) -> None:
    if not (0 < control < 1 and 0 < treatment < 1) or control == treatment:
        raise ValueError(f"two different shares between 0 and 1 are needed; got {control} and {treatment}")
