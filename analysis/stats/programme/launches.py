"""What launched experiments add up to, without the luck they were chosen by, against what a holdout measured."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy import stats

from analysis.stats.shrinkage import Prior, Shrunk, shrink

FEWEST = 8
"""Comparisons below which how effects are spread is too uncertain to shrink by."""


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
    launches: Sequence[Launch],
    prior: Prior | None,
    measured: tuple[float, float] | None,
    alpha: float = 0.05,
    learned_from: Sequence[float] = (),
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
        learned_from: the standard errors that the prior was learned from, so that its own error is in the sums'.

    Source: Robbins 1956; Efron 2011, JASA 106, on shrinkage and selection; the prior's error by the delta method
    (Morris 1983, JASA 78).
    """
    kept = tuple(_kept(one, prior) for one in launches)
    weights = [one.weight for one in launches]
    unsure = _prior_error(learned_from)
    expected = _sum(kept, weights, alpha, _moved_by_prior(launches, weights, prior, unsure))
    unexplained = None
    if measured is not None:
        error = math.hypot(measured[1], expected.standard_error)
        unexplained = _with_interval(measured[0] - expected.value, error, alpha)
    ones = [1.0] * len(kept)
    return Account(
        shrunk=kept,
        claimed=sum(one.effect for one in launches),
        together=_sum(kept, ones, alpha, _moved_by_prior(launches, ones, prior, unsure)),
        expected=expected,
        unexplained=unexplained,
    )


PriorError = Callable[[float], tuple[float, float]]


def _prior_error(errors: Sequence[float]) -> PriorError:
    """Return the sampling variances of the prior's mean and variance, given the variance, from their information.

    Of x_i ~ N(mean, tau² + v_i): sum of 1 / (tau² + v_i), and half the sum of 1 / (tau² + v_i)².
    """

    def of(variance: float) -> tuple[float, float]:
        totals = [variance + one**2 for one in errors]
        if not totals:
            return 0.0, 0.0
        return 1 / sum(1 / one for one in totals), 2 / sum(1 / one**2 for one in totals)

    return of


def _moved_by_prior(
    launches: Sequence[Launch], weights: Sequence[float], prior: Prior | None, unsure: PriorError
) -> float:
    """Return the variance that the prior's own error adds to a sum of shrunken effects.

    d/d mean = sum of w (1 - kept), d/d tau² = sum of w (x - mean) v / (tau² + v)².
    """
    if prior is None:
        return 0.0
    by_mean = by_variance = 0.0
    for weight, one in zip(weights, launches, strict=True):
        noise = one.standard_error**2
        total = prior.variance + noise
        by_mean += weight * noise / total
        by_variance += weight * (one.effect - prior.mean) * noise / total**2
    of_mean, of_variance = unsure(prior.variance)
    return by_mean**2 * of_mean + by_variance**2 * of_variance


def _kept(launch: Launch, prior: Prior | None) -> Shrunk:
    if prior is None:
        return Shrunk(value=launch.effect, standard_error=launch.standard_error, weight=1.0)
    return shrink(launch.effect, launch.standard_error, prior)


def _sum(kept: Sequence[Shrunk], weights: Sequence[float], alpha: float, more: float) -> Sum:
    value = sum(weight * one.value for weight, one in zip(weights, kept, strict=True))
    own = sum((weight * one.standard_error) ** 2 for weight, one in zip(weights, kept, strict=True))
    return _with_interval(value, math.sqrt(own + more), alpha)


def _with_interval(value: float, error: float, alpha: float) -> Sum:
    half = float(stats.norm.isf(alpha / 2)) * error
    return Sum(value=value, standard_error=error, interval=(value - half, value + half))
