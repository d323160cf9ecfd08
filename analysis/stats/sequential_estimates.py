"""The effect after a group-sequential stop: the plain estimate is biased away from 0, since luck helped it stop.

Outcomes are ordered by stage: an earlier stop above is more extreme than a later one, within a look by Z. Inverting the
probability of something as extreme gives the p-value, the median-unbiased estimate and the interval (Armitage 1957;
Tsiatis, Rosner and Mehta 1984; Jennison and Turnbull 2000, section 8.4).
"""

from collections.abc import Callable
from dataclasses import dataclass

from scipy import optimize

from analysis.stats.group_sequential import Boundaries
from analysis.stats.sequential_integration import above, advance, begin, below
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterStopping:
    """The effect after stopping at the last look of the boundaries.

    Attributes:
        estimate: median-unbiased: as often above the truth as below it.
        naive: what the look itself estimates.
        interval: at 1 - alpha by stage-wise ordering.
        p_value: of no effect, by the same ordering (two-sided for a two-sided plan).
    """

    estimate: float
    naive: float
    interval: tuple[float, float]
    p_value: float


def after_stopping(
    bounds: Boundaries, estimate: float, standard_error: float, alpha: float
) -> AfterStopping | NotComputable:
    """Return estimate, interval and p-value that allow for having stopped when the difference was large.

    Args:
        bounds: of every look up to and including the one at which it stopped.
        estimate, standard_error: at that look.
        alpha: the interval is at 1 - alpha; two-sided.
    """
    if standard_error <= 0:
        return NotComputable("the standard error is zero, so nothing can be tested")
    z, root = estimate / standard_error, bounds.fractions[-1] ** 0.5
    scale = root * standard_error  # drift (mean of Z at the planned end) to the metric's unit: theta = drift * scale

    def larger(drift: float) -> float:
        return beyond(bounds, z, drift)

    null_up, null_down = larger(0.0), at_most(bounds, z, 0.0)
    p = 2 * min(null_up, null_down) if bounds.sides == 2 else null_up
    middle, low, high = (_solve(larger, share, z / root) for share in (0.5, alpha / 2, 1 - alpha / 2))
    return AfterStopping(
        estimate=middle * scale, naive=estimate, interval=(low * scale, high * scale), p_value=min(1.0, p)
    )


def beyond(bounds: Boundaries, statistic: float, drift: float) -> float:
    """Return the probability of an outcome at least as far up, in the stage-wise order, as stopping here with Z."""
    state, total = begin(), 0.0
    looks = list(zip(bounds.fractions, bounds.upper, bounds.lower, strict=True))
    for fraction, high, low in looks[:-1]:
        total += above(state, fraction, drift, high)
        state = advance(state, fraction, drift, low, high)
    return total + above(state, bounds.fractions[-1], drift, statistic)


def at_most(bounds: Boundaries, statistic: float, drift: float) -> float:
    """Return the probability of an outcome at most as far up; not 1 - ``beyond``, which has no digits for small p."""
    state, total = begin(), 0.0
    looks = list(zip(bounds.fractions, bounds.upper, bounds.lower, strict=True))
    for fraction, high, low in looks[:-1]:
        total += below(state, fraction, drift, low)
        state = advance(state, fraction, drift, low, high)
    return total + below(state, bounds.fractions[-1], drift, statistic)


def _solve(larger: Callable[[float], float], share: float, near: float) -> float:
    """Return the drift under which ``share`` of the outcomes lie at least as far up (it grows with the drift)."""
    width = 4.0
    while larger(near - width) > share:
        width *= 2
    below_it, width = near - width, 4.0
    while larger(near + width) < share:
        width *= 2
    return float(optimize.brentq(lambda drift: larger(drift) - share, below_it, near + width, xtol=1e-9))
