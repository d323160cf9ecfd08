"""Experiments that are no separate evidence (a treatment tried twice, a shared control), and what that does."""

import math

import numpy as np

from analysis.stats.moments import Array
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.slopes import Groups
from analysis.stats.programme.structural import Structure

_STEP = 1e-4  # effects have a spread of about 1 here; differences of a log likelihood keep about 8 digits at it
_AT_ZERO = 1e-2  # share of the metric's scatter below which the spread around the line counts as 0 and is held there


def independent(groups: Groups, count: int) -> int:
    """Return how many separate pieces of evidence ``count`` experiments are."""
    return count if groups is None else len(np.unique(groups))


def inflation(programme: Programme, fitted: Structure, groups: Groups) -> float:
    """Return by how much the structural slope's variance is larger because some experiments belong together.

    The ratio of the sandwich variance of the slope, with scores added up by group, to the likelihood's own; at least 1.
    A likelihood-ratio statistic divided by it has its usual distribution to first order.

    Args:
        programme: effects on one proxy and the business metric.
        fitted: its structure.
        groups: shape (K,), the same number for experiments that belong together; None where all stand alone.

    Source: Liang and Zeger 1986 for the sandwich; Rotnitzky and Jewell 1990, Chandler and Bate 2007 for the ratio.
    """
    if groups is None or independent(groups, programme.count) == programme.count:
        return 1.0
    scale = np.sqrt(programme.effects.var(axis=0))
    scaled = Programme(effects=programme.effects / scale, covariances=programme.covariances / (scale[:, None] * scale))
    point, held = _parameters(fitted, scale)
    scores = np.stack([_slope_of(scaled, point, which) for which in held], axis=1)
    bread = _curvature(scaled, point, held)
    _, labels = np.unique(groups, return_inverse=True)
    summed = np.zeros((int(labels.max()) + 1, scores.shape[1]))
    np.add.at(summed, labels, scores)
    inverse = np.linalg.pinv(bread, rcond=1e-10, hermitian=True)
    at = held.index(2)
    meat = _few(len(summed), len(held)) * (summed.T @ summed)
    own, together = float(inverse[at, at]), float((inverse @ meat @ inverse)[at, at])
    return max(1.0, together / own) if own > 0 and math.isfinite(together) else 1.0


def _few(groups: int, parameters: int) -> float:
    """Return the usual allowance for scores that add up to zero in each of the parameters."""
    return groups / (groups - parameters) if groups > parameters else float(groups)


def _parameters(fitted: Structure, scale: Array) -> tuple[Array, list[int]]:
    """Return (mean of x, mean of y, slope, sd of x, sd of y around the line) in units of scale, and which can move."""
    spread = math.sqrt(max(0.0, float(fitted.spread[0, 0]))) / scale[0]
    slope, residual = float(fitted.slopes[0]) * scale[0] / scale[-1], fitted.residual / scale[-1]
    point = np.array([fitted.mean[0] / scale[0], fitted.mean[-1] / scale[-1], slope, spread, residual])
    return point, [0, 1, 2, 3, 4] if residual > _AT_ZERO else [0, 1, 2, 3]


def _slope_of(programme: Programme, point: Array, which: int) -> Array:
    """Return each experiment's derivative of its log likelihood, shape (K,)."""
    ends = []
    for side in (-_STEP, _STEP):
        moved = point.copy()
        moved[which] += side
        ends.append(_each(programme, moved))
    return np.asarray((ends[1] - ends[0]) / (2 * _STEP))


def _curvature(programme: Programme, point: Array, held: list[int]) -> Array:
    """Return minus the second derivatives of the log likelihood over the parameters that move."""
    found = np.empty((len(held), len(held)))
    for column, which in enumerate(held):
        ends = []
        for side in (-10 * _STEP, 10 * _STEP):
            moved = point.copy()
            moved[which] += side
            ends.append([float(_slope_of(programme, moved, one).sum()) for one in held])
        found[:, column] = -(np.array(ends[1]) - np.array(ends[0])) / (20 * _STEP)
    return (found + found.T) / 2


def _each(programme: Programme, point: Array) -> Array:
    """Return each experiment's log likelihood, but for a constant."""
    mean_x, mean_y, slope, sd, residual = point
    total = programme.covariances.copy()
    total[:, 0, 0] += sd**2
    total[:, 0, 1] += slope * sd**2
    total[:, 1, 0] += slope * sd**2
    total[:, 1, 1] += slope**2 * sd**2 + residual**2
    x, y = programme.effects[:, 0] - mean_x, programme.effects[:, 1] - mean_y
    a, b, d = total[:, 0, 0], total[:, 0, 1], total[:, 1, 1]
    determinant = a * d - b * b
    distance = (d * x**2 - 2 * b * x * y + a * y**2) / determinant
    return np.asarray(-0.5 * (np.log(determinant) + distance))
