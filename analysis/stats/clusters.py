"""Whole groups are randomised (cities, shops, classes): then the groups are the units, and there are few of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable

FEW = 40
"""Fewer clusters than this and the normal distribution is too narrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDifference:
    """Treatment - control over clusters.

    Attributes:
        value: difference of the means over observations (sum of totals / sum of sizes).
        standard_error: bias-reduced (CR2): each cluster's residual is enlarged for the part it explains itself.
        df: clusters - 2, or Bell and McCaffrey's when lower.
        p_value, interval: Student's t.
        randomisation_p_value: share of re-assignments of the clusters with a difference at least as large.
        clusters: in control and treatment.
        few: fewer than 40 clusters: prefer the randomisation test.
    """

    value: float
    standard_error: float
    df: float
    p_value: float
    interval: tuple[float, float]
    randomisation_p_value: float | None
    clusters: tuple[int, int]
    few: bool


def cluster_difference(
    totals: Sequence[float],
    sizes: Sequence[float],
    treated: Sequence[bool],
    alpha: float = 0.05,
    random: np.random.Generator | None = None,
    draws: int = 2000,
) -> ClusterDifference | NotComputable:
    """Compare two groups of clusters.

    Args:
        totals: sum of the metric a cluster.
        sizes: observations (or the denominator) a cluster.
        treated: whether the cluster has the treatment.
        alpha: of the interval, two-sided.
        random: for the randomisation test; left out, there is none.
        draws: re-assignments of the clusters that keep the number of treated ones.

    Source: Bell and McCaffrey 2002, Survey Methodology 28; Pustejovsky and Tipton 2018. For a difference of two means
    with the working model of independent errors, CR2 enlarges cluster g's residual by 1 / sqrt(1 - size_g / size_arm).
    """
    y, n, w = np.asarray(totals, dtype=float), np.asarray(sizes, dtype=float), np.asarray(treated, dtype=bool)
    if (n <= 0).any():
        raise ValueError("sizes are above 0; leave out clusters without any observation")
    arms = [(y[w == side], n[w == side]) for side in (False, True)]
    if min(len(one[0]) for one in arms) < 2:
        return NotComputable("a variant has fewer than two clusters")
    means = [float(total.sum() / size.sum()) for total, size in arms]
    variances, dfs = zip(*(_cr2(total, size) for total, size in arms), strict=True)
    variance = sum(variances)
    if variance <= 0:
        return NotComputable("no cluster differs from another within either variant")
    welch = variance**2 / sum(v**2 / d for v, d in zip(variances, dfs, strict=True))
    df = min(float(len(y) - 2), welch)
    value, se = means[1] - means[0], math.sqrt(variance)
    reach = float(stats.t.isf(alpha / 2, df)) * se
    return ClusterDifference(
        value=value,
        standard_error=se,
        df=df,
        p_value=float(2 * stats.t.sf(abs(value) / se, df)),
        interval=(value - reach, value + reach),
        randomisation_p_value=None if random is None else _rerandomised(y, n, w, value, random, draws),
        clusters=(len(arms[0][0]), len(arms[1][0])),
        few=len(y) < FEW,
    )


def _cr2(totals: Array, sizes: Array) -> tuple[float, float]:
    """Return the bias-reduced variance of one arm's mean and its degrees of freedom (Satterthwaite)."""
    whole = sizes.sum()
    share = sizes / whole
    residuals = totals - sizes * totals.sum() / whole
    variance = float((residuals**2 / (1 - share)).sum() / whole**2)
    # v = sum of a_g r_g² with r = (I - share 1') e; matching its first two moments under e_g ~ N(0, size_g)
    spread = np.diag(sizes) - np.outer(sizes, sizes) / whole
    weighted = spread / np.sqrt(np.outer(1 - share, 1 - share))
    df = float(np.trace(weighted) ** 2 / (weighted**2).sum())
    return variance, df


def _rerandomised(y: Array, n: Array, w: Array, value: float, random: np.random.Generator, draws: int) -> float:
    """Return the share of re-assignments, the one that happened included, that differ by at least as much."""
    order = random.permuted(np.tile(w, (draws, 1)), axis=1).astype(float)
    top, size = order @ y, order @ n
    moved = top / size - (y.sum() - top) / (n.sum() - size)
    return float((1 + (np.abs(moved) >= abs(value) * (1 - 1e-12)).sum()) / (draws + 1))
