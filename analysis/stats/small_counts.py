"""Proportions with few successes or failures: a score-type interval beside the normal one."""

from dataclasses import dataclass
from enum import StrEnum

from statsmodels.stats.proportion import confint_proportions_2indep

from analysis.stats.estimates import Estimate
from analysis.stats.settings import DEFAULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallCounts:
    """The fewest successes or failures in a variant, and Newcombe's interval of the difference."""

    smallest: int
    interval: tuple[float, float]
    method: str = "Newcombe"


class Interval(StrEnum):
    """Intervals of a difference of proportions beside the normal one, as statsmodels names them."""

    NEWCOMBE = "newcomb"
    SCORE = "score"
    AGRESTI_CAFFO = "agresti-caffo"


def proportion_interval(
    control: Estimate, treatment: Estimate, alpha: float, method: Interval = Interval.NEWCOMBE
) -> tuple[float, float]:
    """Return an interval of treatment - control that holds with few successes too.

    Source: Newcombe 1998, Statistics in Medicine 17, method 10; Miettinen, Nurminen 1985; Agresti, Caffo 2000.
    """
    counts = [round(arm.value * arm.n) for arm in (control, treatment)]
    low, high = confint_proportions_2indep(
        counts[1], treatment.n, counts[0], control.n, method=method.value, compare="diff", alpha=alpha
    )
    return float(low), float(high)


def small_counts(
    control: Estimate, treatment: Estimate, alpha: float, small_cell: int = DEFAULTS.small_cell
) -> SmallCounts | None:
    """Return Newcombe's interval where a cell is small, else None."""
    counts = [round(arm.value * arm.n) for arm in (control, treatment)]
    smallest = min(min(count, arm.n - count) for count, arm in zip(counts, (control, treatment), strict=True))
    if smallest >= small_cell:
        return None
    return SmallCounts(smallest=smallest, interval=proportion_interval(control, treatment, alpha))
