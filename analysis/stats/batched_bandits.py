"""A bandit whose shares stay the same for a batch of units: its means and differences, valid although shares moved.

Within a batch everybody is dealt by known shares, so each arm's mean is a plain mean given what came before. Batches
are put together with one set of weights for all arms: where the world drifts while shares move, an arm that was played
more on good days does not look better for it (Simpson).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.bandits import ArmDifference, ArmMean, BanditResult
from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable

FEWEST = 2
"""Units of each arm without which a batch says nothing of its spread."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Units dealt by the same shares, arms in the order of the plan; all arrays have the shape (K,).

    Attributes:
        shares: of each arm; above 0.
        units: how many of each arm.
        totals, squares: sums of their rewards, and of the rewards' squares.
    """

    shares: Array
    units: Array
    totals: Array
    squares: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchedMeans:
    """Each arm's mean and its standard error, shape (K,) each, and how many batches they rest on."""

    means: Array
    errors: Array
    batches: int


def batched_means(batches: Sequence[Batch]) -> BatchedMeans | NotComputable:
    """Return the arms' means over all batches.

    Weights are a batch's units times the root of the harmonic mean of its shares: every batch then adds about as much
    variance a unit, whatever its shares (Hadad et al. 2021, eq. 8, with one weight for all arms), and the sum of
    conditionally centred terms is asymptotically normal (Zhang, Janson and Murphy 2020, "Inference for batched
    bandits", NeurIPS, theorem 1).
    """
    usable = [one for one in batches if (one.units >= FEWEST).all() and (one.shares > 0).all()]
    if not usable:
        return NotComputable(f"no batch has {FEWEST} units of every arm yet")
    shares, units, totals, squares = (
        np.array([getattr(one, name) for one in usable], dtype=np.float64)
        for name in ("shares", "units", "totals", "squares")
    )
    means = totals / units
    variances = np.maximum(0.0, squares - units * means**2) / (units - 1) / units
    harmonic = shares.shape[1] / (1 / shares).sum(axis=1)
    weights = units.sum(axis=1) * np.sqrt(harmonic)
    weights = weights / weights.sum()
    return BatchedMeans(means=np.asarray(weights @ means), errors=np.sqrt(weights**2 @ variances), batches=len(usable))


def batched_result(batches: Sequence[Batch], alpha: float = 0.05) -> BanditResult | NotComputable:
    """Return each arm's mean, and each arm's difference from the first one, with intervals.

    Args:
        batches: in order of time.
        alpha: of each interval, two-sided.
    """
    found = batched_means(batches)
    if isinstance(found, NotComputable):
        return found
    if (found.errors <= 0).any():
        return NotComputable("an arm's rewards are all alike; there is nothing to judge its mean by")
    counts = np.sum([one.units for one in batches], axis=0)
    z = float(stats.norm.isf(alpha / 2))
    arms = tuple(
        ArmMean(value=float(m), standard_error=float(s), interval=(float(m - z * s), float(m + z * s)), pulls=int(n))
        for m, s, n in zip(found.means, found.errors, counts, strict=True)
    )
    return BanditResult(arms=arms, differences=tuple(_less(arms[0], one, z) for one in arms[1:]))


def _less(control: ArmMean, arm: ArmMean, z: float) -> ArmDifference:
    value, error = arm.value - control.value, math.hypot(arm.standard_error, control.standard_error)
    return ArmDifference(
        value=value,
        standard_error=error,
        interval=(value - z * error, value + z * error),
        p_value=2 * float(stats.norm.sf(abs(value) / error)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What moving shares brought in all, beside an even split of the same units."""

    value: float
    interval: tuple[float, float]


def earned_over_even(batches: Sequence[Batch], alpha: float = 0.05) -> Earned | NotComputable:
    """Return the reward that the moved shares brought beyond an even split, by the arms' means over all batches."""
    found = batched_means(batches)
    if isinstance(found, NotComputable):
        return found
    moved = np.sum([one.units.sum() * (one.shares - 1 / len(one.shares)) for one in batches], axis=0)
    value = float(moved @ found.means)
    half = float(stats.norm.isf(alpha / 2)) * math.sqrt(float(moved**2 @ found.errors**2))
    return Earned(value=value, interval=(value - half, value + half))
