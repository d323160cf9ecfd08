"""Drawing noisy effects towards what is usual: the largest of many is largest partly by luck."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """How effects are spread before looking: normal with this mean and variance."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """An effect after shrinkage. ``weight`` is how much of the raw effect is kept, 0 to 1."""

    value: float
    standard_error: float
    weight: float


def shrink(value: float, standard_error: float, prior: Prior) -> Shrunk:
    """Return the posterior of one effect under a normal prior.

    Source: Robbins 1956; Efron and Morris 1973: mean + weight (value - mean), weight = tau² / (tau² + se²).
    """
    weight = prior.variance / (prior.variance + standard_error**2)
    return Shrunk(
        value=prior.mean + weight * (value - prior.mean),
        standard_error=math.sqrt(weight) * standard_error,
        weight=weight,
    )


def learn_prior(
    values: Sequence[float], standard_errors: Sequence[float], mean: float | None = None
) -> Prior | NotComputable:
    """Learn how effects are spread from the effects of many experiments, by maximum likelihood.

    Args:
        values, standard_errors: of independent effects.
        mean: of the prior where it is known (0 for effects whose sign is arbitrary); learned when left out.

    Source: normal-normal marginal likelihood, value_i ~ N(mean, tau² + se_i²); as in a random-effects meta-analysis.
    """
    if len(values) < 3:
        return NotComputable(f"a prior needs at least three effects; there are {len(values)}")
    x, noise = np.asarray(values, dtype=float), np.asarray(standard_errors, dtype=float) ** 2
    if (noise <= 0).any():
        raise ValueError("standard errors are above 0")

    def centre(tau2: float) -> float:
        weights = 1 / (tau2 + noise)
        return float((weights @ x) / weights.sum()) if mean is None else mean

    def cost(tau2: float) -> float:
        total = tau2 + noise
        return float((np.log(total) + (x - centre(tau2)) ** 2 / total).sum())

    top = float(np.mean((x - centre(0.0)) ** 2)) * 4 + 1e-300
    grid = np.concatenate([[0.0], top * np.geomspace(1e-6, 1, 60)])
    best = int(np.argmin([cost(one) for one in grid]))
    low, high = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    tau2 = float(optimize.minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-9 * top}).x)
    tau2 = tau2 if cost(tau2) < cost(0.0) else 0.0
    return Prior(mean=centre(tau2), variance=tau2)
