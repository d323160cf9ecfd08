"""From an offline gain to an online one: what the next model may be expected to do to users."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.stats.programme.effects import Programme
from analysis.stats.programme.identification import Identification, identification
from analysis.stats.programme.quality import Prediction
from analysis.stats.programme.slopes import Slope
from analysis.stats.programme.structural import Structure, structural_slope, structure
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OfflineOnline:
    """What a point of offline gain has meant online.

    Attributes:
        slope: online effect for one unit of offline gain, with its interval.
        fitted: means and spread of the true gains and effects.
        identified: whether the slope can be told at all.
        rank_correlation: Kendall's tau of the effects, each shrunk by what the others say (raw ones are mostly noise).
        count: models.
    """

    slope: Slope
    fitted: Structure
    identified: Identification
    rank_correlation: float
    count: int


def offline_online(
    gains: ArrayLike, gain_variances: ArrayLike, effects: ArrayLike, effect_variances: ArrayLike, alpha: float = 0.05
) -> OfflineOnline | NotComputable:
    """Fit online effects on offline gains, both with their own noise, which is independent (other users, other data).

    Args:
        gains: shape (K,), offline metric of the new model less that of the old one.
        gain_variances: shape (K,), from a paired bootstrap; 0 where a gain is known exactly.
        effects: shape (K,), effect of the new model online, best as a log lift.
        effect_variances: shape (K,).
        alpha: 1 - confidence.
    """
    columns = [np.asarray(one, dtype=np.float64) for one in (gains, gain_variances, effects, effect_variances)]
    noise = np.zeros((len(columns[0]), 2, 2))
    noise[:, 0, 0], noise[:, 1, 1] = columns[1], columns[3]
    programme = Programme.of(np.column_stack([columns[0], columns[2]]), noise)
    if isinstance(programme, NotComputable):
        return programme
    fitted = structure(programme)
    if isinstance(fitted, NotComputable):
        return fitted
    slope = structural_slope(programme, alpha=alpha, best=fitted)
    identified = identification(programme, best=fitted)
    if isinstance(slope, NotComputable):
        return slope
    if isinstance(identified, NotComputable):
        return identified
    gain = fitted.spread @ np.linalg.pinv(fitted.spread + programme.covariances, hermitian=True)
    shrunk = fitted.mean + np.einsum("kij,kj->ki", gain, programme.effects - fitted.mean)
    tau = stats.kendalltau(shrunk[:, 0], shrunk[:, 1]).statistic
    return OfflineOnline(
        slope=slope,
        fitted=fitted,
        identified=identified,
        rank_correlation=float(tau) if math.isfinite(tau) else 0.0,
        count=programme.count,
    )


def predict(
    calibration: OfflineOnline, gain: float, gain_variance: float = 0.0, alpha: float = 0.05
) -> Prediction | NotComputable:
    """Return what a model with this offline gain will do online, with an interval for its true effect.

    The interval holds what the gain does not explain, the gain's own noise, and the uncertainty of mean and slope.

    Args:
        calibration: from past models.
        gain: offline, of the next model over the present one.
        gain_variance: of that gain.
        alpha: 1 - confidence.
    """
    fitted, error = calibration.fitted, calibration.slope.standard_error
    if error is None:
        return NotComputable("past models do not bound what an offline gain means online; the slope is not identified")
    total = float(fitted.spread[0, 0]) + gain_variance
    b = float(fitted.spread[0, 1]) / total if total > 0 else 0.0
    off = gain - float(fitted.mean[0])
    kept = float(fitted.spread[0, 0]) / total if total > 0 else 0.0
    line = np.array([-b, 1.0])
    left = float(fitted.spread[1, 1]) - b * float(fitted.spread[0, 1])
    df = calibration.count - 2
    variance = left * calibration.count / df + float(line @ fitted.mean_covariance @ line) + (error * kept * off) ** 2
    value = float(fitted.mean[1]) + b * off
    half = float(stats.t.isf(alpha / 2, df)) * math.sqrt(max(0.0, variance))
    return Prediction(value=value, standard_error=math.sqrt(max(0.0, variance)), interval=(value - half, value + half))
