"""Regression adjustment from moments (Lin 2013): less variance from what was known before the experiment."""

import math
from dataclasses import dataclass

import numpy as np

from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.moments import Array, Moments, merge
from analysis.stats.unavailable import NotComputable

_NEGLIGIBLE = 1e-10
"""Directions of the covariates with less than this share of the largest variance repeat the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Both variants' adjusted estimates, which share the pooled covariate mean and so covary.

    Attributes:
        control, treatment: adjusted values with their variances.
        covariance: of the two values.
        variance_ratio: variance of the difference with adjustment over without.
        imbalance: largest |z| of a covariate's difference between the variants.
    """

    control: Estimate
    treatment: Estimate
    covariance: float
    variance_ratio: float
    imbalance: float


def adjust(form: Form, control: Moments, treatment: Moments) -> Adjusted | NotComputable:
    """Adjust a comparison for covariates, with each variant's own slopes.

    mu_a = y_a + b_a'(x - x_a) with b_a = C_a,xx^-1 C_a,xy and x the mean over both variants; its variance is
    s_a² / n_a + b_a' S b_a / N, its covariance with the other b_1' S b_0 / N, s_a² the residual variance with
    n_a - 1 - k degrees of freedom. The difference equals the coefficient of the treatment in OLS of y on T, x - mean(x)
    and their product; its variance also counts that the mean of x is a sample's, so that it is about the population.
    A ratio is linearised first: its influence (y - R x) / mean(x) takes the place of y.

    Args:
        form: mean, proportion or ratio.
        control, treatment: moments of (value, covariates) or (numerator, denominator, covariates).

    Source: Lin 2013, Annals of Applied Statistics 7; Deng et al. 2013 (CUPED); variance as Negi, Wooldridge 2021.
    """
    size = 2 if form is Form.RATIO else 1
    k = control.mean.shape[0] - size
    arms = []
    for moments in (control, treatment):
        plain = estimate(form, _only(moments, size))
        if isinstance(plain, NotComputable):
            return plain
        if moments.n < k + 3:
            return NotComputable(f"{moments.n} units are too few for {k} covariates")
        arms.append((plain, *_slopes(form, moments, plain, size)))
    (plain0, slopes0, _), (plain1, slopes1, _) = arms
    pooled = merge(control, treatment)
    spread = pooled.comoment[size:, size:] / (pooled.n - 1)
    values = []
    for moments, plain, slopes, residual in ((control, *arms[0]), (treatment, *arms[1])):
        shift = float(slopes @ (pooled.mean[size:] - moments.mean[size:]))
        variance = residual / moments.n + float(slopes @ spread @ slopes) / pooled.n
        values.append(Estimate(n=plain.n, value=plain.value + shift, variance=variance, df=moments.n - 1 - k))
    covariance = float(slopes1 @ spread @ slopes0) / pooled.n
    before = plain0.variance + plain1.variance
    after = values[0].variance + values[1].variance - 2 * covariance
    return Adjusted(
        control=values[0],
        treatment=values[1],
        covariance=covariance,
        variance_ratio=after / before if before > 0 else 1.0,
        imbalance=_imbalance(control, treatment, size),
    )


def _slopes(form: Form, moments: Moments, plain: Estimate, size: int) -> tuple[Array, float]:
    """Return the slopes on the covariates and the residual variance of one unit."""
    gradient = np.array([1.0])
    if form is Form.RATIO:
        gradient = np.array([1.0, -plain.value]) / float(moments.mean[1])
    k = moments.mean.shape[0] - size
    own = float(gradient @ moments.comoment[:size, :size] @ gradient)
    with_x = gradient @ moments.comoment[:size, size:]
    scale = np.sqrt(np.diag(moments.comoment)[size:])
    scale = np.where(scale > 0, scale, 1.0)
    inverse = np.linalg.pinv(moments.comoment[size:, size:] / np.outer(scale, scale), rcond=_NEGLIGIBLE, hermitian=True)
    slopes = inverse @ (with_x / scale) / scale
    residual = max(0.0, own - float(slopes @ with_x)) / (moments.n - 1 - k)
    return slopes, residual


def _imbalance(control: Moments, treatment: Moments, size: int) -> float:
    worst = 0.0
    for i in range(size, control.mean.shape[0]):
        variance = sum(float(arm.comoment[i, i]) / (arm.n - 1) / arm.n for arm in (control, treatment))
        if variance > 0:
            worst = max(worst, abs(float(treatment.mean[i] - control.mean[i])) / math.sqrt(variance))
    return worst


def _only(moments: Moments, size: int) -> Moments:
    return Moments(n=moments.n, mean=moments.mean[:size], comoment=moments.comoment[:size, :size])
