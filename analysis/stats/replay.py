"""A/A replays: units of the past split at random a thousand times, to see each metric's real false positive rate."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.stats.estimates import Form
from analysis.stats.many import Many, compare_many
from analysis.stats.moment_matrix import MomentMatrix
from analysis.stats.moments import Array
from analysis.stats.settings import DEFAULTS

Treated = NDArray[np.bool_]
Assign = Callable[[int, int, int], Treated]
"""(draw, first unit, end) -> which of these units the draw puts into treatment."""

_UNITS_AT_ONCE = 8192
_DRAWS_AT_ONCE = 128
_SURE = 0.001
"""Risk of calling an honest metric dishonest: a replay looks at many metrics."""
_VARIANCE_BAND = 0.05


class Verdict(StrEnum):
    """What a replay says of a metric."""

    CERTIFIED = "certified"
    TOO_MANY_ALARMS = "too many alarms"
    TOO_FEW_ALARMS = "too few alarms"
    UNEVEN = "uneven"
    NOT_COMPUTABLE = "not computable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric's form and the columns of its own numbers and covariates in the table of unit totals."""

    form: Form
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """What 1,000 or so splits without any effect showed for one metric.

    Attributes:
        draws: splits that could be compared.
        p_values: shape (draws,).
        false_positives: share with p < alpha; Wilson's 95 % interval beside it.
        upper, lower: the two tails of it, treatment above and below the control.
        uniformity: p-value of Kolmogorov–Smirnov against uniform p-values.
        variance_ratio: variance of the differences over the mean squared standard error.
        sentence: the verdict in words.
    """

    alpha: float
    draws: int
    p_values: Array
    false_positives: float
    interval: tuple[float, float]
    upper: float
    lower: float
    uniformity: float
    variance_ratio: float
    verdict: Verdict
    sentence: str


def rehashed(units: NDArray[Any], share: float = 0.5, seed: int = 0) -> Assign:
    """Return a split of units by a fresh hash of their number for every draw (SplitMix64, Steele et al. 2014).

    Args:
        units: shape (n,), one whole number a unit, all different: positions, or codes of their ids.
        share: of units that go into treatment.
        seed: another seed gives other draws.
    """
    codes = _mix(np.asarray(units).astype(np.uint64))
    limit = np.uint64(min(int(share * 2**64), 2**64 - 1))

    def assign(draw: int, first: int, end: int) -> Treated:
        start = (seed * 0x9E3779B97F4A7C15 + (draw + 1) * 0xD1342543DE82EF95) % 2**64
        return np.asarray(_mix(codes[first:end] + np.uint64(start)) < limit)

    return assign


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return SplitMix64's finaliser; arithmetic wraps at 2^64 as it should."""
    mixed = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def replay(
    values: Array, metrics: Sequence[Metric], assign: Assign, draws: int = 1000, alpha: float = DEFAULTS.alpha
) -> list[Replay]:
    """Split the units ``draws`` times without any effect and report each metric's p-values.

    One matrix product of splits and unit totals for each block of units, so memory does not grow with either number.

    Args:
        values: shape (n, p), one row a unit: totals and covariates.
        metrics: which columns form which metric.
        assign: says for each draw which units are treated; ``rehashed`` for instance, or a product's own hash.
        draws: at least 1,000 for a false positive rate known to half a point.
        alpha: of the test that is certified.
    """
    shift = values.mean(axis=0)
    pairs = [_pairs(metric) for metric in metrics]
    wanted = sorted({pair for own in pairs for pair in own})
    counts, sums, whole = _sums(values, shift, wanted, assign, draws)
    found = []
    for metric, own in zip(metrics, pairs, strict=True):
        places = [wanted.index(pair) for pair in own]
        columns = list(metric.columns)
        arms = []
        for n, s in ((len(values) - counts, whole - sums), (counts, sums)):
            no_cubes = np.zeros((draws, len(columns)))
            products = s[:, [values.shape[1] + place for place in places]]
            arms.append(MomentMatrix.from_sums(n, s[:, columns], products, no_cubes, shift[columns]))
        control, treatment = arms
        found.append(_report(compare_many(metric.form, control, treatment, alpha), alpha))
    return found


def _pairs(metric: Metric) -> list[tuple[int, int]]:
    columns = metric.columns
    return [
        (min(columns[i], columns[j]), max(columns[i], columns[j]))
        for i in range(len(columns))
        for j in range(i, len(columns))
    ]


