"""The sum of the winners overstates what they bring: they were chosen for looking good."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.shrinkage import Prior, learn_prior, shrink
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class CumulativeImpact:
    """What the chosen experiments add up to.

    Attributes:
        chosen: how many of all were chosen.
        claimed: the plain sum of their effects.
        bias: expected overstatement (Lee and Shen), with the effects themselves in the place of the true ones.
        corrected: claimed - bias; too low, as the plug-in over-corrects, the more so the noisier the effects.
        shrunk: sum of the chosen effects after shrinkage to the learned prior; the figure to report.
        shrunk_standard_error: of that sum, the prior taken as known.
    """

    chosen: int
    claimed: float
    bias: float
    corrected: float
    shrunk: float
    shrunk_standard_error: float


def selection_bias(effects: Sequence[float], standard_errors: Sequence[float], thresholds: Sequence[float]) -> float:
    """Return the expected overstatement of the sum over those with effect / se above the threshold.

    sum over *all* experiments of se_i phi((se_i b_i - a_i) / se_i), with a_i the true effect.

    Args:
        effects: the true ones where they are known (a simulation), else the estimates.
        standard_errors: one each.
        thresholds: b_i on the scale of z, for instance 1.96.

    Source: Lee and Shen 2018, KDD, "Winner's curse: bias estimation for total effects of features".
    """
    a, se, b = (np.asarray(one, dtype=float) for one in (effects, standard_errors, thresholds))
    return float((se * stats.norm.pdf(b - a / se)).sum())


def cumulative_impact(
    effects: Sequence[float],
    standard_errors: Sequence[float],
    threshold: float,
    prior: Prior | None = None,
) -> CumulativeImpact | NotComputable:
    """Return what the experiments with z above ``threshold`` add up to, with and without the winner's curse.

    Args:
        effects: of *all* experiments, not of the shipped ones alone: what was dropped says how much luck there was.
        standard_errors: one each.
        threshold: z from which an experiment counted as a winner.
        prior: learned from all of them, with mean free, when left out.
    """
    learned = learn_prior(effects, standard_errors) if prior is None else prior
    if isinstance(learned, NotComputable):
        return learned
    winners = [(x, se) for x, se in zip(effects, standard_errors, strict=True) if x / se > threshold]
    claimed = sum(x for x, _ in winners)
    bias = selection_bias(effects, standard_errors, [threshold] * len(effects))
    kept = [shrink(x, se, learned) for x, se in winners]
    return CumulativeImpact(
        chosen=len(winners),
        claimed=claimed,
        bias=bias,
        corrected=claimed - bias,
        shrunk=sum(one.value for one in kept),
        shrunk_standard_error=math.sqrt(sum(one.standard_error**2 for one in kept)),
    )
