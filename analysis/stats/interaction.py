"""Do two experiments disturb each other? The effect of one where the other is on against where it is off."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from analysis.stats.estimates import Estimate
from analysis.stats.reference import two_sided_quantile, upper_tail
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """The difference of differences over the four cells.

    Attributes:
        value: (both - only the first) - (only the second - neither).
        standard_error, df, p_value, interval: of ``value``.
        first_alone, first_with_second: effect of the first experiment without and with the second's treatment.
    """

    value: float
    standard_error: float
    df: float
    p_value: float
    interval: tuple[float, float]
    first_alone: float
    first_with_second: float


def interaction(
    cells: Mapping[tuple[int, int], Estimate | NotComputable], alpha: float = 0.05
) -> Interaction | NotComputable:
    """Test whether the effects of two experiments add up.

    Needs about four times the units of a main effect of equal size (two even splits): the variance is the sum of four
    cells of a quarter each. Correct p-values over the pairs by ``multiplicity.correct``.

    Args:
        cells: (in the first's treatment, in the second's treatment), each 0 or 1, to the estimate over those units.
        alpha: of the interval, two-sided.

    Raises:
        ValueError: a cell is missing.
    """
    wanted = [(1, 1), (1, 0), (0, 1), (0, 0)]
    if missing := [cell for cell in wanted if cell not in cells]:
        raise ValueError(f"an interaction needs four cells; {missing} are missing")
    known = [one for one in (cells[cell] for cell in wanted) if isinstance(one, Estimate)]
    if len(known) < 4:
        return NotComputable("a combination of the two experiments has too few units")
    both, first, second, neither = known
    variance = sum(one.variance for one in known)
    if variance <= 0:
        return NotComputable("no unit differs from another within any combination")
    value = (both.value - first.value) - (second.value - neither.value)
    se = math.sqrt(variance)
    below = sum(one.variance**2 / one.df for one in known if math.isfinite(one.df))
    df = variance**2 / below if below > 0 else math.inf
    q = two_sided_quantile(alpha, df)
    return Interaction(
        value=value,
        standard_error=se,
        df=df,
        p_value=min(1.0, 2 * upper_tail(abs(value) / se, df)),
        interval=(value - q * se, value + q * se),
        first_alone=first.value - neither.value,
        first_with_second=both.value - second.value,
    )


def units_needed(standard_deviation: float, effect: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the units in each of the four cells to detect an interaction of this size.

    n = 4 (z_{1 - alpha/2} + z_{power})² sd² / effect²: in all four times what a main
    effect of the same size needs.
    """
    quantiles = two_sided_quantile(alpha, math.inf) + two_sided_quantile(2 * (1 - power), math.inf)
    return 4 * (quantiles * standard_deviation / effect) ** 2
