"""Does a shipped lift last? A test declared at the launch that may be looked at after every block of time.

The holdback's effect in each block is compared with what the launch was believed to bring. Both carry noise: that of
the experiment before the launch is shared by every comparison, and units that differ for good make blocks alike. The
joint distribution of the blocks is known without a decay, so the likelihood ratio of "from some block on less by some
amount", averaged over blocks and amounts that were weighed beforehand, is a fair bet against it: under no decay it
reaches 1 / alpha in at most a share alpha of all holdbacks, however often and however long one looks (Ville 1939).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from analysis.stats.moments import Array
from analysis.stats.shrinkage import Prior, shrink
from analysis.stats.unavailable import NotComputable

ALPHA = 0.01
"""Share of lasting lifts that may ever be called decayed: tens of holdbacks run for years, and an alarm costs days."""
RECENT = 2
"""Blocks that "lately" holds: of two weeks each, so that it spans whole weeks and most of a month's rhythm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What is believed at the launch, and how it will be watched. It never changes afterwards.

    Attributes:
        effect, standard_error: of the launched variant, luck removed; positive is good.
        scale: of the losses that are looked for, a half-normal's.
        alpha: risk of ever calling a lasting effect decayed.
    """

    effect: float
    standard_error: float
    scale: float
    alpha: float = ALPHA


@dataclass(frozen=True, slots=True, kw_only=True)
class Decay:
    """What a holdback says so far.

    Attributes:
        e_value: the bet against a lasting effect after the newest block; 1 is none.
        largest: the most it ever was; from 1 / alpha on, the effect has decayed.
        decayed: whether it was.
        since: the first block (from 0) of the decay that the blocks speak for most; None while nothing speaks for one.
        lately: mean effect over the newest blocks.
        lately_interval: of one look, at 95 %.
        overall: the best mean over all blocks.
        overall_interval: likewise.
    """

    e_value: float
    largest: float
    decayed: bool
    since: int | None
    lately: float
    lately_interval: tuple[float, float]
    overall: float
    overall_interval: tuple[float, float]


def promised(effect: float, standard_error: float, prior: Prior | None, alpha: float = ALPHA) -> Promise:
    """Declare what a launch is held to: its effect shrunk by the prior, so that a lucky start is no decay later.

    Losses are looked for on the scale of the effect itself (all of it gone), or of its uncertainty where that is more.

    Args:
        effect, standard_error: as estimated before the launch; positive is good.
        prior: how effects of such experiments are spread; None to take the estimate as it is.
        alpha: risk of ever calling a lasting effect decayed.
    """
    kept = shrink(effect, standard_error, prior) if prior is not None else None
    value, error = (effect, standard_error) if kept is None else (kept.value, kept.standard_error)
    return Promise(effect=value, standard_error=error, scale=max(abs(value), error, 1e-12), alpha=alpha)


def decay(promise: Promise, blocks: ArrayLike, covariance: ArrayLike) -> Decay | NotComputable:
    """Hold the blocks' effects to the promise.

    With D the blocks less the promised effect, K = covariance + promise.standard_error² and u marking the blocks from
    c on, the ratio for a loss d from c on is exp(-d u'K⁻¹D - d² u'K⁻¹u / 2); averaged over d ~ half-normal(scale) and
    over c with weights 1 / (c (c + 1)), what is not reached yet counting 1.

    Args:
        promise: declared at the launch.
        blocks: shape (J,), effect in each finished block, oldest first; positive is good.
        covariance: shape (J, J), of them.

    Source: mixtures of likelihood ratios (Robbins 1970, Annals of Mathematical Statistics 41) over the time of a change
    (Shiryaev 1963; as an e-process, Shin, Ramdas and Rinaldo 2023).
    """
    effects, noise = np.asarray(blocks, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    count = len(effects)
    if count == 0:
        return NotComputable("no block of time is over yet")
    if noise.shape != (count, count):
        raise ValueError(f"{count} blocks need a covariance of shape ({count}, {count}); got {noise.shape}")
    total = noise + promise.standard_error**2
    if not np.isfinite(effects).all() or np.linalg.eigvalsh(total)[0] <= 0:
        return NotComputable("the effect of a block is not known, or has no noise at all")
    off = effects - promise.effect
    looks = [_bets(promise.scale, off[:upto], total[:upto, :upto]) for upto in range(1, count + 1)]
    values = [_averaged(one) for one in looks]
    lately, lately_error = _mean(effects[-RECENT:], noise[-RECENT:, -RECENT:])
    overall, error = _best(effects, noise)
    return Decay(
        e_value=values[-1],
        largest=max(values),
        decayed=max(values) >= 1 / promise.alpha,
        since=_most_likely(looks[-1]),
        lately=lately,
        lately_interval=(lately - 1.959964 * lately_error, lately + 1.959964 * lately_error),
        overall=overall,
        overall_interval=(overall - 1.959964 * error, overall + 1.959964 * error),
    )


def _bets(scale: float, off: Array, total: Array) -> Array:
    """Return the logarithm of the averaged likelihood ratio of a loss from each block on, shape (J,)."""
    count = len(off)
    after = np.tril(np.ones((count, count))).T  # row c: the blocks from c on
    solved = np.linalg.solve(total, np.column_stack([off, after.T]))
    pull = -(after @ solved[:, 0])
    weight = np.einsum("ci,ic->c", after, solved[:, 1:])
    spread = 1 + weight * scale**2
    z = pull * scale / np.sqrt(spread)
    return np.asarray(math.log(2) - 0.5 * np.log(spread) + 0.5 * z**2 + special.log_ndtr(z))


def _averaged(bets: Array) -> float:
    """Return the e-value: bets weighed by 1 / (c (c + 1)), and 1 for every block that is still to come."""
    c = np.arange(1, len(bets) + 1)
    logs = np.append(bets - np.log(c * (c + 1.0)), -math.log(len(bets) + 1.0))
    return float(math.exp(min(700.0, float(special.logsumexp(logs)))))


def _most_likely(bets: Array) -> int | None:
    c = np.arange(1, len(bets) + 1)
    weighed = bets - np.log(c * (c + 1.0))
    best = int(np.argmax(weighed))
    return best if bets[best] > 0 else None


def _mean(effects: Array, noise: Array) -> tuple[float, float]:
    """Return the plain mean and its standard error."""
    return float(effects.mean()), math.sqrt(max(0.0, float(noise.mean())))


def _best(effects: Array, noise: Array) -> tuple[float, float]:
    """Return the mean of least variance and its standard error (Aitken 1935)."""
    ones = np.ones(len(effects))
    solved = np.linalg.pinv(noise, hermitian=True) @ ones
    information = float(ones @ solved)
    if information <= 0:
        return _mean(effects, noise)
    return float(solved @ effects) / information, math.sqrt(1 / information)
