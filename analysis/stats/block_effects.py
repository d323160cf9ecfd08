"""The effect over blocks of time and place, with regular ups and downs taken out: the blocks are the units.

A city is larger than a town and noon busier than midnight, whatever the variant. Taking out each region's and each
hour's own level leaves what the variant and chance do.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable

FEWEST = 4
"""Blocks of each variant below which neither the t distribution nor a re-randomisation says much."""
ROUNDING = 1e-13
"""A spread below this share of the largest value is rounding: doubles carry about 16 digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockEffect:
    """Treatment - control over blocks.

    Attributes:
        value: of the difference, other things (regions, hours) equal.
        control: mean of the control's blocks.
        standard_error, df, p_value, interval: HC2 and Student's t.
        randomisation_p_value: share of schedules, drawn as the real one was, that differ by at least as much.
        blocks: control and treated blocks used.
    """

    value: float
    control: float
    standard_error: float
    df: int
    p_value: float
    interval: tuple[float, float]
    randomisation_p_value: float | None
    blocks: tuple[int, int]


def block_effect(
    values: Sequence[float],
    treated: Sequence[bool],
    levels: Sequence[Sequence[object]] = (),
    *,
    alpha: float = 0.05,
    redraw: Callable[[], Array] | None = None,
    draws: int = 999,
) -> BlockEffect | NotComputable:
    """Compare treated and control blocks.

    Args:
        values: one number a block.
        treated: whether the block had the treatment.
        levels: labels of each block (its region, its hour of the day) whose own level is taken out.
        alpha: of the interval, two-sided.
        redraw: draws a schedule from the actual design, shape (blocks,); gives the randomisation test.
        draws: how many schedules.

    Source: least squares with HC2 errors (MacKinnon and White 1985), which for a randomised treatment are those of
    Neyman 1923; Bojinov, Simchi-Levi and Zhao 2023 for the re-randomisation of switchbacks.
    """
    y, w = np.asarray(values, dtype=np.float64), np.asarray(treated, dtype=bool)
    counts = int((~w).sum()), int(w.sum())
    if min(counts) < FEWEST:
        return NotComputable(f"{counts[0]} and {counts[1]} blocks are over; {FEWEST} of each are the fewest")
    basis = _basis(levels, len(y))
    df = len(y) - basis.shape[1] - 1
    if df < FEWEST:
        return NotComputable(f"{len(y)} blocks are too few for {basis.shape[1]} regions and hours")
    rest = _residual(basis, y)
    own = _residual(basis, w.astype(np.float64))
    information = float(own @ own)
    if information < 1e-9:
        return NotComputable("every region or hour had one variant only")
    value = float(own @ rest) / information
    error = _hc2(basis, own, rest - value * own, information)
    if error <= ROUNDING * float(np.abs(y).max()):
        return NotComputable("no block differs from another within either variant")
    half = float(stats.t.isf(alpha / 2, df)) * error
    return BlockEffect(
        value=value,
        control=float(y[~w].mean()),
        standard_error=error,
        df=df,
        p_value=float(2 * stats.t.sf(abs(value) / error, df)),
        interval=(value - half, value + half),
        randomisation_p_value=None if redraw is None else _rerandomised(basis, rest, value, redraw, draws),
        blocks=counts,
    )


def _basis(levels: Sequence[Sequence[object]], blocks: int) -> Array:
    """Return orthonormal columns that span the constant and every level."""
    columns = [np.ones(blocks)]
    for labels in levels:
        _, found = np.unique(np.array([str(label) for label in labels]), return_inverse=True)
        columns += [(found == k).astype(np.float64) for k in range(1, found.max() + 1)]
    u, s, _ = np.linalg.svd(np.stack(columns, axis=1), full_matrices=False)
    return np.asarray(u[:, s > 1e-9 * s[0]])


def _residual(basis: Array, column: Array) -> Array:
    return np.asarray(column - basis @ (basis.T @ column))


def _hc2(basis: Array, own: Array, residuals: Array, information: float) -> float:
    leverage = (basis**2).sum(axis=1) + own**2 / information
    enlarged = residuals**2 / np.maximum(1e-9, 1 - leverage)
    return math.sqrt(float((own**2 * enlarged).sum())) / information


def _rerandomised(basis: Array, rest: Array, value: float, redraw: Callable[[], Array], draws: int) -> float:
    as_large, drawn = 1, 1
    for _ in range(draws):
        own = _residual(basis, np.asarray(redraw(), dtype=np.float64))
        information = float(own @ own)
        if information > 1e-9:
            drawn += 1
            as_large += abs(float(own @ rest) / information) >= abs(value) * (1 - 1e-12)
    return as_large / drawn
