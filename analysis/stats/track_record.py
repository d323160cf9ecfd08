"""What a whole programme of experiments has to show: shares with their uncertainty, and gains without their luck."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable

FEWEST_FOR_A_PRIOR = 8
"""Experiments below which how effects are spread is too uncertain to shrink by."""

ALPHA = 0.05

SPREADS = 400
"""Points of the grid over how effects are spread; 4,000 change the fifth digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """``count`` of ``of``, with Wilson's interval: some programmes are small, and none of three is not "never"."""

    count: int
    of: int
    value: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """One experiment's relative change of a metric where more is better, with its standard error and when it ended."""

    lift: float
    standard_error: float
    shipped: bool
    ended: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What had been shipped by a day: the sum as measured, and as one may believe it. Both are log lifts."""

    day: date
    claimed: float
    believed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What the shipped changes bring together, as relative changes.

    Attributes:
        shipped, of: how many were shipped, of how many whose effect is known.
        claimed: the measured gains put together, luck and all.
        believed: the same after shrinkage towards what all experiments brought.
        interval: of ``believed``, at 1 - alpha.
        kept: the share of the claimed log lift that is believed; None where nothing was claimed.
        steps: how both grew, by day.
    """

    shipped: int
    of: int
    claimed: float
    believed: float
    interval: tuple[float, float]
    kept: float | None
    steps: tuple[Step, ...]


def share(count: int, of: int, alpha: float = ALPHA) -> Share | NotComputable:
    """Return a share with its interval.

    Source: Wilson 1927, JASA 22, 209-212; for why not Wald's: Brown, Cai and DasGupta 2001, Statistical Science 16.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no share")
    if of == 0:
        return NotComputable("there are none to count")
    from statsmodels.stats.proportion import proportion_confint  # with pandas: a second that no start should take

    low, high = proportion_confint(count, of, alpha=alpha, method="wilson")
    return Share(count=count, of=of, value=count / of, interval=(max(0.0, float(low)), min(1.0, float(high))))


def impact(gains: Sequence[Gain], alpha: float = ALPHA) -> Impact | NotComputable:
    """Return what the shipped of these experiments add up to, without the luck they were chosen by.

    Lifts are put together as factors (1 + lift), so sums are of logs; the standard error of a log lift is that of the
    lift over 1 + lift (delta method). How effects are spread is learned from *all* experiments, shipped or not: what
    was dropped says how much luck there was. It is not taken as known but integrated over, so that the interval allows
    for how little a few experiments say about it. Given all results, choosing by them needs no other correction
    (Dawid 1994).

    Args:
        gains: one for each experiment on one metric, of those that can be believed.

    Source: Gelman et al. 2013, Bayesian Data Analysis, 3rd edition, section 5.4, eqs. 5.17-5.21; flat in mu and tau.
    """
    usable = sorted((one for one in gains if one.lift > -1 and one.standard_error > 0), key=lambda one: one.ended)
    if len(usable) < FEWEST_FOR_A_PRIOR:
        return NotComputable(
            f"it takes {FEWEST_FOR_A_PRIOR} experiments to say how lucky the shipped ones were; there are {len(usable)}"
        )
    logs = np.array([math.log1p(one.lift) for one in usable])
    errors = np.array([one.standard_error / (1 + one.lift) for one in usable])
    chosen = np.array([one.shipped for one in usable])
    means, deviation = _believed(logs, errors, chosen)
    days = [one.ended for one in usable if one.shipped]
    sums = zip(days, np.cumsum(logs[chosen]), np.cumsum(means[chosen]), strict=True)
    claimed, believed = float(logs[chosen].sum()), float(means[chosen].sum())
    half = float(stats.norm.isf(alpha / 2)) * deviation
    return Impact(
        shipped=len(days),
        of=len(usable),
        claimed=math.expm1(claimed),
        believed=math.expm1(believed),
        interval=(math.expm1(believed - half), math.expm1(believed + half)),
        kept=believed / claimed if claimed else None,
        steps=tuple(Step(day=day, claimed=float(plain), believed=float(shrunk)) for day, plain, shrunk in sums),
    )


def _believed(logs: Array, errors: Array, chosen: NDArray[np.bool_]) -> tuple[Array, float]:
    """Return each effect's posterior mean, and the posterior standard deviation of the sum of the chosen ones."""
    spread = _grid(logs, errors)
    total = spread[:, None] ** 2 + errors**2  # (spreads, experiments)
    precision = (1 / total).sum(axis=1)
    centre = (logs / total).sum(axis=1) / precision
    # eq. 5.21; the constant is the same for every spread
    log_density = -0.5 * (np.log(precision) + (np.log(total) + (logs - centre[:, None]) ** 2 / total).sum(axis=1))
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    kept = spread[:, None] ** 2 / total
    means = kept * logs + (1 - kept) * centre[:, None]
    sums = means[:, chosen].sum(axis=1)
    # Within one spread: the effects' own variances, and the common centre's that all of them lean on (eq. 5.17).
    within = (kept * errors**2)[:, chosen].sum(axis=1) + (1 - kept)[:, chosen].sum(axis=1) ** 2 / precision
    variance = weight @ (within + sums**2) - (weight @ sums) ** 2
    return weight @ means, math.sqrt(max(0.0, float(variance)))


def _grid(logs: Array, errors: Array) -> Array:
    """Return spreads that hold all that the data may say of them, from none to far beyond what was seen."""
    top = 6 * float(np.std(logs)) + 2 * float(np.median(errors))
    return np.linspace(0.0, top, SPREADS)
