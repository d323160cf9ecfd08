"""The best mixture of proxies for the next experiment: what to look at when the business metric is too noisy itself."""

from collections.abc import Sequence

import numpy as np

from analysis.programme.choice import Known
from analysis.programme.schema import Mixture
from analysis.programme.table import Rows, Table
from analysis.stats.moments import Array
from analysis.stats.programme.quality import Composite, composite
from analysis.stats.programme.structural import Structure, structure
from analysis.stats.unavailable import NotComputable

COVERED = 0.8
"""A proxy joins the mixture if this share of the experiments measures it: each one left out costs experiments."""
MOST = 9
SAME = 1e-6
"""Smallest eigenvalue of a correlation matrix from which on its metrics count as making up each other."""
FEWEST = 30
"""Experiments below which weights of several proxies are mostly noise: about three for each number that is fitted."""


def mixture(table: Table, business: Known, units: int) -> Mixture | None:
    """Return the mixture for an experiment of ``units`` (0: of a middling size), or None where none can be told."""
    covered = _covered(table, business.key)
    names, implied = _apart(table, covered, business.key) if covered else ([], [])
    if not names:
        return None
    programme, rows = table.programme([*names, business.key])
    if isinstance(programme, NotComputable) or programme.count < FEWEST:
        return None
    fitted, counted = structure(programme), table.units[rows] > 0
    if isinstance(fitted, NotComputable) or not counted.any():
        return None
    size = units or int(np.median(table.units[rows][counted]))
    noise = _noise_of(programme.covariances[counted][:, :-1, :-1], table.units[rows][counted], size)
    best, single = composite(fitted, noise), _best_single(fitted, noise, len(names))
    if isinstance(best, NotComputable) or single is None:
        return None
    scale = float(np.abs(best.weights).sum())
    weights = {name: float(w) / scale for name, w in zip(names, best.weights, strict=True)}
    return Mixture(
        units=size,
        weights=dict(sorted(weights.items(), key=lambda pair: -abs(pair[1]))),
        quality=best.quality,
        best_single=names[single[0]],
        best_single_quality=single[1],
        experiments=programme.count,
        implied=implied,
    )


def _apart(table: Table, names: Sequence[str], business: str) -> tuple[list[str], list[str]]:
    """Return the proxies that do not make up each other or the business metric, and those that would.

    Revenue is orders times order value: together the three say nothing that two do not, and their noise has no inverse.
    """
    programme, _ = table.programme([*names, business])
    if isinstance(programme, NotComputable):
        return list(names), []
    errors = np.sqrt(np.diagonal(programme.covariances, axis1=1, axis2=2))
    correlations = programme.covariances / (errors[:, :, None] * errors[:, None, :])
    kept, implied = [len(names)], []
    for place, name in enumerate(names):
        tried = [*kept, place]
        if np.linalg.eigvalsh(correlations[:, tried][:, :, tried])[:, 0].min() < SAME:
            implied.append(name)
        else:
            kept = tried
    return [names[place] for place in kept[1:]], implied


def _covered(table: Table, business: str) -> list[str]:
    if business not in table.metrics:
        return []
    has = np.isfinite(table.effects)
    measured = has[:, table.metrics.index(business)]
    if not measured.any():
        return []
    shares = has[measured].mean(axis=0)
    return [key for key, share in zip(table.metrics, shares, strict=True) if key != business and share >= COVERED][
        :MOST
    ]


def _noise_of(covariances: Array, units: Rows, size: int) -> Array:
    """Return the noise of an experiment of ``size`` units: each one's, carried over to that size, on average."""
    return np.asarray((covariances * units[:, None, None]).mean(axis=0) / size)


def _best_single(fitted: Structure, noise: Array, count: int) -> tuple[int, float] | None:
    """Return which proxy by itself would do best, and how well."""
    found = []
    for place in range(count):
        one = composite(fitted, noise, np.eye(count)[place])
        if isinstance(one, Composite):
            found.append((place, abs(one.quality)))
    return max(found, key=lambda pair: pair[1]) if found else None