def _sums(
    values: Array, shift: Array, pairs: Sequence[tuple[int, int]], assign: Assign, draws: int
) -> tuple[NDArray[np.int64], Array, Array]:
    """Return treated units, and sums of (columns, products) over them, of each draw; and the sums over all units."""
    p = values.shape[1]
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    counts = np.zeros(draws, dtype=np.int64)
    sums, whole = np.zeros((draws, p + len(pairs))), np.zeros(p + len(pairs))
    split = np.empty((_DRAWS_AT_ONCE, _UNITS_AT_ONCE))
    for first in range(0, len(values), _UNITS_AT_ONCE):
        centred = values[first : first + _UNITS_AT_ONCE] - shift
        block = np.column_stack([centred, centred[:, a] * centred[:, b]])
        end = first + len(block)
        whole += block.sum(axis=0)
        for start in range(0, draws, _DRAWS_AT_ONCE):
            some = range(start, min(start + _DRAWS_AT_ONCE, draws))
            chosen = split[: len(some), : len(block)]
            for row, draw in enumerate(some):
                chosen[row] = assign(draw, first, end)
            counts[some.start : some.stop] += chosen.sum(axis=1).astype(np.int64)
            sums[some.start : some.stop] += chosen @ block
    return counts, sums, whole


def _report(many: Many, alpha: float) -> Replay:
    kept = many.computable
    p, draws = many.p_value[kept], int(kept.sum())
    if draws < max(20, len(kept) // 2):
        nothing = "In too few splits could the metric be compared: too few units, or all alike."
        return Replay(
            alpha=alpha,
            draws=draws,
            p_values=p,
            false_positives=0.0,
            interval=(0.0, 1.0),
            upper=0.0,
            lower=0.0,
            uniformity=1.0,
            variance_ratio=1.0,
            verdict=Verdict.NOT_COMPUTABLE,
            sentence=nothing,
        )
    hits, up = p < alpha, many.value[kept] > 0
    interval = _wilson(hits, 0.05)
    ratio = float(many.value[kept].var() / (many.standard_error[kept] ** 2).mean())
    uniformity = float(stats.kstest(p, "uniform").pvalue)
    verdict = _verdict(p, hits, up, ratio, uniformity, alpha)
    rate = float(hits.mean())
    return Replay(
        alpha=alpha,
        draws=draws,
        p_values=p,
        false_positives=rate,
        interval=interval,
        upper=float((hits & up).mean()),
        lower=float((hits & ~up).mean()),
        uniformity=uniformity,
        variance_ratio=ratio,
        verdict=verdict,
        sentence=_sentence(verdict, rate, draws, alpha),
    )


def _wilson(hits: Treated, alpha: float) -> tuple[float, float]:
    from statsmodels.stats.proportion import proportion_confint  # with pandas: a second that no start should take

    low, high = proportion_confint(int(hits.sum()), len(hits), alpha=alpha, method="wilson")
    return float(low), float(high)


def _verdict(p: Array, hits: Treated, up: Treated, ratio: float, uniformity: float, alpha: float) -> Verdict:
    """Judge a metric; each check is wrong about once in a thousand honest metrics."""
    draws = len(p)
    low, high = _wilson(hits, 2 * _SURE)
    band = max(_VARIANCE_BAND, 3.3 * math.sqrt(2 / draws))
    if low > alpha or ratio > 1 + band:
        return Verdict.TOO_MANY_ALARMS
    if high < alpha or ratio < 1 - band:
        return Verdict.TOO_FEW_ALARMS
    tails = stats.binomtest(int((hits & up).sum()), max(1, int(hits.sum()))).pvalue if hits.any() else 1.0
    if uniformity < _SURE or tails < _SURE:
        return Verdict.UNEVEN
    return Verdict.CERTIFIED


def _sentence(verdict: Verdict, rate: float, draws: int, alpha: float) -> str:
    said = f"{rate:.1%} of {draws:,} splits without any effect were called a difference, {alpha:.0%} are meant to be"
    cure = {
        Verdict.CERTIFIED: "the metric's test is honest",
        Verdict.TOO_MANY_ALARMS: "its standard error is too small: is a unit what was randomised?",
        Verdict.TOO_FEW_ALARMS: "its standard error is too large, so real changes are missed",
        Verdict.UNEVEN: "its tails are uneven: cap the metric, or split evenly",
        Verdict.NOT_COMPUTABLE: "nothing can be said",
    }
    return f"{said}; {cure[verdict]}."
