"""Structural maximum likelihood: true effects scattered around a line, seen through each experiment's own noise."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from analysis.stats.moments import Array
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.regions import Region, Shape
from analysis.stats.programme.slopes import Method, Slope, efficient_weights, spread
from analysis.stats.unavailable import NotComputable

_PRECISION = {"maxiter": 300, "ftol": 1e-11, "gtol": 1e-6}
_ROUGHER = {"maxiter": 300, "ftol": 1e-8}  # of three metrics and more, where a trial takes far longer
_LOOSE = 1e-6  # of a covariance; a thousandth of what an interval can show, and far above rounding
_FAR = 1e4  # slopes, in units of spread of y / spread of x, from which the likelihood no longer changes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Structure:
    """D_k ~ N(mean, spread + Sigma_k): how true effects are spread over the programme's experiments.

    Attributes:
        mean: shape (p,), of the true effects.
        mean_covariance: shape (p, p), of that mean, the spread taken as known.
        spread: shape (p, p), Lambda, the covariance of the true effects.
        slopes: shape (p - 1,), beta = Lambda_xx⁻¹ Lambda_xy.
        intercept: alpha = mean_y - beta'mean_x: the business effect of an experiment that moves no proxy.
        residual: tau, spread of the business effect that the proxies do not explain (standard deviation).
        log_likelihood: at the maximum.
    """

    mean: Array
    mean_covariance: Array
    spread: Array
    slopes: Array
    intercept: float
    residual: float
    log_likelihood: float

    @property
    def correlation(self) -> float | None:
        """Return the correlation of the true effects of proxy and business metric; None where one does not vary."""
        scale = self.spread[0, 0] * self.spread[-1, -1]
        if self.spread.shape[0] > 2:
            scale = self.spread[-1, -1] * float(self.slopes @ self.spread[:-1, :-1] @ self.slopes)
            return math.sqrt(scale) / float(self.spread[-1, -1]) if scale > 0 else None
        return float(self.spread[0, -1]) / math.sqrt(scale) if scale > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scaled:
    """Effects in units of their own scatter, so that the search does not depend on units."""

    effects: Array
    covariances: Array
    scale: Array


def structure(programme: Programme) -> Structure | NotComputable:
    """Fit means, spread and slopes of the true effects by maximum likelihood.

    Args:
        programme: one proxy or several, the business metric last.

    Source: multivariate random effects with known sampling covariances (van Houwelingen, Arends and Stijnen 2002).
    """
    scaled = _scaled(programme)
    if isinstance(scaled, NotComputable):
        return scaled
    factor, top = _search(scaled, None)
    outer = scaled.scale[:, None] * scaled.scale
    whole = factor @ factor.T
    _, mean, information, _ = _likelihood(scaled, whole)
    lam = whole * outer
    centre = mean * scaled.scale
    slopes = np.asarray(np.linalg.pinv(lam[:-1, :-1], rcond=1e-12, hermitian=True) @ lam[:-1, -1])
    return Structure(
        mean=centre,
        mean_covariance=np.linalg.inv(information) * outer,
        spread=lam,
        slopes=slopes,
        intercept=float(centre[-1] - slopes @ centre[:-1]),
        residual=math.sqrt(max(0.0, float(lam[-1, -1] - slopes @ lam[:-1, -1]))),
        log_likelihood=top - programme.count * float(np.log(scaled.scale).sum()),
    )


def em_step(programme: Programme, mean: Array, lam: Array) -> tuple[Array, Array]:
    """Return mean and spread after one step of expectation and maximisation; the maximum stays where it is.

    V_k = (Lambda⁻¹ + Sigma_k⁻¹)⁻¹; mean = mean of m_k; Lambda = mean of (m_k - mean)(m_k - mean)' + V_k.

    Source: Dempster, Laird and Rubin 1977.
    """
    gain = lam @ np.linalg.inv(lam + programme.covariances)
    posterior = mean + np.einsum("kij,kj->ki", gain, programme.effects - mean)
    left = lam - gain @ lam
    centre = posterior.mean(axis=0)
    off = posterior - centre
    return centre, np.asarray((off.T @ off) / programme.count + left.mean(axis=0))


def deviance(
    programme: Programme, slope: float, proxy: int = 0, best: Structure | None = None
) -> float | NotComputable:
    """Return 2 (log likelihood at its maximum - at its maximum with this slope); chi-square with 1 df if it is true.

    Args:
        programme: effects.
        slope: of the business metric on ``proxy``, the other proxies held.
        proxy: which.
        best: the fit, where it is known.
    """
    scaled, found = _scaled(programme), best or structure(programme)
    if isinstance(scaled, NotComputable):
        return scaled
    if isinstance(found, NotComputable):
        return found
    moved = slope * float(scaled.scale[proxy] / scaled.scale[-1])
    top = found.log_likelihood + programme.count * float(np.log(scaled.scale).sum())
    near = found.spread / (scaled.scale[:, None] * scaled.scale)
    return max(0.0, 2 * (top - _search(scaled, (proxy, moved), near)[1]))


def structural_slope(
    programme: Programme, proxy: int = 0, alpha: float = 0.05, best: Structure | None = None, inflation: float = 1.0
) -> Slope | NotComputable:
    """Return the slope with its likelihood-ratio interval, open where the effects do not bound it.

    Args:
        programme: effects.
        proxy: whose slope, the other proxies held.
        alpha: 1 - confidence.
        best: the fit, where it is known.
        inflation: of its variance, where some experiments belong together (``clustering.inflation``).
    """
    found, scaled = best or structure(programme), _scaled(programme)
    if isinstance(found, NotComputable):
        return found
    if isinstance(scaled, NotComputable):
        return scaled
    unit = float(scaled.scale[-1] / scaled.scale[proxy])
    top = found.log_likelihood + programme.count * float(np.log(scaled.scale).sum())
    limit = inflation * float(stats.chi2.isf(alpha, 1))
    best_spread = found.spread / (scaled.scale[:, None] * scaled.scale)
    value = float(found.slopes[proxy])

    def side(sign: float) -> float:
        near, known = best_spread, {value / unit: -math.sqrt(limit)}

        def excess(slope: float) -> float:
            nonlocal near  # each trial begins where the one before it ended, which is close by
            if slope not in known:
                factor, highest = _search(scaled, (proxy, slope), near)
                near = factor @ factor.T
                known[slope] = math.sqrt(max(0.0, 2 * (top - highest))) - math.sqrt(limit)
            return known[slope]

        return _crossing(excess, value / unit, sign) * unit

    low, high = side(-1.0), side(1.0)
    return Slope(
        method=Method.STRUCTURAL,
        value=value,
        standard_error=_error(high - low, alpha),
        region=Region(shape=Shape.INTERVAL, low=low, high=high),
    )


def _error(width: float, alpha: float) -> float | None:
    """Return the standard error that an interval of this width stands for; None where it has no end."""
    return width / (2 * float(stats.norm.isf(alpha / 2))) if math.isfinite(width) else None


def _crossing(excess: Callable[[float], float], start: float, side: float) -> float:
    """Return where the deviance passes its limit on one side, or infinity where it never does.

    ``excess`` is that of the deviance's root, which grows nearly evenly away from the maximum: few trials are needed.
    """
    inner, step = start, 0.1
    while step < _FAR:
        outer = start + side * step
        if excess(outer) > 0:
            return float(optimize.brentq(excess, inner, outer, xtol=1e-5))
        inner, step = outer, step * (2 if step < 1 else 4)
    return side * math.inf


def _scaled(programme: Programme) -> _Scaled | NotComputable:
    scale = np.sqrt(programme.effects.var(axis=0))
    if (scale <= 0).any():
        return NotComputable("a metric's effect is the same in every experiment")
    if (programme.covariances[:, -1, -1] <= 0).any():
        return NotComputable(
            "an experiment's effect on the business metric has no noise at all: its variance is missing"
        )
    covariances = programme.covariances / (scale[:, None] * scale)
    return _Scaled(effects=programme.effects / scale, covariances=_loosened(covariances), scale=scale)


def _loosened(covariances: Array) -> Array:
    """Return covariances that all have an inverse; those of metrics that make up each other have none.

    A millionth of what goes together is taken as each metric's own.
    """
    width = covariances.shape[-1]
    return np.asarray(covariances * np.where(np.eye(width, dtype=bool), 1.0, 1 - _LOOSE))


def _likelihood(scaled: _Scaled, lam: Array) -> tuple[float, Array, Array, Array]:
    """Return the log likelihood at its best mean, that mean, its information, and the gradient in Lambda."""
    if lam.shape[0] == 2:
        return _likelihood_of_pair(scaled, lam)
    total = scaled.covariances + lam
    inverse, log_determinant = np.linalg.inv(total), float(np.linalg.slogdet(total)[1].sum())
    information = inverse.sum(axis=0)
    solved = np.einsum("kij,kj->ki", inverse, scaled.effects)
    mean = np.linalg.solve(information, solved.sum(axis=0))
    pull = solved - inverse @ mean
    width = scaled.effects.shape[1]
    value = -0.5 * (
        log_determinant
        + float(np.einsum("ki,ki->", pull, scaled.effects - mean))
        + len(pull) * width * math.log(2 * math.pi)
    )
    return value, mean, information, 0.5 * (pull.T @ pull - information)


def _likelihood_of_pair(scaled: _Scaled, lam: Array) -> tuple[float, Array, Array, Array]:
    """Return the same of two metrics, written out: nearly all the time of a programme's page goes into it."""
    noise, (x, y) = scaled.covariances, scaled.effects.T
    a, b, d = noise[:, 0, 0] + lam[0, 0], noise[:, 0, 1] + lam[0, 1], noise[:, 1, 1] + lam[1, 1]
    determinant = a * d - b * b
    xx, xy, yy = d / determinant, -b / determinant, a / determinant
    shared = float(xy.sum())
    information = np.array([[float(xx.sum()), shared], [shared, float(yy.sum())]])
    mean = np.linalg.solve(information, np.array([xx @ x + xy @ y, xy @ x + yy @ y]))
    off_x, off_y = x - mean[0], y - mean[1]
    pull_x, pull_y = xx * off_x + xy * off_y, xy * off_x + yy * off_y
    distance = float(pull_x @ off_x + pull_y @ off_y)
    value = -0.5 * (float(np.log(determinant).sum()) + distance + 2 * len(x) * math.log(2 * math.pi))
    across = float(pull_x @ pull_y)
    outer = np.array([[float(pull_x @ pull_x), across], [across, float(pull_y @ pull_y)]])
    return value, mean, information, 0.5 * (outer - information)


