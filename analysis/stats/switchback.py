"""Treatment and control take turns in time, for a market whose units disturb each other: the blocks are the units."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A stretch of time under one variant with its observations in order of time."""

    treated: bool
    values: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switchback:
    """The difference over blocks.

    Attributes:
        value: mean of the treated blocks' means - mean of the others'.
        standard_error, df, p_value, interval: Welch's test over blocks.
        randomisation_p_value: by drawing the schedule again as it was drawn.
        blocks: control and treated blocks used.
        dropped: observations left out as burn-in.
    """

    value: float
    standard_error: float
    df: float
    p_value: float
    interval: tuple[float, float]
    randomisation_p_value: float | None
    blocks: tuple[int, int]
    dropped: int


def switchback(
    blocks: Sequence[Block],
    *,
    burn_in: int = 0,
    alpha: float = 0.05,
    redraw: Callable[[], Sequence[bool]] | None = None,
    draws: int = 999,
) -> Switchback | NotComputable:
    """Compare treated and control blocks.

    Observations within a block resemble each other and are never counted as units: naively they call a difference more
    than half of the time where there is none. The first ``burn_in`` observations after a switch still feel the variant
    before and are left out; a block that follows one of the same variant feels nothing else and keeps all.

    Args:
        blocks: in order of time.
        burn_in: observations to leave out after a switch; as long as the carry-over lasts.
        alpha: of the interval, two-sided.
        redraw: draws a schedule from the actual design; gives the randomisation test.
        draws: how many schedules.

    Source: Bojinov, Simchi-Levi, Zhao 2023, Management Science 69.
    """
    kept, dropped = [], 0
    for index, block in enumerate(blocks):
        switched = index > 0 and blocks[index - 1].treated != block.treated
        skip = min(burn_in, len(block.values)) if switched else 0
        dropped += skip
        kept.append(np.asarray(block.values[skip:], dtype=float))
    if empty := sum(len(values) == 0 for values in kept):
        return NotComputable(f"{empty} blocks have no observation left after the burn-in")
    means = np.array([values.mean() for values in kept])
    treated = np.array([block.treated for block in blocks], dtype=bool)
    arms = means[~treated], means[treated]
    if min(len(arm) for arm in arms) < 2:
        return NotComputable("a variant has fewer than two blocks")
    variances = [float(arm.var(ddof=1)) / len(arm) for arm in arms]
    if sum(variances) <= 0:
        return NotComputable("no block differs from another within either variant")
    df = sum(variances) ** 2 / sum(v**2 / (len(arm) - 1) for v, arm in zip(variances, arms, strict=True))
    value, se = float(arms[1].mean() - arms[0].mean()), math.sqrt(sum(variances))
    reach = float(stats.t.isf(alpha / 2, df)) * se
    return Switchback(
        value=value,
        standard_error=se,
        df=df,
        p_value=float(2 * stats.t.sf(abs(value) / se, df)),
        interval=(value - reach, value + reach),
        randomisation_p_value=None if redraw is None else _rerandomised(means, value, redraw, draws),
        blocks=(len(arms[0]), len(arms[1])),
        dropped=dropped,
    )


def _rerandomised(means: Array, value: float, redraw: Callable[[], Sequence[bool]], draws: int) -> float:
    """Return the share of schedules, the real one included, with a difference at least as large.

    Burn-in follows the real schedule; under no effect the block means do not depend on it.
    """
    as_large, drawn = 1, 1
    for _ in range(draws):
        schedule = np.asarray(redraw(), dtype=bool)
        if 0 < schedule.sum() < len(means):
            drawn += 1
            moved = means[schedule].mean() - means[~schedule].mean()
            as_large += abs(moved) >= abs(value) * (1 - 1e-12)
    return as_large / drawn
