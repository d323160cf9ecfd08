"""Drift: does a number, such as a model's score, still spread as it did at first?"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable

GROUPS = 10
"""Groups of the first distribution that the population stability index compares: its deciles, as is the custom."""


class DriftSize(StrEnum):
    """How far a distribution has moved."""

    NONE = "none"
    SLIGHT = "slight"
    LARGE = "large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far the newer counts lie from the first ones.

    Attributes:
        psi: population stability index over the deciles of the first counts, Σ (p - q) ln(p / q).
        psi_p_value: how often chance alone gives as much.
        ks: largest distance between the two distribution functions, 0 to 1.
        ks_p_value: likewise; values that share a cell make it too large rather than too small.
        n, reference_n: values counted, newer and first.
        shares: of the newer values, in each of the groups that held a tenth of the first ones (fewer where values tie).
        reference_shares: likewise of the first ones.
        size: by the index's customary limits, where chance does not explain it.
    """

    psi: float
    psi_p_value: float
    ks: float
    ks_p_value: float
    n: int
    reference_n: int
    shares: tuple[float, ...]
    reference_shares: tuple[float, ...]
    size: DriftSize


def drift(
    reference: NDArray[np.int64],
    current: NDArray[np.int64],
    settings: Settings = DEFAULTS,
    *,
    effective: float | None = None,
) -> Drift | NotComputable:
    """Compare two histograms over the same cells, in ascending order of the value.

    The index alone calls small samples drifted: without any drift it is (groups - 1) (1/n + 1/m) on average, and scaled
    by that its distribution is chi-square with groups - 1 degrees of freedom (Yurdakul and Naranjo, J. Risk Model
    Validation 2020). So a size is only named where the p-value rules chance out. Values of one unit that come again
    and again go together: count each unit once a day, and where the first days are several, say how many independent
    values they are worth. With m_i values of unit i that is at least (Σ m_i)² / Σ m_i² (Kish, Survey Sampling, 1965).

    Args:
        reference: counts of the first days, shape (cells,).
        current: counts of the days in question, same shape.
        settings: limits, and the fewest values to compare.
        effective: how many independent values the first ones are worth, where that is fewer than there are.

    Raises:
        ValueError: histograms of different lengths.
    """
    if reference.shape != current.shape:
        raise ValueError(f"histograms of {reference.shape} and {current.shape} cells; give both over the same cells")
    n, m = int(current.sum()), int(reference.sum())
    worth = min(m, effective) if effective is not None else m
    if min(n, worth) < settings.drift_least:
        return NotComputable(f"too few values yet: {n:,} against {m:,} of the first days")
    groups = _deciles(reference)
    if groups.max() == 0:
        return NotComputable("the first days hold a single value, so that there is no distribution to compare")
    first, newer = (np.bincount(groups, weights=c).astype(np.float64) for c in (reference, current))
    index = _index(first, newer)
    scale = n * worth / (n + worth)
    distance = float(np.abs(np.cumsum(reference) / m - np.cumsum(current) / n).max())
    chance = float(stats.chi2.sf(index * scale, len(first) - 1))
    return Drift(
        psi=index,
        psi_p_value=chance,
        ks=distance,
        ks_p_value=float(stats.kstwo.sf(distance, round(scale))),
        n=n,
        reference_n=m,
        shares=tuple((newer / n).tolist()),
        reference_shares=tuple((first / m).tolist()),
        size=_size(index, chance, settings),
    )


def _deciles(reference: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each cell's group: the decile of the first values in which its middle lies, without those left empty."""
    before = np.cumsum(reference) - reference
    decile = np.floor(GROUPS * (before + reference / 2) / reference.sum()).astype(np.int64)
    decile = np.minimum(decile, GROUPS - 1)
    return np.asarray(np.unique(_held(decile, reference), return_inverse=True)[1])


def _held(decile: NDArray[np.int64], reference: NDArray[np.int64]) -> NDArray[np.int64]:
    """Let cells that were empty at first join the group below them (or the first), so that none is empty."""
    filled = np.where(reference > 0, decile, -1)
    carried = np.maximum.accumulate(filled)
    return np.where(carried < 0, decile[reference > 0].min(), carried)


def _index(first: Array, newer: Array) -> float:
    """Return the index; half a value is added to each group, so that one that became empty counts as rare."""
    q, p = ((counts + 0.5) / (counts + 0.5).sum() for counts in (first, newer))
    return float(((p - q) * np.log(p / q)).sum())


def _size(index: float, chance: float, settings: Settings) -> DriftSize:
    if chance >= settings.drift_alpha or index < settings.drift_slight:
        return DriftSize.NONE
    return DriftSize.LARGE if index >= settings.drift_large else DriftSize.SLIGHT
