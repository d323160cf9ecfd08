"""Random-effects meta-analysis by restricted likelihood: how true effects spread once their noise is taken out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomEffects:
    """effect_i = x_i'b + u_i + e_i with u_i ~ N(0, tau²) and e_i ~ N(0, v_i).

    Attributes:
        coefficients: shape (k,); the mean effect alone where there is no moderator.
        covariance: shape (k, k).
        tau2: variance of the true effects around the regression.
        q: Cochran's Q, the heterogeneity at tau² = 0 (chi-square with count - k degrees of freedom without any).
        count: effects.
    """

    coefficients: Array
    covariance: Array
    tau2: float
    q: float
    count: int

    @property
    def standard_errors(self) -> Array:
        """Return the standard errors of the coefficients, shape (k,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def random_effects(
    effects: Sequence[float], variances: Sequence[float], moderators: ArrayLike | None = None
) -> RandomEffects | NotComputable:
    """Fit a random-effects model by restricted maximum likelihood (REML).

    Args:
        effects: shape (m,), estimates of independent experiments.
        variances: shape (m,), their sampling variances.
        moderators: shape (m,) or (m, k), what the effects may depend on; a constant is added.

    Source: Viechtbauer 2005; the numbers of R's metafor ``rma``.
    """
    y, v = np.asarray(effects, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    x = np.ones((len(y), 1)) if moderators is None else np.column_stack([np.ones(len(y)), np.asarray(moderators)])
    if len(y) < x.shape[1] + 2:
        return NotComputable(f"{len(y)} effects are too few for {x.shape[1]} coefficients and their spread")
    if (v <= 0).any():
        raise ValueError("sampling variances are above 0")
    b, _, q = _weighted(x, y, 1 / v)
    top = 10 * float(np.var(y)) + float(v.max())

    def cost(tau2: float) -> float:
        weights = 1 / (tau2 + v)
        _, information, left = _weighted(x, y, weights)
        return float(left - np.log(weights).sum() + np.linalg.slogdet(information)[1])

    grid = np.concatenate([[0.0], top * np.geomspace(1e-8, 1, 80)])
    best = int(np.argmin([cost(one) for one in grid]))
    low, high = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
    found = optimize.minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-12 * top})
    tau2 = float(found.x) if cost(float(found.x)) < cost(0.0) else 0.0
    b, information, _ = _weighted(x, y, 1 / (tau2 + v))
    return RandomEffects(
        coefficients=b,
        covariance=np.asarray(np.linalg.inv(information), dtype=np.float64),
        tau2=tau2,
        q=q,
        count=len(y),
    )


def _weighted(x: Array, y: Array, weights: Array) -> tuple[Array, Array, float]:
    """Return coefficients, information and the weighted sum of squared residuals."""
    information = (x * weights[:, None]).T @ x
    b = np.asarray(np.linalg.solve(information, x.T @ (weights * y)), dtype=np.float64)
    return b, information, float((weights * (y - x @ b) ** 2).sum())
