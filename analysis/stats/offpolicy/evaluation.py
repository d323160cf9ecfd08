"""The value of another policy with its interval, or a refusal where the log cannot know it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.offpolicy.tally import CLIPS, Chunk, Tally
from analysis.stats.unavailable import NotComputable

FEWEST_EFFECTIVE = 50.0  # rows; below, one decision in fifty decides and no interval keeps its promise
LARGEST_SHARE = 0.1  # of all weight in one row
OFF = 0.05  # how far the mean weight may be from 1 before the log is taken for incomplete
SURE = 4.0  # standard errors; the mean of skewed weights is low too often at fewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Mean reward a decision. ``interval`` may fall below what rewards can be: it is the normal distribution's."""

    value: float
    standard_error: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """Value of the policy in question less what the logging policy earned on the same decisions.

    Both come from the same rows, so the interval is of the difference row by row, and not of two separate values.
    """

    value: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipped:
    """The same with weights limited to ``limit``; ``kept`` is the share of weight that is left."""

    limit: float
    ips: float
    snips: float
    kept: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the policy in question would have earned.

    Attributes:
        ips: inverse propensity scoring, unbiased.
        snips: self-normalised; usually less noisy; the one to report without a model of rewards.
        doubly_robust: with a model of rewards; right if the propensities *or* the model are.
        logging: what the logging policy itself earned.
        logged: the same with its interval.
        gain_ips, gain_snips, gain_doubly_robust: each value less ``logging``; needs users.
        rows: decisions.
        effective: (sum w)² / sum w², how many decisions of its own the policy in question would need for the same.
        effective_rewards: (sum w r)² / sum (w r)², how many rewarded decisions carry the value.
        largest: the largest weight.
        mean_weight: 1 if the propensities are right and every action had a chance.
        mean_weight_z: how many standard errors it is from 1.
        clips: the value under ever looser limits; where it depends on the limit, few rows decide.
        clusters: users (or buckets of users) that standard errors count; None where each row stands alone.
    """

    ips: Value
    snips: Value
    doubly_robust: Value | NotComputable
    logging: float
    logged: Value | NotComputable
    gain_ips: Gain | NotComputable
    gain_snips: Gain | NotComputable
    gain_doubly_robust: Gain | NotComputable
    rows: int
    effective: float
    effective_rewards: float
    largest: float
    mean_weight: float
    mean_weight_z: float
    clips: tuple[Clipped, ...]
    clusters: int | None


def evaluate(chunks: Iterable[Chunk], alpha: float = 0.05) -> Evaluation | NotComputable:
    """Return the value of a policy from another one's log, in one pass and bounded memory; refuse where hopeless.

    Args:
        chunks: rows of the log in pieces, for instance a million each.
        alpha: 1 - confidence.

    Source: Horvitz and Thompson 1952; Swaminathan and Joachims 2015 (SNIPS); Dudík, Langford and Li 2011 (doubly
    robust); Kish 1965 (effective sample).
    """
    tallies = (Tally.of(one) for one in chunks)
    first = next(tallies, None)
    if first is None:
        return NotComputable("the log is empty")
    return judge(reduce(add, tallies, first), alpha)


def judge(tally: Tally, alpha: float = 0.05) -> Evaluation | NotComputable:
    """Return what a tally says, or the reason why it must not be asked."""
    refusal = refused(tally)
    if refusal is not None:
        return refusal
    w, wr, scores, r = (float(one) for one in tally.sums)
    ww, wrwr, _, _ = (float(one) for one in tally.squares)
    quantile = _quantile(tally, alpha)
    return Evaluation(
        ips=_value(wr / tally.rows, _error(tally, 2, 0), quantile),
        snips=_value(wr / w, _error(tally, 2, 1), quantile),
        doubly_robust=_value(scores / tally.rows, _error(tally, 3, 0), quantile)
        if tally.doubly
        else NotComputable("not every row has a modelled reward"),
        logging=r / tally.rows,
        logged=_logged(tally, quantile),
        gain_ips=_gain(tally, 2, 0, alpha),
        gain_snips=_gain(tally, 2, 1, alpha),
        gain_doubly_robust=_gain(tally, 3, 0, alpha) if tally.doubly else NotComputable("there is no modelled reward"),
        rows=tally.rows,
        effective=w**2 / ww,
        effective_rewards=wr**2 / wrwr if wrwr > 0 else 0.0,
        largest=tally.largest,
        mean_weight=w / tally.rows,
        mean_weight_z=_mean_weight_z(tally),
        clips=tuple(
            Clipped(limit=limit, ips=float(row[1]) / tally.rows, snips=float(row[1] / row[0]), kept=float(row[0]) / w)
            for limit, row in zip(CLIPS, tally.clipped, strict=True)
        ),
        clusters=None if tally.buckets is None else int((tally.buckets[:, 0] > 0).sum()),
    )


def refused(tally: Tally) -> NotComputable | None:
    """Return why the log cannot know the policy's value; None where it can."""
    w, ww = float(tally.sums[0]), float(tally.squares[0])
    if tally.rows < 2:
        return NotComputable(f"the log has {tally.rows} rows")
    if tally.broken:
        wrong = "a logged probability that is not above 0 and at most 1, or a number missing"
        return NotComputable(f"{tally.broken} of {tally.rows} rows have {wrong}; log the probability of each decision")
    if w <= 0:
        return NotComputable("the policy would never have done what was logged; nothing in the log speaks of it")
    if w**2 / ww < FEWEST_EFFECTIVE:
        effective = f"{tally.rows:,} rows are worth {w**2 / ww:.0f} of the policy's own"
        return NotComputable(f"{effective}; {FEWEST_EFFECTIVE:.0f} are the fewest. The two policies differ too much.")
    if tally.largest / w > LARGEST_SHARE:
        return NotComputable(f"one row carries {tally.largest / w:.0%} of all weight; it alone would decide")
    z = _mean_weight_z(tally)
    if abs(w / tally.rows - 1) > OFF and abs(z) > SURE:
        where = "takes actions that were never tried" if z < 0 else "was logged with probabilities that are too low"
        return NotComputable(f"the weights have mean {w / tally.rows:.2f} in place of 1: the policy {where}")
    return None


