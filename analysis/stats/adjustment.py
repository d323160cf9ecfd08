"""Regression adjustment from moments: less variance from what was known before the experiment."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.moments import Array, Moments, merge
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable


class Method(StrEnum):
    """Whose slopes adjust a variant.

    LIN: its own (Lin 2013). POOLED: one for all, from within the variants (ANCOVA, which is CUPED). TOTAL: one for all,
    from all units as if there were no variants, as tea-tasting and GrowthBook have it; an effect then leaks into the
    slope, by O(1/n). It is here to compare with them.
    """

    LIN = "lin"
    POOLED = "pooled"
    TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Both variants' adjusted estimates, which share the pooled covariate mean and so covary.

    Attributes:
        control, treatment: adjusted values with their variances.
        covariance: of the two values.
        variance_ratio: variance of the difference with adjustment over without.
        imbalance: largest |z| of a covariate's difference between the variants.
        slopes: shape (2, k), of control and treatment; equal rows where pooled.
        repeated: directions of the covariates that were left out because they repeat the others.
    """

    control: Estimate
    treatment: Estimate
    covariance: float
    variance_ratio: float
    imbalance: float
    slopes: Array
    repeated: int = 0


def adjust(
    form: Form,
    control: Moments,
    treatment: Moments,
    *,
    method: Method = Method.LIN,
    ratio_covariates: int = 0,
    settings: Settings = DEFAULTS,
) -> Adjusted | NotComputable:
    """Adjust a comparison for covariates that were measured before the exposure.

    mu_a = y_a + b_a'(x - x_a) with b_a = C_a,xx^-1 C_a,xy and x the mean over both variants; its variance is
    s_a² / n_a + b_a' S b_a / N, its covariance with the other b_1' S b_0 / N, s_a² the residual variance with
    n_a - 1 - k degrees of freedom. The difference equals the coefficient of the treatment in OLS of y on T, x - mean(x)
    and their product; its variance also counts that the mean of x is a sample's, so that it is about the population
    and not about these units. Pooled: one b = [Σ_a C_a,xx]^-1 Σ_a C_a,xy with divisor n_a - 1, the coefficient of
    ANCOVA. A ratio is linearised first: its influence (y - R x) / mean(x) takes the place of y, and likewise for a
    covariate that is itself a ratio.

    Args:
        form: mean, proportion or ratio.
        control, treatment: moments of (value, covariates) or (numerator, denominator, covariates).
        method: own slopes of each variant, or pooled ones.
        ratio_covariates: the first so many covariates are (numerator, denominator) pairs.
        settings: the largest condition number of the covariates' correlations.

    Source: Lin 2013, Annals of Applied Statistics 7; Deng et al. 2013 (CUPED); variance as Negi, Wooldridge 2021;
    ratios after Deng, Knoblich, Lu, KDD 2018, section 3.
    """
    size = 2 if form is Form.RATIO else 1
    arms = [_arm(form, moments, size, ratio_covariates) for moments in (control, treatment)]
    pooled = _linear_covariates(merge(control, treatment), size, ratio_covariates)
    if isinstance(pooled, NotComputable):
        return pooled
    ready = [arm for arm in arms if isinstance(arm, _Arm)]
    if len(ready) < 2:
        return next(arm for arm in arms if isinstance(arm, NotComputable))
    whole = _arm(form, merge(control, treatment), size, ratio_covariates) if method is Method.TOTAL else None
    fits = _fits(ready, whole if isinstance(whole, _Arm) else None, method, settings)
    return _adjusted(ready, fits, pooled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    """One variant: its plain estimate, and moments of (linearised value, linearised covariates)."""

    plain: Estimate
    linear: Moments

    @property
    def xx(self) -> Array:
        return self.linear.comoment[1:, 1:]

    @property
    def xy(self) -> Array:
        return self.linear.comoment[1:, 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    slopes: Array
    residual: float
    df: float
    repeated: int


def _arm(form: Form, moments: Moments, size: int, ratio_covariates: int) -> _Arm | NotComputable:
    plain = estimate(form, moments.select(range(size)))
    if isinstance(plain, NotComputable):
        return plain
    k = moments.mean.shape[0] - size - ratio_covariates
    if moments.n < k + 3:
        return NotComputable(f"{moments.n} units are too few for {k} covariates")
    x = _linear_covariates(moments, size, ratio_covariates)
    if isinstance(x, NotComputable):
        return x
    gradient = np.zeros((k + 1, moments.mean.shape[0]))
    gradient[0, :size] = [1.0] if size == 1 else np.array([1.0, -plain.value]) / moments.mean[1]
    gradient[1:, size:] = x.gradient
    comoment = gradient @ moments.comoment @ gradient.T
    return _Arm(plain=plain, linear=Moments(n=moments.n, mean=np.append(plain.value, x.mean), comoment=comoment))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Covariates:
    n: int
    mean: Array
    gradient: Array
    comoment: Array


def _linear_covariates(moments: Moments, size: int, ratios: int) -> _Covariates | NotComputable:
    """Return the covariates' values, each pair as its ratio, with how they change with the underlying means."""
    means = moments.mean[size:]
    width = means.shape[0]
    k = width - ratios
    gradient, values = np.zeros((k, width)), np.empty(k)
    for i in range(ratios):
        top, bottom = means[2 * i], means[2 * i + 1]
        if bottom <= 0:
            return NotComputable("a covariate's denominator does not add up to more than zero")
        values[i] = top / bottom
        gradient[i, 2 * i : 2 * i + 2] = np.array([1.0, -values[i]]) / bottom
    values[ratios:] = means[2 * ratios :]
    gradient[ratios:, 2 * ratios :] = np.eye(k - ratios)
    comoment = gradient @ moments.comoment[size:, size:] @ gradient.T
    return _Covariates(n=moments.n, mean=values, gradient=gradient, comoment=comoment)


def _fits(arms: list[_Arm], whole: _Arm | None, method: Method, settings: Settings) -> list[_Fit]:
    if method is Method.LIN:
        fits = []
        for arm in arms:
            slopes, rank = solve(arm.xx, arm.xy, settings.max_condition)
            df = arm.linear.n - 1 - rank
            left = float(arm.linear.comoment[0, 0] - slopes @ arm.xy)
            fits.append(_Fit(slopes=slopes, residual=max(0.0, left) / df, df=df, repeated=len(slopes) - rank))
        return fits
    xx, xy = (arms[0].xx + arms[1].xx, arms[0].xy + arms[1].xy) if whole is None else (whole.xx, whole.xy)
    slopes, rank = solve(xx, xy, settings.max_condition)
    fits = []
    for arm in arms:
        left = float(arm.linear.comoment[0, 0] - 2 * slopes @ arm.xy + slopes @ arm.xx @ slopes)
        df = arm.linear.n - 1
        fits.append(_Fit(slopes=slopes, residual=max(0.0, left) / df, df=df, repeated=len(slopes) - rank))
    return fits


def solve(xx: Array, xy: Array, max_condition: float) -> tuple[Array, int]:
    """Return the slopes of least squares and the rank, leaving out directions in which covariates repeat each other.

    On the scale of correlations, so that a covariate's unit does not matter.
    """
    if len(xy) == 0:
        return np.zeros(0), 0
    scale = np.sqrt(np.diag(xx))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(xx / np.outer(scale, scale))
    kept = values > max(values[-1], 0.0) / max_condition
    inverse = np.zeros_like(values)
    inverse[kept] = 1 / values[kept]
    slopes = vectors @ (inverse * (vectors.T @ (xy / scale))) / scale
    return slopes, int(kept.sum())


def _adjusted(arms: list[_Arm], fits: list[_Fit], pooled: _Covariates) -> Adjusted:
    spread = pooled.comoment / (pooled.n - 1)
    values = []
    for arm, fit in zip(arms, fits, strict=True):
        shift = float(fit.slopes @ (pooled.mean - arm.linear.mean[1:]))
        variance = fit.residual / arm.linear.n + float(fit.slopes @ spread @ fit.slopes) / pooled.n
        values.append(Estimate(n=arm.plain.n, value=arm.plain.value + shift, variance=variance, df=fit.df))
    covariance = float(fits[1].slopes @ spread @ fits[0].slopes) / pooled.n
    before = sum(arm.plain.variance for arm in arms)
    after = values[0].variance + values[1].variance - 2 * covariance
    return Adjusted(
        control=values[0],
        treatment=values[1],
        covariance=covariance,
        variance_ratio=after / before if before > 0 else 1.0,
        imbalance=_imbalance(arms),
        slopes=np.array([fit.slopes for fit in fits]),
        repeated=max(fit.repeated for fit in fits),
    )


def _imbalance(arms: list[_Arm]) -> float:
    """Return the largest |z| of a covariate's difference: chance alone seldom makes it 3.3."""
    away = arms[1].linear.mean[1:] - arms[0].linear.mean[1:]
    variance = sum(np.diag(arm.xx) / (arm.linear.n - 1) / arm.linear.n for arm in arms)
    z = [abs(float(d)) / math.sqrt(float(v)) for d, v in zip(away, np.atleast_1d(variance), strict=True) if v > 0]
    return max(z, default=0.0)


def with_missing(values: ArrayLike) -> Array:
    """Return a covariate as two columns a unit, (value or 0, 1 where it is missing), shape (n, 2).

    A unit that is new has no past; leaving it out would break the comparison, and 0 alone would call it one that did
    nothing. With the second column its zero has a level of its own.
    """
    column = np.asarray(values, dtype=np.float64)
    missing = np.isnan(column)
    return np.column_stack([np.where(missing, 0.0, column), missing.astype(np.float64)])
