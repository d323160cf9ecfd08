"""How well would a proxy, or the best mixture of proxies, stand in for the business metric in the next experiment?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.structural import Structure
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Composite:
    """A mixture of proxies for an experiment of a certain noise.

    Attributes:
        weights: shape (p - 1,), on the proxies' effects; the mixture predicts the business effect.
        quality: correlation of the mixture *as measured* with the true business effect, -1 to 1.
        accuracy: the same without noise (an endless experiment).
        sign_agreement: how often mixture and business effect point the same way, without noise and with mean 0.
    """

    weights: Array
    quality: float
    accuracy: float
    sign_agreement: float


def composite(fitted: Structure, noise: ArrayLike, weights: ArrayLike | None = None) -> Composite | NotComputable:
    """Return the mixture of proxies that best predicts the true business effect, or judge given weights.

    w is proportional to (Lambda_xx + Sigma_xx)⁻¹ Lambda_xy: with a small experiment it leans on the proxies that are
    measured well, with a large one on those that are right.

    Args:
        fitted: how true effects are spread.
        noise: shape (p - 1, p - 1), sampling covariance of the proxies in the next experiment.
        weights: shape (p - 1,), a mixture to judge in the place of the best one (1 for one proxy, 0 for the others).

    Source: Tripuraneni and others 2023, "Choosing a proxy metric from past experiments".
    """
    lam = fitted.spread
    own, shared, target = lam[:-1, :-1], lam[:-1, -1], float(lam[-1, -1])
    total = own + np.asarray(noise, dtype=np.float64).reshape(own.shape)
    if weights is None:
        w = np.asarray(np.linalg.lstsq(total, shared, rcond=None)[0], dtype=np.float64)
    else:
        w = np.asarray(weights, dtype=np.float64)
    measured, true = float(w @ total @ w), float(w @ own @ w)
    if min(measured, true, target) <= 0:
        return NotComputable("the true effects of the proxies or of the business metric do not vary")
    accuracy = float(np.clip(w @ shared / math.sqrt(target * true), -1, 1))
    return Composite(
        weights=w,
        quality=float(np.clip(w @ shared / math.sqrt(target * measured), -1, 1)),
        accuracy=accuracy,
        sign_agreement=sign_agreement(accuracy),
    )


def sign_agreement(correlation: float) -> float:
    """Return how often two normal effects with mean 0 have the same sign.

    Source: Sheppard 1899: 1/2 + asin(rho) / pi.
    """
    return 0.5 + math.asin(max(-1.0, min(1.0, correlation))) / math.pi


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tradeoff:
    """One point of the Pareto family. ``stress`` 0 is the most accurate mixture, large ones the most sensitive.

    Attributes:
        stress: lambda.
        weights: shape (p - 1,).
        sensitivity: mean |z| of the mixture over the programme's experiments.
        accuracy: correlation of the mixture's true effect with the business metric's.
    """

    stress: float
    weights: Array
    sensitivity: float
    accuracy: float


def tradeoffs(
    programme: Programme, fitted: Structure, stresses: Sequence[float] = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
) -> tuple[Tradeoff, ...]:
    """Return mixtures from the most accurate to the most sensitive: w = (Lambda_xx + stress noise)⁻¹ Lambda_xy.

    Args:
        programme: effects.
        fitted: how the true ones are spread.
        stresses: how much the noise of the programme's mean experiment counts.

    Source: Zito, Greaves, Soriano and Richardson 2025 on sensitivity against accuracy.
    """
    noise = programme.covariances[:, :-1, :-1]
    mean_noise = noise.mean(axis=0)
    found = []
    for stress in stresses:
        one = composite(fitted, stress * mean_noise)
        if isinstance(one, NotComputable):
            return ()
        spread = np.sqrt(np.maximum(one.weights @ noise @ one.weights, 1e-300))
        z = np.abs(programme.effects[:, :-1] @ one.weights) / spread
        found.append(Tradeoff(stress=stress, weights=one.weights, sensitivity=float(z.mean()), accuracy=one.accuracy))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a true effect is expected to be. ``interval`` covers the effect itself, not its mean alone."""

    value: float
    standard_error: float
    interval: tuple[float, float]


def sharpen(
    fitted: Structure, effects: ArrayLike, covariance: ArrayLike, alpha: float = 0.05
) -> Prediction | NotComputable:
    """Return the business effect of one experiment, its own estimate joined with what its proxies say.

    mean_y + Lambda_y (Lambda + Sigma)⁻¹ (D - mean).

    Args:
        fitted: how true effects are spread.
        effects: shape (p,), of the experiment.
        covariance: shape (p, p), of them.
        alpha: 1 - confidence.
    """
    d, noise = np.asarray(effects, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    total = fitted.spread + noise
    if np.linalg.cond(total) > 1e14:
        return NotComputable("the metrics are known exactly or say the same; there is nothing to join")
    gain = np.linalg.solve(total, fitted.spread[:, -1])
    value = float(fitted.mean[-1] + gain @ (d - fitted.mean))
    error = math.sqrt(max(0.0, float(fitted.spread[-1, -1] - gain @ fitted.spread[:, -1])))
    half = float(stats.norm.isf(alpha / 2)) * error
    return Prediction(value=value, standard_error=error, interval=(value - half, value + half))
