"""Proportions with few successes or failures: a score-type interval beside the normal one."""

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy import optimize

from analysis.stats.estimates import Estimate
from analysis.stats.reference import two_sided_quantile
from analysis.stats.settings import DEFAULTS

_EDGE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallCounts:
    """The fewest successes or failures in a variant, and Newcombe's interval of the difference."""

    smallest: int
    interval: tuple[float, float]
    method: str = "Newcombe"


class Interval(StrEnum):
    """Intervals of a difference of proportions beside the normal one.

    SCORE is statsmodels' (0.15), whose search fails near differences of -1 and 1 and whose ends are not those that
    Miettinen and Nurminen publish; MIETTINEN_NURMINEN is theirs.
    """

    NEWCOMBE = "newcomb"
    SCORE = "score"
    AGRESTI_CAFFO = "agresti-caffo"
    MIETTINEN_NURMINEN = "miettinen-nurminen"


def proportion_interval(
    control: Estimate, treatment: Estimate, alpha: float, method: Interval = Interval.NEWCOMBE
) -> tuple[float, float]:
    """Return an interval of treatment - control that holds with few successes too.

    Source: Newcombe 1998, Statistics in Medicine 17, method 10; Miettinen, Nurminen 1985; Agresti, Caffo 2000.
    """
    counts = [round(arm.value * arm.n) for arm in (control, treatment)]
    if method is Interval.MIETTINEN_NURMINEN:
        return _score_interval(counts[1], treatment.n, counts[0], control.n, alpha)
    from statsmodels.stats.proportion import (
        confint_proportions_2indep,  # with pandas: a second that no start should take
    )

    low, high = confint_proportions_2indep(
        counts[1], treatment.n, counts[0], control.n, method=method.value, compare="diff", alpha=alpha
    )
    return float(low), float(high)


def _score_interval(x1: int, n1: int, x0: int, n0: int, alpha: float) -> tuple[float, float]:
    """Return the differences that Miettinen and Nurminen's score test (1985) does not reject."""
    limit, found = two_sided_quantile(alpha, math.inf), x1 / n1 - x0 / n0

    def distance(change: float) -> float:
        if change == found:
            return 0.0
        p0 = _restricted(x1, n1, x0, n0, change)
        p1 = min(1.0, max(0.0, p0 + change))
        variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * (n1 + n0) / (n1 + n0 - 1)
        return (found - change) / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, found - change)

    def end(sign: float) -> float:
        edge = -sign * (1 - _EDGE)
        if sign * (found - edge) <= 0 or sign * distance(edge) <= limit:
            return -sign
        return float(
            optimize.brentq(lambda d: min(1e9, max(-1e9, distance(d) - sign * limit)), edge, found, xtol=1e-12)
        )

    return end(1.0), end(-1.0)


def _restricted(x1: int, n1: int, x0: int, n0: int, change: float) -> float:
    """Return the likeliest share of the control if the treatment's is higher by exactly ``change``: a cubic's root."""
    both, events = n1 + n0, x1 + x0
    b = (n1 + 2 * n0) * change - both - events
    c = (n0 * change - both - 2 * x0) * change + events
    d = x0 * change * (1 - change)
    third = b / (3 * both)
    q = third**3 - b * c / (6 * both**2) + d / (2 * both)
    p = math.copysign(math.sqrt(max(0.0, third**2 - c / (3 * both))), q)
    angle = (math.pi + math.acos(min(1.0, max(-1.0, q / p**3 if p else 1.0)))) / 3
    return min(1.0, max(0.0, 2 * p * math.cos(angle) - third))


def small_counts(
    control: Estimate, treatment: Estimate, alpha: float, small_cell: int = DEFAULTS.small_cell
) -> SmallCounts | None:
    """Return Newcombe's interval where a cell is small, else None."""
    counts = [round(arm.value * arm.n) for arm in (control, treatment)]
    smallest = min(min(count, arm.n - count) for count, arm in zip(counts, (control, treatment), strict=True))
    if smallest >= small_cell:
        return None
    return SmallCounts(smallest=smallest, interval=proportion_interval(control, treatment, alpha))
