"""What launched experiments add up to, without the luck they were chosen by, against what a holdout measured."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from analysis.stats.shrinkage import Prior, Shrunk, shrink

FEWEST = 8
"""Comparisons below which how effects are spread is too uncertain to shrink by: intervals leave the prior's own error
out (docs/calibration.md shows what that costs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A change that reached everyone, or a share of them for a while.

    Attributes:
        effect, standard_error: as its experiment estimated them, as a log lift.
        weight: how much of it the holdout's units could feel on average: 1 when on for everyone all the time.
    """

    effect: float
    standard_error: float
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A sum of effects with its standard error and interval."""

    value: float
    standard_error: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Claimed, believed, measured.

    Attributes:
        shrunk: each launch after shrinkage, in the order given.
        claimed: the plain sum of the estimates, which luck has swollen.
        together: the shrunken sum, each on for everyone.
        expected: the shrunken sum as far as the holdout's units felt it.
        unexplained: measured less expected; None where nothing measured it all together.
    """

    shrunk: tuple[Shrunk, ...]
    claimed: float
    together: Sum
    expected: Sum
    unexplained: Sum | None


def account(
    launches: Sequence[Launch], prior: Prior | None, measured: tuple[float, float] | None, alpha: float = 0.05
) -> Account:
    """Add up launches and hold them to a measurement of everything together.

    Given the prior, what is known of an effect does not depend on why it was launched (Dawid 1994), so that the sums of
    shrunken effects need no other correction for selection, and the measurement less the sum has mean zero where
    nothing else moved the metric.

    Args:
        launches: of independent experiments.
        prior: how effects are spread, learned from *all* comparisons; None to take the estimates as they are.
        measured: log lift of everything together and its standard error, from a holdout; None without one.
        alpha: 1 - confidence.

    Source: Robbins 1956; Efron 2011, JASA 106, on shrinkage and selection.
    """
    kept = tuple(_kept(one, prior) for one in launches)
    weights = [one.weight for one in launches]
    expected = _sum(kept, weights, alpha)
    unexplained = None
    if measured is not None:
        error = math.hypot(measured[1], expected.standard_error)
        unexplained = _with_interval(measured[0] - expected.value, error, alpha)
    return Account(
        shrunk=kept,
        claimed=sum(one.effect for one in launches),
        together=_sum(kept, [1.0] * len(kept), alpha),
        expected=expected,
        unexplained=unexplained,
    )


def _kept(launch: Launch, prior: Prior | None) -> Shrunk:
    if prior is None:
        return Shrunk(value=launch.effect, standard_error=launch.standard_error, weight=1.0)
    return shrink(launch.effect, launch.standard_error, prior)


def _sum(kept: Sequence[Shrunk], weights: Sequence[float], alpha: float) -> Sum:
    value = sum(weight * one.value for weight, one in zip(weights, kept, strict=True))
    error = math.sqrt(sum((weight * one.standard_error) ** 2 for weight, one in zip(weights, kept, strict=True)))
    return _with_interval(value, error, alpha)


def _with_interval(value: float, error: float, alpha: float) -> Sum:
    half = float(stats.norm.isf(alpha / 2)) * error
    return Sum(value=value, standard_error=error, interval=(value - half, value + half))
