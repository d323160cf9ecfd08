"""Is this all that was tried, or only what looked good? An archive of winners tells a slope that is not there."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.stats.moments import Array
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.structural import Structure
from analysis.stats.unavailable import NotComputable

CLEAR = 1.959964
"""|z| from which an effect is called; what an archive of winners leaves out lies below."""
ALARM = 1e-3
"""An archive is doubted below this p: a warning beside a slope must not cry wolf (as for a split, SRM)."""
FEWEST = 10  # experiments; fewer say nothing about what is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """How many effects that are not clear an archive holds, against how many its own spread leads one to expect.

    Attributes:
        unclear: experiments with |z| below 1.96.
        expected: how many there should be.
        p_value: of so few.
        doubtful: too few for chance.
    """

    unclear: int
    expected: float
    p_value: float
    doubtful: bool


def archive(programme: Programme, fitted: Structure, metric: int = -1) -> Archive | NotComputable:
    """Ask whether effects near zero are missing, as they are where only what was significant is kept.

    Each experiment's estimate is N(mean, spread + noise) under the fit; the count of those with |z| < 1.96 is a sum of
    unequal coins, whose lower tail is computed exactly. A winners' archive fits with a mean far from zero and hardly
    any spread, and even so expects unclear ones of which it has none.

    Args:
        programme: effects.
        fitted: how true effects are spread.
        metric: which of the effects, the business metric by default.

    Source: the idea of the caliper test (Gerber and Malhotra 2008, Quarterly Journal of Political Science 3).
    """
    noise = programme.covariances[:, metric, metric]
    if programme.count < FEWEST or (noise <= 0).any():
        return NotComputable(f"{programme.count} experiments say nothing about what is missing")
    bar, total = CLEAR * np.sqrt(noise), np.sqrt(float(fitted.spread[metric, metric]) + noise)
    centre = float(fitted.mean[metric])
    chances = special.ndtr((bar - centre) / total) - special.ndtr((-bar - centre) / total)
    unclear = int((np.abs(programme.effects[:, metric]) < bar).sum())
    p = at_most(chances, unclear)
    return Archive(unclear=unclear, expected=float(chances.sum()), p_value=p, doubtful=p < ALARM)


def at_most(chances: Array, count: int) -> float:
    """Return the probability that at most ``count`` of independent coins with these chances fall heads."""
    reached = np.zeros(count + 2)  # the last place gathers "more"
    reached[0] = 1.0
    for chance in chances:
        moved = reached[:-1] * chance
        reached[:-1] -= moved
        reached[1:] += moved
    return float(min(1.0, reached[:-1].sum()))
