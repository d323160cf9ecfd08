"""Hundreds of comparisons in one pass over arrays: the numbers of ``compare`` and ``compare_adjusted``, only faster."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.stats.adjustment import Method
from analysis.stats.compare import Difference
from analysis.stats.estimates import Form
from analysis.stats.moment_matrix import MomentMatrix
from analysis.stats.moments import Array
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable

Mask = NDArray[np.bool_]
_NO_SPREAD = 1e-13


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Many:
    """One comparison a row, shape (m,) each; a row has a meaning only where ``computable`` says so.

    Attributes:
        computable: whether the difference exists.
        control, treatment: values (adjusted, where there are covariates).
        value, standard_error, df, p_value, low, high: of treatment minus control.
        lift, lift_low, lift_high: Fieller's; a meaning only where ``lift_computable`` and ``lift_bounded``.
        variance_reduction: share of the variance that covariates took away; 0 without.
    """

    computable: Mask
    control: Array
    treatment: Array
    value: Array
    standard_error: Array
    df: Array
    quantile: Array
    p_value: Array
    low: Array
    high: Array
    lift_computable: Mask
    lift_bounded: Mask
    lift: Array
    lift_low: Array
    lift_high: Array
    variance_reduction: Array

    def difference(self, row: int) -> Difference | NotComputable:
        """Return one row's difference as ``compare`` would; ask ``compare`` itself for the exact reason."""
        if not self.computable[row]:
            return NotComputable("too few units, no spread between units, or nothing to divide by")
        return Difference(
            value=float(self.value[row]),
            standard_error=float(self.standard_error[row]),
            df=float(self.df[row]),
            statistic=float(self.value[row] / self.standard_error[row]),
            p_value=float(self.p_value[row]),
            interval=(float(self.low[row]), float(self.high[row])),
            quantile=float(self.quantile[row]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Arms:
    """One variant in every comparison: linearised value and covariates."""

    n: Array
    value: Array
    x: Array
    yy: Array
    xy: Array
    xx: Array
    usable: Mask


class _Fitted(NamedTuple):
    """Values, their variances and degrees of freedom, their covariance, and the share of variance taken away."""

    m0: Array
    m1: Array
    v0: Array
    v1: Array
    df0: Array
    df1: Array
    covariance: Array
    reduction: Array


def compare_many(
    form: Form,
    control: MomentMatrix,
    treatment: MomentMatrix,
    alpha: float = DEFAULTS.alpha,
    *,
    method: Method = Method.LIN,
    settings: Settings = DEFAULTS,
) -> Many:
    """Compare row by row: cell i of ``treatment`` with cell i of ``control``.

    Args:
        form: mean, proportion or ratio, the same for all rows.
        control, treatment: equally many cells of (value, covariates), for a ratio (numerator, denominator, covariates).
        alpha: two-sided.
        method: whose slopes adjust; without covariates it does not matter.
        settings: the largest condition number of covariates.
    """
    if control.mean.shape != treatment.mean.shape:
        raise ValueError(
            f"as many cells and numbers on both sides, please; got {control.mean.shape}, {treatment.mean.shape}"
        )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        arms = _arms(form, control), _arms(form, treatment)
        if arms[0].x.shape[1]:
            return _finish(form, arms, _adjusted(arms, method, settings), alpha)
        return _finish(form, arms, _plain(form, arms), alpha)


def _arms(form: Form, cells: MomentMatrix) -> _Arms:
    n, mean, full = cells.n.astype(np.float64), cells.mean, cells.comoments()
    if form is not Form.RATIO:
        if form is Form.PROPORTION and not ((mean[:, 0] > -1e-12) & (mean[:, 0] < 1 + 1e-12)).all():
            raise ValueError("a proportion is formed from 0 and 1 a unit; cap each unit at 1 first")
        usable = n >= (1 if form is Form.PROPORTION and cells.width == 1 else 2)
        return _Arms(
            n=n, value=mean[:, 0], x=mean[:, 1:], yy=full[:, 0, 0], xy=full[:, 0, 1:], xx=full[:, 1:, 1:], usable=usable
        )
    value = mean[:, 0] / mean[:, 1]
    gradient = np.stack([np.ones_like(value), -value], axis=1) / mean[:, 1:2]
    return _Arms(
        n=n,
        value=value,
        x=mean[:, 2:],
        yy=np.einsum("mi,mij,mj->m", gradient, full[:, :2, :2], gradient),
        xy=np.einsum("mi,mij->mj", gradient, full[:, :2, 2:]),
        xx=full[:, 2:, 2:],
        usable=(n >= 2) & (mean[:, 1] > 0),
    )


def _plain(form: Form, arms: tuple[_Arms, _Arms]) -> _Fitted:
    variances, dfs = [], []
    for arm in arms:
        if form is Form.PROPORTION:
            variances.append(arm.value * (1 - arm.value) / arm.n)
            dfs.append(np.full_like(arm.n, np.inf))
            continue
        variance = arm.yy / (arm.n - 1)
        variance = np.where(np.sqrt(np.maximum(variance, 0)) <= _NO_SPREAD * abs(arm.value), 0.0, variance)
        variances.append(variance / arm.n)
        dfs.append(arm.n - 1)
    none = np.zeros_like(arms[0].n)
    return _Fitted(
        m0=arms[0].value,
        m1=arms[1].value,
        v0=variances[0],
        v1=variances[1],
        df0=dfs[0],
        df1=dfs[1],
        covariance=none,
        reduction=none,
    )


def _adjusted(arms: tuple[_Arms, _Arms], method: Method, settings: Settings) -> _Fitted:
    control, treatment = arms
    if method is Method.TOTAL:
        raise ValueError("slopes over all units are for one comparison beside another package; use LIN or POOLED here")
    if method is Method.POOLED:
        slopes, rank = _solve(control.xx + treatment.xx, control.xy + treatment.xy, settings.max_condition)
        fits = [(slopes, np.zeros_like(rank)), (slopes, np.zeros_like(rank))]
    else:
        fits = [_solve(arm.xx, arm.xy, settings.max_condition) for arm in arms]
    total = control.n + treatment.n
    away = treatment.x - control.x
    centre = control.x + away * (treatment.n / total)[:, None]
    between = away[:, :, None] * away[:, None, :] * (control.n * treatment.n / total)[:, None, None]
    spread = (control.xx + treatment.xx + between) / (total * (total - 1))[:, None, None]
    values, variances, dfs = [], [], []
    for arm, (slopes, rank) in zip(arms, fits, strict=True):
        values.append(arm.value + np.einsum("mi,mi->m", slopes, centre - arm.x))
        fitted = np.einsum("mi,mij,mj->m", slopes, arm.xx, slopes)
        left = np.maximum(arm.yy - 2 * np.einsum("mi,mi->m", slopes, arm.xy) + fitted, 0.0)
        df = arm.n - 1 - rank
        variances.append(left / df / arm.n + np.einsum("mi,mij,mj->m", slopes, spread, slopes))
        dfs.append(df)
    covariance = np.einsum("mi,mij,mj->m", fits[1][0], spread, fits[0][0])
    before = sum(arm.yy / (arm.n - 1) / arm.n for arm in arms)
    reduction = 1 - (variances[0] + variances[1] - 2 * covariance) / before
    return _Fitted(
        m0=values[0],
        m1=values[1],
        v0=variances[0],
        v1=variances[1],
        df0=dfs[0],
        df1=dfs[1],
        covariance=covariance,
        reduction=reduction,
    )


def _solve(xx: Array, xy: Array, max_condition: float) -> tuple[Array, Array]:
    """Return slopes (m, k) and ranks (m,), leaving out directions in which covariates repeat each other."""
    scale = np.sqrt(np.diagonal(xx, axis1=1, axis2=2))
    scale = np.where(scale > 0, scale, 1.0)
    if xx.shape[1] == 1:
        return np.where(xx[:, 0] > 0, xy / scale**2, 0.0), (xx[:, 0, 0] > 0).astype(np.float64)
    values, vectors = np.linalg.eigh(xx / (scale[:, :, None] * scale[:, None, :]))
    kept = values > np.maximum(values[:, -1:], 0.0) / max_condition
    inverse = np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)
    inner = np.einsum("mji,mj->mi", vectors, xy / scale) * inverse
    return np.einsum("mij,mj->mi", vectors, inner) / scale, kept.sum(axis=1).astype(np.float64)


def _finish(form: Form, arms: tuple[_Arms, _Arms], fitted: _Fitted, alpha: float) -> Many:
    m0, m1, v0, v1, _, _, covariance, reduction = fitted
    k = arms[0].x.shape[1]
    enough = (np.minimum(arms[0].n, arms[1].n) >= k + 3) | (k == 0)
    variance = v1 + v0 - 2 * covariance
    computable = arms[0].usable & arms[1].usable & enough & (variance > 0)
    se = np.sqrt(np.where(computable, variance, 1.0))
    if form is Form.PROPORTION and k == 0:
        df = np.full_like(se, np.inf)
        quantile = np.full_like(se, -special.ndtri(alpha / 2))
        p = 2 * special.ndtr(-abs(m1 - m0) / se)
    else:
        own1, own0 = np.maximum(0.0, v1 - covariance), np.maximum(0.0, v0 - covariance)
        df = np.where(computable, (own1 + own0) ** 2 / (own1**2 / fitted.df1 + own0**2 / fitted.df0), 1.0)
        quantile = -special.stdtrit(df, alpha / 2)
        p = 2 * special.stdtr(df, -abs(m1 - m0) / se)
    value = m1 - m0
    lift, low, high, bounded = _fieller(m0, m1, v0, v1, covariance, quantile)
    return Many(
        computable=computable,
        control=m0,
        treatment=m1,
        value=value,
        standard_error=se,
        df=df,
        quantile=quantile,
        p_value=np.minimum(p, 1.0),
        low=value - quantile * se,
        high=value + quantile * se,
        lift_computable=computable & (m0 > 0) & np.isfinite(lift),
        lift_bounded=computable & bounded,
        lift=lift,
        lift_low=low,
        lift_high=high,
        variance_reduction=reduction,
    )


def _fieller(
    m0: Array, m1: Array, v0: Array, v1: Array, covariance: Array, quantile: Array
) -> tuple[Array, Array, Array, Mask]:
    """Return lift, its ends and whether they exist; see ``lift.fieller``."""
    r = m1 / m0
    root_g = quantile * np.sqrt(v0) / m0
    g, scaled = root_g**2, quantile / m0 * covariance
    reach = np.sqrt(np.maximum(v1 - 2 * r * covariance + r * r * v0 - (g * v1 - scaled**2), 0.0))
    centre, half = r - quantile / m0 * scaled, quantile / m0 * reach
    bounded = (m0 > 0) & (root_g < 1) & np.isfinite(r)
    return r - 1, (centre - half) / (1 - g) - 1, (centre + half) / (1 - g) - 1, bounded
