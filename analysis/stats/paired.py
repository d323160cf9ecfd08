"""Two model versions on the same examples: is the difference more than luck, and for how many did anything change?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable

_FEW_KINDS = 1000  # of examples with the same scores
_AT_ONCE = 20_000_000  # numbers held at a time while resampling


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """New version minus old on the same examples.

    Attributes:
        old, new: the metric of each.
        value: new - old.
        standard_error: by the bootstrap.
        interval: percentile interval of the bootstrap.
        p_value: two-sided, from the share of draws on the other side of 0; never below 1 / draws.
        changed: share of examples whose prediction (or score, where predictions were not given) changed at all.
        examples: how many.
        clusters: how many independent groups of them.
    """

    old: float
    new: float
    value: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float
    changed: float
    examples: int
    clusters: int


def paired_bootstrap(
    old: ArrayLike,
    new: ArrayLike,
    *,
    random: np.random.Generator,
    changed: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    draws: int = 2000,
    alpha: float = 0.05,
) -> PairedDifference | NotComputable:
    """Compare the mean score of two versions over the same examples by resampling examples.

    Args:
        old, new: shape (n,), a score an example: 1 or 0 for right or wrong, log loss, NDCG@k of a query.
        random: source of the draws.
        changed: shape (n,), whether the prediction changed; told by the scores when left out.
        groups: shape (n,), whose examples they are (user, session); resampled whole.
        draws: how many.
        alpha: 1 - confidence.

    Source: Efron and Tibshirani 1993, chapter 16; paired, as both versions saw the same examples.
    """
    a, b = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"both versions score the same examples; got shapes {a.shape} and {b.shape}")
    sizes, off = _grouped(b - a, groups)
    if len(sizes) < 20:
        return NotComputable(f"{len(sizes)} independent examples; 20 are the fewest")
    drawn = _resampled(off, sizes, random, draws)
    return _difference(float(a.mean()), float(b.mean()), drawn, _share(a, b, changed), len(a), len(sizes), alpha)


def paired_bootstrap_of(
    metric: Callable[[NDArray[np.int64]], tuple[float, float]],
    examples: int,
    *,
    random: np.random.Generator,
    changed: float,
    draws: int = 1000,
    alpha: float = 0.05,
) -> PairedDifference | NotComputable:
    """Compare a metric that is no mean over examples (AUC, F1): ``metric(rows)`` gives (old, new) on those examples.

    Args:
        metric: of the examples with these numbers (with repetitions).
        examples: how many there are.
        random: source of the draws.
        changed: share of predictions that changed.
        draws: how many.
        alpha: 1 - confidence.
    """
    if examples < 20:
        return NotComputable(f"{examples} examples; 20 are the fewest")
    old, new = metric(np.arange(examples))
    pairs = np.array([metric(random.integers(0, examples, examples)) for _ in range(draws)])
    return _difference(old, new, pairs[:, 1] - pairs[:, 0], changed, examples, examples, alpha)


def _grouped(off: Array, groups: ArrayLike | None) -> tuple[Array, Array]:
    if groups is None:
        return np.ones(len(off)), off
    _, labels = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(labels).astype(np.float64), np.bincount(labels, weights=off).astype(np.float64)


def _resampled(totals: Array, sizes: Array, random: np.random.Generator, draws: int) -> Array:
    """Return the mean of each draw, the same rows taken for total and size."""
    kinds, counts = np.unique(np.column_stack([totals, sizes]), axis=0, return_counts=True)
    if len(kinds) <= _FEW_KINDS:  # right and wrong: drawing how often each kind comes is the same, and far quicker
        often = random.multinomial(len(totals), counts / counts.sum(), draws)
        return np.asarray((often @ kinds[:, 0]) / (often @ kinds[:, 1]))
    found = np.empty(draws)
    step = max(1, _AT_ONCE // len(totals))
    for start in range(0, draws, step):
        rows = random.integers(0, len(totals), (min(step, draws - start), len(totals)))
        found[start : start + len(rows)] = totals[rows].sum(axis=1) / sizes[rows].sum(axis=1)
    return found


def _share(a: Array, b: Array, changed: ArrayLike | None) -> float:
    return float(np.mean(a != b) if changed is None else np.mean(np.asarray(changed, dtype=bool)))


def _difference(
    old: float, new: float, drawn: Array, changed: float, examples: int, clusters: int, alpha: float
) -> PairedDifference:
    low, high = np.quantile(drawn, [alpha / 2, 1 - alpha / 2])
    least = 1 / len(drawn)
    tail = min(float(np.mean(drawn <= 0)), float(np.mean(drawn >= 0)))
    return PairedDifference(
        old=old,
        new=new,
        value=new - old,
        standard_error=float(drawn.std(ddof=1)),
        interval=(float(low), float(high)),
        p_value=min(1.0, max(least, 2 * tail)),
        changed=changed,
        examples=examples,
        clusters=clusters,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Examples that only one version got right. ``p_value``: that both err alike, exact (binomial)."""

    only_old: int
    only_new: int
    p_value: float


def mcnemar(old: ArrayLike, new: ArrayLike) -> McNemar | NotComputable:
    """Test whether two versions are right equally often, from the examples where they differ.

    Args:
        old, new: shape (n,), whether each version was right.

    Source: McNemar 1947, exact form.
    """
    a, b = np.asarray(old, dtype=bool), np.asarray(new, dtype=bool)
    if a.shape != b.shape:
        raise ValueError(f"both versions judge the same examples; got shapes {a.shape} and {b.shape}")
    only_old, only_new = int((a & ~b).sum()), int((~a & b).sum())
    if only_old + only_new == 0:
        return NotComputable("both versions are right on the same examples")
    p_value = float(stats.binomtest(only_new, only_old + only_new).pvalue)
    return McNemar(only_old=only_old, only_new=only_new, p_value=p_value)
