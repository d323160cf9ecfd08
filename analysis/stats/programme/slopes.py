"""Slopes by moments: the naive regression, and those that subtract the noise it is fooled by."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, stats

from analysis.stats.moments import Array
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.regions import Region, Shape, fieller_region, summed
from analysis.stats.unavailable import NotComputable

Groups = NDArray[np.int64] | None
_NO_SIGNAL = "the proxy's effects spread no more than their noise: there is no slope to see"


class Method(StrEnum):
    """How a slope was found."""

    USER_LEVEL = "user_level"
    NAIVE = "naive"
    TOTAL_COVARIANCE = "total_covariance"
    WEIGHTED = "weighted_total_covariance"
    LIML = "liml"
    CROSS_FOLD = "cross_fold"
    STRUCTURAL = "structural"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """How much the business metric moves for one unit of the proxy.

    Attributes:
        method: how it was found.
        value: business effect / proxy effect.
        standard_error: where the method has one that means something.
        region: confidence set; unbounded where the proxy's effects are drowned in noise; None where there is none.
    """

    method: Method
    value: float
    standard_error: float | None
    region: Region | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """How the *true* effects spread once their noise is taken out: shape (p, p), and the weights it was found with."""

    covariance: Array
    weights: Array


def _weights(programme: Programme, weights: ArrayLike | None) -> Array:
    given = np.ones(programme.count) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (programme.count,) or (given <= 0).any():
        raise ValueError(f"weights are {programme.count} numbers above 0; got shape {given.shape}")
    return np.asarray(given / given.sum())


def _parts(programme: Programme, weights: Array) -> tuple[Array, Array, Array]:
    """Return each experiment's centred products, their noise, and how much of the true spread they hold.

    For d_k centred at the weighted mean,
    E[d_k d_k'] = (1 - 2 u_k + sum u²) Lambda + (1 - 2 u_k) Sigma_k + sum u_j² Sigma_j.
    """
    u = weights
    off = programme.effects - u @ programme.effects
    products = off[:, :, None] * off[:, None, :]
    shared = np.einsum("k,kij->ij", u**2, programme.covariances)
    noise = (1 - 2 * u)[:, None, None] * programme.covariances + shared
    return products, noise, 1 - 2 * u + float(u @ u)


def spread(programme: Programme, weights: ArrayLike | None = None) -> Spread:
    """Return the covariance of the true effects: that of the estimated ones less their noise.

    Args:
        programme: effects.
        weights: shape (K,); equal when left out. Unbiased for any weights that do not look at the effects.

    Source: method of moments, as for random effects in DerSimonian and Laird 1986, for vectors.
    """
    u = _weights(programme, weights)
    products, noise, held = _parts(programme, u)
    return Spread(covariance=np.einsum("k,kij->ij", u, products - noise) / float(u @ held), weights=u)


def efficient_weights(programme: Programme, proxy: int = 0) -> Array:
    """Return weights 1 / (spread of the true effects + noise of the experiment), from a first pass; shape (K,)."""
    noise = programme.covariances[:, proxy, proxy]
    first = max(0.0, float(spread(programme).covariance[proxy, proxy]))
    total = first + noise
    return np.asarray(1 / np.maximum(total, 1e-12 * (float(total.max()) or 1.0)))


def naive(programme: Programme, weights: ArrayLike | None = None, alpha: float = 0.05) -> Slope | NotComputable:
    """Return the regression of estimated effects on estimated effects, **which is biased by shared noise**.

    Kept as what others show, and as the negative control of every simulation; with the sizes as ``weights`` it is
    two-stage least squares on the units with the experiments as instruments.

    Args:
        programme: effects on one proxy and the business metric.
        weights: shape (K,).
        alpha: 1 - confidence.
    """
    u = _weights(programme, weights)
    off = programme.effects - u @ programme.effects
    x, y = off[:, 0], off[:, -1]
    sxx = float(u @ x**2)
    if sxx <= 0:
        return NotComputable("the proxy's effect is the same in every experiment")
    value = float(u @ (x * y)) / sxx
    df = programme.count - 2
    error = math.sqrt(float(u @ (y - value * x) ** 2) / df / sxx)
    half = float(stats.t.isf(alpha / 2, df)) * error
    region = Region(shape=Shape.INTERVAL, low=value - half, high=value + half)
    return Slope(method=Method.NAIVE, value=value, standard_error=error, region=region)


def user_level(programme: Programme) -> Slope | NotComputable:
    """Return the slope between users: how the noise of the two effects goes together, from their covariances.

    What a model trained on users would call the value of a click. It is not what a change of the app moves.
    """
    noise = programme.covariances / np.maximum(programme.covariances[:, :1, :1], 1e-300)  # each experiment counts alike
    if (programme.covariances[:, 0, 0] <= 0).any():
        return NotComputable("an experiment's proxy effect has no noise, so users say nothing")
    return Slope(method=Method.USER_LEVEL, value=float(noise[:, 0, -1].mean()), standard_error=None, region=None)


def total_covariance(
    programme: Programme, weights: ArrayLike | None = None, alpha: float = 0.05, groups: Groups = None
) -> Slope | NotComputable:
    """Return the slope of the true effects, the noise's covariance subtracted, with the Anderson-Rubin region.

    Args:
        programme: effects on one proxy and the business metric.
        weights: shape (K,); equal when left out, see ``weighted_total_covariance``.
        alpha: 1 - confidence.
        groups: shape (K,), experiments that share a treatment or a control; they count once in the uncertainty.

    Source: STATISTICS section 2; Bibaut et al. 2024, KDD; a k-class estimator with kappa 1.
    """
    u = _weights(programme, weights)
    products, noise, _ = _parts(programme, u)
    moments = u[:, None, None] * (products - noise)
    return _ratio(Method.TOTAL_COVARIANCE, moments[:, 0, -1], moments[:, 0, 0], alpha, groups)


def weighted_total_covariance(
    programme: Programme, alpha: float = 0.05, groups: Groups = None
) -> Slope | NotComputable:
    """Return the same with experiments weighted by what they know; far less noisy where sizes differ."""
    found = total_covariance(programme, efficient_weights(programme), alpha, groups)
    if isinstance(found, NotComputable):
        return found
    return Slope(method=Method.WEIGHTED, value=found.value, standard_error=found.standard_error, region=found.region)


def anderson_rubin(
    programme: Programme, weights: ArrayLike | None = None, alpha: float = 0.05, groups: Groups = None
) -> Region:
    """Return the slopes that the moments do not contradict; unbounded where the proxy hardly moved.

    Unlike an estimate plus or minus two standard errors it keeps its coverage however weak the proxy's effects are.
    """
    u = _weights(programme, efficient_weights(programme) if weights is None else weights)
    products, noise, _ = _parts(programme, u)
    moments = u[:, None, None] * (products - noise)
    a, b = summed(moments[:, 0, -1], groups), summed(moments[:, 0, 0], groups)
    return fieller_region(a, b, float(stats.t.isf(alpha / 2, len(a) - 1)))


def _ratio(method: Method, a: Array, b: Array, alpha: float, groups: Groups) -> Slope | NotComputable:
    a, b = summed(a, groups), summed(b, groups)
    if b.sum() <= 0:
        return NotComputable(_NO_SIGNAL)
    value = float(a.sum() / b.sum())
    left = a - value * b
    error = math.sqrt(len(a) / (len(a) - 1) * float(left @ left)) / float(b.sum())
    region = fieller_region(a, b, float(stats.t.isf(alpha / 2, len(a) - 1)))
    return Slope(method=method, value=value, standard_error=error, region=region)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Liml:
    """Limited-information maximum likelihood from effects. ``slopes`` has shape (p - 1,); ``kappa`` is on the scale of
    spread over noise (1: the estimated effects spread no more than noise in some direction)."""

    slopes: Array
    kappa: float


def liml(programme: Programme, weights: ArrayLike | None = None) -> Liml | NotComputable:
    """Return LIML: kappa = least eigenvalue of noise⁻¹ spread; beta = (S_xx - kappa N_xx)⁻¹ (S_xy - kappa N_xy).

    Equal to LIML on the units with the experiments as instruments when the weights are their sizes. It takes for
    granted that the proxies are the only way by which an experiment reaches the business metric, up to noise alike.

    Source: Anderson and Rubin 1949; k-class form of Theil 1958.
    """
    known = programme.covariances[:, 0, 0]
    if weights is None and (known <= 0).any():
        return NotComputable("an experiment's proxy effect has no noise, so there is nothing to weigh by")
    u = _weights(programme, 1 / known if weights is None else weights)
    off = programme.effects - u @ programme.effects
    between = (off * u[:, None]).T @ off * programme.count / (programme.count - 1)
    noise = np.einsum("k,kij->ij", u, programme.covariances)
    try:
        kappa = float(linalg.eigh(between, noise, eigvals_only=True)[0])
    except linalg.LinAlgError:
        return NotComputable("the noise of the metrics is not of full rank: two of them say the same")
    left = between - kappa * noise
    slopes = np.linalg.lstsq(left[:-1, :-1], left[:-1, -1], rcond=None)[0]
    return Liml(slopes=np.asarray(slopes, dtype=np.float64), kappa=kappa)
