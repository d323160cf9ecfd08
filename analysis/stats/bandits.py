"""Bandits that stay analysable: every arm keeps a share, every share is known, and inference weighs by both."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable

Mask = NDArray[np.bool_]

LEAST_SHARE = 0.05  # over the number of arms: with less, an arm's mean can no longer be told
_GRID = np.linspace(-7, 7, 801)  # standard deviations around each arm


def best_probabilities(means: ArrayLike, standard_errors: ArrayLike) -> Array:
    """Return each arm's probability of being the best, shape (K,): Thompson's shares.

    Args:
        means: shape (K,), posterior means.
        standard_errors: shape (K,), posterior standard deviations, above 0.

    Source: Thompson 1933; the integral of the arm's density times the others' distribution, by quadrature, so that the
    shares are exact and can be logged (drawing at random would leave the propensity unknown).
    """
    m, s = np.asarray(means, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    if m.shape != s.shape or (s <= 0).any():
        raise ValueError(f"each of {m.shape} means has a standard error above 0; got {s.shape}")
    grid = np.sort((m[:, None] + s[:, None] * _GRID).ravel())
    below = special.ndtr((grid - m[:, None]) / s[:, None])
    # P(best = k) = integral of the product of the others' distributions over k's own
    middle = (below[:, 1:] + below[:, :-1]) / 2
    steps = np.diff(below, axis=1)
    logs = np.log(np.maximum(middle, 1e-300))
    shares = (np.exp(logs.sum(axis=0) - logs) * steps).sum(axis=1)
    return np.asarray(shares / shares.sum())


def top_two(best: ArrayLike, leader: float = 0.5) -> Array:
    """Return the shares of top-two Thompson sampling: the leader with ``leader``, else the best of the others.

    Args:
        best: shape (K,), from ``best_probabilities``.
        leader: how often the leader is played; the rest goes to telling it from its rivals.

    Source: Russo 2020, "Simple Bayesian algorithms for best-arm identification": share of i =
    p_i (leader + (1 - leader) sum over j != i of p_j / (1 - p_j)).
    """
    p = np.asarray(best, dtype=np.float64)
    odds = p / np.maximum(1 - p, 1e-12)
    rest = p * (odds.sum() - odds)
    shares = leader * p + (1 - leader) * rest
    return np.asarray(shares / shares.sum())


def floored(shares: ArrayLike, least: float | None = None) -> Array:
    """Return shares of which none is below ``least`` (5 % over the number of arms when left out), adding up to 1."""
    p = np.asarray(shares, dtype=np.float64)
    floor = LEAST_SHARE / len(p) if least is None else least
    if not 0 <= floor * len(p) <= 1:
        raise ValueError(f"a floor of {floor} for each of {len(p)} arms is more than all there is")
    return np.asarray(floor + (1 - floor * len(p)) * p / p.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmMean:
    """An arm's mean reward with an interval that stays valid although past rewards chose who got the arm."""

    value: float
    standard_error: float
    interval: tuple[float, float]
    pulls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDifference:
    """An arm less the control."""

    value: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BanditResult:
    """Each arm's mean, and each arm's difference from the first one (the control).

    Attributes:
        arms: one an arm.
        differences: arm k + 1 less arm 0, for each k.
    """

    arms: tuple[ArmMean, ...]
    differences: tuple[ArmDifference, ...]


def bandit_result(
    arms: ArrayLike, rewards: ArrayLike, propensities: ArrayLike, alpha: float = 0.05
) -> BanditResult | NotComputable:
    """Return the arms' means from a bandit's log, by augmented inverse propensities with adaptive weights.

    The plain mean of an arm is biased down (an unlucky arm is no longer played, a lucky one gets to recover), and its
    interval is too short. Weights that go with the root of the share keep the variance of each step alike.

    Args:
        arms: shape (T,), which arm was played, in the order of time, counted from 0.
        rewards: shape (T,).
        propensities: shape (T, K), logged share of each arm at each step.
        alpha: 1 - confidence.

    Source: Hadad, Hirshberg, Zhan, Wager and Athey 2021, PNAS, "Confidence intervals for policy evaluation in adaptive
    experiments", eq. 5 to 8 with h proportional to the root of the share.
    """
    played, r, e = (np.asarray(one) for one in (arms, rewards, propensities))
    if e.ndim != 2 or e.shape[0] != len(played) or len(r) != len(played):
        raise ValueError(f"{len(played)} steps need as many rewards and rows of shares; got {len(r)} and {e.shape}")
    if (e <= 0).any():
        return NotComputable("an arm's share was 0 at some step: from then on nothing is known of it; keep a floor")
    counts = np.bincount(played, minlength=e.shape[1])
    if counts.min() < 10:
        return NotComputable(f"an arm was played {counts.min()} times; 10 are the fewest")
    value, error = adaptive_means(played[None], r[None].astype(np.float64), e[None].astype(np.float64))
    z = float(stats.norm.isf(alpha / 2))
    means = tuple(
        ArmMean(value=float(v), standard_error=float(s), interval=(float(v - z * s), float(v + z * s)), pulls=int(n))
        for v, s, n in zip(value[0], error[0], counts, strict=True)
    )
    return BanditResult(arms=means, differences=tuple(_against(means[0], one, z) for one in means[1:]))


def _against(control: ArmMean, arm: ArmMean, z: float) -> ArmDifference:
    value = arm.value - control.value
    error = math.hypot(arm.standard_error, control.standard_error)
    certain = 1.0 if value == 0 else 0.0
    return ArmDifference(
        value=value,
        standard_error=error,
        interval=(value - z * error, value + z * error),
        p_value=2 * float(stats.norm.sf(abs(value) / error)) if error > 0 else certain,
    )


def adaptive_means(arms: ArrayLike, rewards: Array, propensities: Array) -> tuple[Array, Array]:
    """Return means and standard errors, shape (runs, K) each, of many bandits' logs at once.

    Args:
        arms: shape (runs, T).
        rewards: shape (runs, T).
        propensities: shape (runs, T, K).
    """
    played = np.asarray(arms)[:, :, None] == np.arange(propensities.shape[2])
    guess = _past_means(played, rewards)
    scores = guess + played / propensities * (rewards[:, :, None] - guess)
    h = np.sqrt(propensities)
    whole = h.sum(axis=1)
    value = (h * scores).sum(axis=1) / whole
    error = np.sqrt((h**2 * (scores - value[:, None]) ** 2).sum(axis=1)) / whole
    return value, error


def _past_means(played: Mask, rewards: Array) -> Array:
    """Return each arm's mean reward *before* each step (0 before its first), so that no step explains itself."""
    totals = np.cumsum(played * rewards[:, :, None], axis=1)
    counts = np.cumsum(played, axis=1)
    found = np.zeros_like(totals)
    found[:, 1:] = totals[:, :-1] / np.maximum(counts[:, :-1], 1)
    return found