def _search(scaled: _Scaled, fixed: tuple[int, float] | None, near: Array | None = None) -> tuple[Array, float]:
    """Return the factor M of Lambda = M M' with the highest likelihood, and that; ``fixed`` pins one slope.

    The search begins at the covariance ``near``, or at ``_starts`` where none is given.

    M = [[C, 0], [beta'C, t]] with C lower triangular, so that every trial is a covariance and a slope can be held.
    """
    width = scaled.effects.shape[1]
    rows, columns = np.tril_indices(width - 1)
    inner = len(rows)
    free = np.array([i for i in range(width - 1) if fixed is None or i != fixed[0]], dtype=int)

    def unpack(point: Array) -> tuple[Array, Array, Array]:
        c, beta = np.zeros((width - 1, width - 1)), np.zeros(width - 1)
        c[rows, columns] = point[:inner]
        beta[free] = point[inner:-1]
        if fixed is not None:
            beta[fixed[0]] = fixed[1]
        factor = np.zeros((width, width))
        factor[:-1, :-1], factor[-1, :-1], factor[-1, -1] = c, beta @ c, point[-1]
        return c, beta, factor

    def cost(point: Array) -> tuple[float, Array]:
        c, beta, factor = unpack(point)
        value, _, _, slope = _likelihood(scaled, factor @ factor.T)
        pull = 2 * slope @ factor
        by_c = pull[:-1, :-1] + np.outer(beta, pull[-1, :-1])
        return -value, -np.concatenate([by_c[rows, columns], (c @ pull[-1, :-1])[free], pull[-1:, -1]])

    best: tuple[float, Array] = (math.inf, np.zeros(0))
    for c, beta, t in _starts(scaled) if near is None else [_split(near)]:
        start = np.concatenate([c[rows, columns], beta[free], [t]])
        found = optimize.minimize(
            cost, start, jac=True, method="L-BFGS-B", options=_PRECISION if width == 2 else _ROUGHER
        )
        if found.fun < best[0]:
            best = (float(found.fun), found.x)
    factor: Array = unpack(best[1])[2]
    return factor, -best[0]


def _starts(scaled: _Scaled) -> list[tuple[Array, Array, float]]:
    """Return where to begin: the moments' answer, and for two metrics a spread of half of what was seen as well."""
    programme = Programme(effects=scaled.effects, covariances=scaled.covariances)
    moments = spread(programme, efficient_weights(programme)).covariance
    if programme.proxies > 1:
        return [_split(moments)]
    return [_split(moments), _split(np.cov(scaled.effects.T) / 2)]


def _split(lam: Array) -> tuple[Array, Array, float]:
    """Return factor of the proxies' spread, slopes and residual of a matrix, made a covariance where it is none."""
    values, vectors = np.linalg.eigh(lam)
    proper = (vectors * np.maximum(values, 0.02)) @ vectors.T
    c = np.linalg.cholesky(proper[:-1, :-1])
    beta = np.linalg.solve(proper[:-1, :-1], proper[:-1, -1])
    return c, beta, math.sqrt(max(1e-4, float(proper[-1, -1] - beta @ proper[:-1, -1])))