def _mean_weight_z(tally: Tally) -> float:
    off = float(tally.sums[0]) / tally.rows - 1
    error = _error(tally, 1, 0)
    return off / error if error > 0 else 0.0 if abs(off) < 1e-9 else math.copysign(math.inf, off)


def _error(tally: Tally, above: int, below: int) -> float:
    """Return the standard error of a ratio of two sums (columns of ``buckets``: rows, w, w r, scores, r)."""
    whole = np.concatenate([[float(tally.rows)], tally.sums])
    ratio = float(whole[above] / whole[below])
    if tally.buckets is not None:
        held = tally.buckets[tally.buckets[:, 0] > 0]
        off: Array = held[:, above] - ratio * held[:, below]
        return math.sqrt(len(held) / max(1, len(held) - 1) * float(off @ off)) / float(whole[below])
    return math.sqrt(max(0.0, _squares(tally, ratio, above, below))) / float(whole[below])


def _logged(tally: Tally, quantile: float) -> Value | NotComputable:
    if tally.buckets is None:
        return NotComputable("the log names no users")
    return _value(float(tally.sums[3]) / tally.rows, _error(tally, 4, 0), quantile)


def _gain(tally: Tally, above: int, below: int, alpha: float) -> Gain | NotComputable:
    """Return a value less the logging policy's, by the delta method over buckets of users."""
    if tally.buckets is None:
        return NotComputable("the log names no users")
    held = tally.buckets[tally.buckets[:, 0] > 0]
    whole = held.sum(axis=0)
    ratio, mean = float(whole[above] / whole[below]), float(whole[4] / whole[0])
    off: Array = (held[:, above] - ratio * held[:, below]) / whole[below] - (held[:, 4] - mean * held[:, 0]) / whole[0]
    error = math.sqrt(len(held) / max(1, len(held) - 1) * float(off @ off))
    value, df = ratio - mean, max(1, len(held) - 1)
    half = float(stats.t.isf(alpha / 2, df)) * error
    certain = 1.0 if value == 0 else 0.0
    return Gain(
        value=value,
        standard_error=error,
        interval=(value - half, value + half),
        p_value=2 * float(stats.t.sf(abs(value) / error, df)) if error > 0 else certain,
    )


def _squares(tally: Tally, ratio: float, above: int, below: int) -> float:
    """Return the sum over rows of (above - ratio below)²."""
    ww, wrwr, wwr, scores = (float(one) for one in tally.squares)
    if below == 1:
        return wrwr - 2 * ratio * wwr + ratio**2 * ww
    return {1: ww, 2: wrwr, 3: scores}[above] - tally.rows * ratio**2


def _quantile(tally: Tally, alpha: float) -> float:
    if tally.buckets is None:
        return float(stats.norm.isf(alpha / 2))
    return float(stats.t.isf(alpha / 2, max(1, int((tally.buckets[:, 0] > 0).sum()) - 1)))


def _value(value: float, error: float, quantile: float) -> Value:
    half = quantile * error
    return Value(value=value, standard_error=error, interval=(value - half, value + half))
