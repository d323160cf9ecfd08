"""The Bayesian reading beside the test: how likely is better, and what is lost on average by shipping or not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from analysis.stats.random_effects import random_effects
from analysis.stats.shrinkage import Prior
from analysis.stats.unavailable import NotComputable

FEWEST_EXPERIMENTS = 10
"""Past effects below which the spread of effects is a guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedPrior:
    """A prior from past experiments. ``heavy_tailed`` says that a normal prior draws the largest effects in too far."""

    prior: Prior
    experiments: int
    heavy_tailed: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """Say where the prior comes from and what to mind."""
        spread = f"{math.sqrt(self.prior.variance):.2%}"
        said = f"Learned from {self.experiments} past experiments, whose true effects spread by {spread}."
        if not self.heavy_tailed:
            return (said,)
        return (said, "A few past effects were far larger than the rest: very large effects are drawn in too far.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """What is believed of an effect after the data.

    Attributes:
        mean, sd: of the effect.
        better: probability that the effect is on the good side.
        loss_if_shipped: effect lost on average by shipping, counted only where it is on the bad side.
        loss_if_kept: the same by keeping the control.
        interval: the central share ``level`` of belief.
        flat: no prior was given, so ``better`` is one minus the one-sided p-value and nothing more.
    """

    mean: float
    sd: float
    better: float
    loss_if_shipped: float
    loss_if_kept: float
    interval: tuple[float, float]
    level: float
    flat: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what the numbers are not."""
        peeking = "Stopping when this looks good enough raises the rate of false gains, as peeking at p-values does."
        if not self.flat:
            return (peeking,)
        return ("No prior: this is the one-sided p-value in other words, and too sure of large effects.", peeking)


def learn_prior(effects: Sequence[float], standard_errors: Sequence[float]) -> LearnedPrior | NotComputable:
    """Learn mean and spread of true effects from past experiments, on one scale (lifts, say).

    By REML, which takes the noise of each estimate out of the spread. Heavy tails are called where the standardised
    effects have more kurtosis than normal ones have once in a thousand (about 3.1 standard errors of it).
    """
    if len(effects) < FEWEST_EXPERIMENTS:
        return NotComputable(
            f"{len(effects)} past experiments are too few to learn from; {FEWEST_EXPERIMENTS} are needed"
        )
    variances = [error**2 for error in standard_errors]
    found = random_effects(effects, variances)
    if isinstance(found, NotComputable):
        return found
    mean = float(found.coefficients[0])
    z = (np.asarray(effects) - mean) / np.sqrt(found.tau2 + np.asarray(variances))
    heavy = float(stats.kurtosis(z)) > 3.1 * math.sqrt(24 / len(z))
    return LearnedPrior(prior=Prior(mean=mean, variance=found.tau2), experiments=len(z), heavy_tailed=heavy)


def posterior(
    value: float, standard_error: float, prior: Prior | None, *, higher_is_better: bool = True, level: float = 0.95
) -> Posterior:
    """Return what to believe of an effect: normal data, normal prior, in closed form.

    v = 1 / (1/se² + 1/tau²), m = v (value/se² + mean/tau²); P(better) = Phi(m/√v); loss by shipping = √v phi(m/√v) - m
    Phi(-m/√v). The sign is turned for metrics where lower is better.

    Args:
        value, standard_error: of the effect, on the prior's scale.
        prior: None for a flat one.
        higher_is_better: the metric's direction.
        level: of the interval.
    """
    if standard_error <= 0:
        raise ValueError(f"a standard error is above 0; got {standard_error}")
    if prior is not None and prior.variance == 0:
        mean, variance = prior.mean, 0.0
    elif prior is None:
        mean, variance = value, standard_error**2
    else:
        variance = 1 / (1 / standard_error**2 + 1 / prior.variance)
        mean = variance * (value / standard_error**2 + prior.mean / prior.variance)
    sd = math.sqrt(variance)
    good = mean if higher_is_better else -mean
    half = float(stats.norm.isf((1 - level) / 2)) * sd
    return Posterior(
        mean=mean,
        sd=sd,
        better=_better(good, sd),
        loss_if_shipped=_gain_forgone(-good, sd),
        loss_if_kept=_gain_forgone(good, sd),
        interval=(mean - half, mean + half),
        level=level,
        flat=prior is None,
    )


def _better(good: float, sd: float) -> float:
    if sd == 0:
        return 1.0 if good > 0 else 0.5 if good == 0 else 0.0
    return float(stats.norm.cdf(good / sd))


def _gain_forgone(mean: float, sd: float) -> float:
    """Return E[max(D, 0)] for D ~ N(mean, sd²)."""
    if sd == 0:
        return max(0.0, mean)
    z = mean / sd
    return float(mean * stats.norm.cdf(z) + sd * stats.norm.pdf(z))


def share_better(
    control: tuple[int, int], treatment: tuple[int, int], prior: tuple[float, float] = (1.0, 1.0)
) -> float:
    """Return the exact probability that the treatment's share of units is higher, under beta priors.

    The sum Σ_i B(a0 + i, b0 + b1) / ((b1 + i) B(1 + i, b1) B(a0, b0)) over i below a1 is exact where a1 is a whole
    number; then every digit of the normal reading can be checked against it.

    Args:
        control, treatment: (successes, units).
        prior: of the beta distribution of each variant; whole numbers.

    Source: Miller 2015, "Formulas for Bayesian A/B testing".
    """
    (x0, n0), (x1, n1) = control, treatment
    if prior[0] != round(prior[0]) or not (0 <= x0 <= n0 and 0 <= x1 <= n1):
        raise ValueError(f"whole priors and successes of units, please; got {prior}, {control}, {treatment}")
    a0, b0, a1, b1 = x0 + prior[0], n0 - x0 + prior[1], x1 + prior[0], n1 - x1 + prior[1]
    i = np.arange(round(a1), dtype=np.float64)
    terms = special.betaln(a0 + i, b0 + b1) - np.log(b1 + i) - special.betaln(1 + i, b1) - special.betaln(a0, b0)
    return float(min(1.0, np.exp(special.logsumexp(terms))))
