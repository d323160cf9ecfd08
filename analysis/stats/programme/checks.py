"""Does the slope hang on one experiment, or on effects that do not pass through the proxy?"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from analysis.stats.moments import Array
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.slopes import efficient_weights, weighted_total_covariance
from analysis.stats.programme.structural import Structure, structure
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Intercept:
    """The business effect of an experiment that moves no proxy; away from 0 the proxies miss what matters.

    Attributes:
        value, standard_error, interval, p_value: of alpha in E[y] = alpha + beta x; the spread is taken as known.
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float


def intercept(programme: Programme, alpha: float = 0.05, best: Structure | None = None) -> Intercept | NotComputable:
    """Return the intercept with its uncertainty, that of the slope included.

    Source: the idea of Egger's test in Mendelian randomisation (Bowden, Davey Smith and Burgess 2015), with the noise
    of the proxies accounted for.
    """
    found = best or structure(programme)
    slope = weighted_total_covariance(programme.pair(0), alpha)
    if isinstance(found, NotComputable):
        return found
    if isinstance(slope, NotComputable) or slope.standard_error is None:
        return NotComputable("without a slope there is no intercept")
    line = np.append(-found.slopes, 1.0)
    variance = float(line @ found.mean_covariance @ line)
    if programme.proxies == 1:
        variance += (slope.standard_error * float(found.mean[0])) ** 2
    error = math.sqrt(variance)
    df = programme.count - programme.proxies - 1
    half = float(stats.t.isf(alpha / 2, df)) * error
    return Intercept(
        value=found.intercept,
        standard_error=error,
        interval=(found.intercept - half, found.intercept + half),
        p_value=2 * float(stats.t.sf(abs(found.intercept) / error, df)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectEffects:
    """Do experiments reach the business metric by other ways than the proxy?

    Attributes:
        statistic: Q, sum of residual² / its noise; chi-square with ``df`` if the proxy is the only way.
        df: experiments - 2.
        p_value: that the proxy is the only way.
        slope, intercept: of the line with the least Q: the slope if the proxy *is* the only way.
    """

    statistic: float
    df: int
    p_value: float
    slope: float
    intercept: float


def direct_effects(programme: Programme) -> DirectEffects | NotComputable:
    """Test whether experiments lie further from the best line than their noise explains.

    Source: Cochran's Q around a line with noise in both coordinates, minimised over slope and intercept, so that the
    slope's own noise does not inflate it; the line is York's (York and others 2004, American Journal of Physics 72).
    """
    pair = programme.pair(0)
    unit = float(pair.effects[:, 1].std() / max(float(pair.effects[:, 0].std()), 1e-300))
    if not unit > 0 or not (np.linalg.eigvalsh(pair.covariances) > 0).all():
        return NotComputable("the effects have no noise, or no spread, to compare the residuals with")
    # slopes run from minus to plus infinity, their angles do not; a grid first, as Q may have two valleys
    angles = np.linspace(-1.55, 1.55, 156)
    best = int(np.argmin([_around(pair, unit * math.tan(one))[0] for one in angles]))
    bounds = angles[max(0, best - 1)], angles[min(len(angles) - 1, best + 1)]
    found = optimize.minimize_scalar(
        lambda angle: _around(pair, unit * math.tan(angle))[0],
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-9},
    )
    slope = unit * math.tan(found.x)
    least, centre = _around(pair, slope)
    df = programme.count - 2
    return DirectEffects(statistic=least, df=df, p_value=float(stats.chi2.sf(least, df)), slope=slope, intercept=centre)


def _around(pair: Programme, slope: float) -> tuple[float, float]:
    """Return Q around the best line of this slope, and its intercept."""
    (x, y), covariances = pair.effects.T, pair.covariances
    noise = covariances[:, 1, 1] - 2 * slope * covariances[:, 0, 1] + slope**2 * covariances[:, 0, 0]
    off, weights = y - slope * x, 1 / noise
    centre = float(off @ weights) / float(weights.sum())
    return float((off - centre) ** 2 @ weights), centre


def leave_one_out(programme: Programme) -> Array | NotComputable:
    """Return the weighted slope without each experiment in turn; shape (K,), NaN where there is none without it.

    A slope that changes its sign without one experiment is that experiment's, not the programme's.
    """
    if programme.count < 6:
        return NotComputable(f"leaving one out of {programme.count} experiments leaves too few")
    pair = programme.pair(0)
    w = efficient_weights(pair)
    x, y = pair.effects.T
    nxx, nxy = pair.covariances[:, 0, 0], pair.covariances[:, 0, 1]
    below = _products_without(w, x, x) - _noise_without(w, nxx)
    above = _products_without(w, x, y) - _noise_without(w, nxy)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def _products_without(w: Array, x: Array, y: Array) -> Array:
    """Return the weighted covariance of x and y without each row in turn (the downdate of Welford's recursion)."""
    whole = w.sum()
    off_x, off_y = x - w @ x / whole, y - w @ y / whole
    left = whole - w
    return np.asarray((w @ (off_x * off_y) - w * off_x * off_y * whole / left) / left)


def _noise_without(w: Array, noise: Array) -> Array:
    """Return what noise adds to that: sum u n - sum u² n with the weights u of the rows that are left."""
    left = w.sum() - w
    return np.asarray((w @ noise - w * noise) / left - (w**2 @ noise - w**2 * noise) / left**2)


def effective_experiments(programme: Programme) -> float:
    """Return how many experiments carry the slope: (sum of b)² / sum of b², b = weight times squared proxy effect.

    Two of fifty mean that the slope is those two experiments', however narrow its interval.
    """
    pair = programme.pair(0)
    w = efficient_weights(pair)
    x = pair.effects[:, 0]
    parts = w * (x - w @ x / w.sum()) ** 2
    return float(parts.sum() ** 2 / max(float(parts @ parts), 1e-300))


def weighted_median(programme: Programme) -> float | NotComputable:
    """Return the median of y_k / x_k weighted by x_k² / noise: right while less than half the weight goes other ways.

    Noise shared by x and y still pulls it towards the users' slope, so it is a check on strong proxies only.

    Source: Bowden, Davey Smith, Haycock and Burgess 2016.
    """
    x, y = programme.effects[:, 0], programme.effects[:, -1]
    seen = (x != 0) & (programme.covariances[:, -1, -1] > 0)
    if seen.sum() < 3:
        return NotComputable("fewer than three experiments moved the proxy")
    ratios, weights = y[seen] / x[seen], x[seen] ** 2 / programme.covariances[seen, -1, -1]
    order = np.argsort(ratios)
    ratios, weights = ratios[order], weights[order] / weights.sum()
    middle = np.cumsum(weights) - weights / 2
    return float(np.interp(0.5, middle, ratios))
