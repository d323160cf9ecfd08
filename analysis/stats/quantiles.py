"""Quantiles over rows of units, in two passes of counting that know that a unit's rows belong together."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.moments import Moments
from analysis.stats.reference import two_sided_quantile
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable

Z = two_sided_quantile(0.05, math.inf)
"""Standard errors between the quantile and the ranks that its own standard error is read from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """Which order statistics to fetch in the second pass: 1 is the smallest row. ``effect`` is the design effect."""

    lower: int
    upper: int
    effect: float


def value_rank(rows: int, level: float) -> int:
    """Return the rank of the quantile itself, ceil(n level): what the first pass fetches."""
    return min(rows, max(1, math.ceil(rows * level)))


def ranks(level: float, counts: Moments, settings: Settings = DEFAULTS) -> Ranks | NotComputable:
    """Return the ranks whose values span two times 1.96 standard errors of a quantile.

    With S_k the rows of unit k at or below the quantile and N_k all its rows, the share S/N has the delta-method
    variance s² = [v_S - 2 r c_SN + r² v_N] / (K mean(N)²), r = mean(S) / mean(N); the ranks are n (level -+ 1.96 s).

    Args:
        level: of the quantile, 0 to 1.
        counts: moments over units of (S, N), from the second pass.
        settings: the fewest rows beyond the quantile, in effective numbers.

    Source: Deng, Knoblich, Lu, KDD 2018, section 4; Yao, Li, Lu 2024, algorithm 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of a quantile lies between 0 and 1; got {level}")
    rows = round(float(counts.mean[1]) * counts.n) if counts.n else 0
    if rows == 0:
        return NotComputable("no unit has a value")
    share = estimate(Form.RATIO, counts)
    if isinstance(share, NotComputable):
        return share
    effect = max(1.0, share.variance / (level * (1 - level) / rows))
    if rows * min(level, 1 - level) < settings.rows_beyond * effect:
        return NotComputable(f"{rows:,} values are too few for the {level:g} quantile")
    reach = Z * math.sqrt(share.variance)
    return Ranks(
        lower=max(1, math.floor(rows * (level - reach))),
        upper=min(rows, math.ceil(rows * (level + reach))),
        effect=effect,
    )


def from_order_statistics(units: int, value: float, lower: float, upper: float) -> Estimate:
    """Return the quantile as an estimate: the values at ``ranks`` are 2 x 1.96 standard errors apart; normal."""
    return Estimate(n=units, value=value, variance=((upper - lower) / (2 * Z)) ** 2, df=math.inf)


def quantile(
    values: ArrayLike, units: ArrayLike, level: float, settings: Settings = DEFAULTS
) -> Estimate | NotComputable:
    """Return one variant's quantile over rows in memory.

    Args:
        values: shape (n,), one a row.
        units: shape (n,), which unit (a whole number) each row belongs to.
        level: of the quantile, 0 to 1.
        settings: the fewest rows beyond the quantile.
    """
    table = np.asarray(values, dtype=np.float64)
    if len(table) == 0:
        return NotComputable("no unit has a value")
    _, codes = np.unique(np.asarray(units), return_inverse=True)
    ordered = np.sort(table)
    value = float(ordered[value_rank(len(table), level) - 1])
    n = np.bincount(codes)
    counts = Moments.from_values(np.column_stack([np.bincount(codes, weights=table <= value), n]))
    found = ranks(level, counts, settings)
    if isinstance(found, NotComputable):
        return found
    return from_order_statistics(len(n), value, float(ordered[found.lower - 1]), float(ordered[found.upper - 1]))
