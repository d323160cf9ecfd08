"""Two versions of a model scored on the same examples: every metric that can be formed, paired."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.stats.moments import Array
from analysis.stats.paired import McNemar, PairedDifference, mcnemar, paired_bootstrap
from analysis.stats.pseudo_values import auc_values, f1_values, log_losses
from analysis.stats.unavailable import NotComputable

Numbers = NDArray[np.uint64]
MOST_BLOCKS = 20_000
"""Above this many independent examples they are put together at random before resampling: the error stays the same,
for blocks drawn at random vary as their examples do, and a million examples take as long as twenty thousand."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """One version's scores, sorted by example.

    Attributes:
        examples: shape (n,), a number for each example, ascending.
        units: whose they are; None where each stands for itself.
        labels, predictions: numbers that stand for what is true and what was said.
        binary: labels as 0 and 1, where they are that; predicted: likewise the predictions.
        scores: what was thought of 1.
        values: further metrics by example, by name.
    """

    examples: Numbers
    units: Numbers | None = None
    labels: Numbers | None = None
    predictions: Numbers | None = None
    binary: NDArray[np.bool_] | None = None
    predicted: NDArray[np.bool_] | None = None
    scores: Array | None = None
    values: dict[str, Array]

    def take(self, rows: NDArray[np.int64]) -> "Scores":
        """Return these rows."""
        return Scores(
            examples=self.examples[rows],
            units=None if self.units is None else self.units[rows],
            labels=None if self.labels is None else self.labels[rows],
            predictions=None if self.predictions is None else self.predictions[rows],
            binary=None if self.binary is None else self.binary[rows],
            predicted=None if self.predicted is None else self.predicted[rows],
            scores=None if self.scores is None else self.scores[rows],
            values={name: value[rows] for name, value in self.values.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two versions on the examples that both scored."""

    metrics: dict[str, PairedDifference]
    changed: float
    examples: int
    only_old: int
    only_new: int
    judged: McNemar | None
    problems: tuple[str, ...]


def metrics_of(one: Scores) -> dict[str, Array]:
    """Return each metric's values by example: those that the columns allow."""
    found = dict(_metrics(one))
    return {name: values for name, values in found.items() if not isinstance(values, NotComputable)}


def _metrics(one: Scores) -> Iterator[tuple[str, Array | NotComputable]]:
    if one.labels is not None and one.predictions is not None:
        yield "Accuracy", (one.labels == one.predictions).astype(np.float64)
    if one.binary is not None and one.predicted is not None:
        yield "F1", f1_values(one.binary, one.predicted)
    if one.binary is not None and one.scores is not None:
        yield "AUC", auc_values(one.binary, one.scores)
        if one.scores.min() >= 0 and one.scores.max() <= 1:
            yield "Log loss", log_losses(one.binary, one.scores)
    yield from one.values.items()


def compare(old: Scores, new: Scores, random: np.random.Generator, draws: int = 2000) -> Compared | NotComputable:
    """Compare two versions on the examples that both scored, resampling whole units where they are given.

    Labels that differ between the two are a mistake in one of the files: nothing is compared.
    """
    _, left, right = np.intersect1d(old.examples, new.examples, assume_unique=True, return_indices=True)
    if not len(left):
        return NotComputable("the two versions have no example in common")
    a, b = old.take(left), new.take(right)
    if a.labels is not None and b.labels is not None and not np.array_equal(a.labels, b.labels):
        differ = int((a.labels != b.labels).sum())
        return NotComputable(f"{differ:,} of {len(left):,} examples have another label in the other file")
    changed = _changed(a, b)
    before, after = metrics_of(a), metrics_of(b)
    groups = blocks(a.units if a.units is not None else b.units, len(left), random)
    metrics: dict[str, PairedDifference] = {}
    problems: list[str] = []
    for name in [name for name in after if name in before]:
        found = paired_bootstrap(
            before[name], after[name], random=random, changed=changed, groups=groups, draws=draws
        )  # fmt: skip
        if isinstance(found, NotComputable):
            problems.append(f"{name}: {found.reason}")
        else:
            metrics[name] = found
    return Compared(
        metrics=metrics,
        changed=float(changed.mean()),
        examples=len(left),
        only_old=len(old.examples) - len(left),
        only_new=len(new.examples) - len(left),
        judged=_judged(a, b),
        problems=tuple(problems),
    )


def own_intervals(one: Scores, random: np.random.Generator, draws: int = 1000) -> dict[str, tuple[float, float, float]]:
    """Return each metric's value with its 95 % interval, by resampling examples or whole units."""
    groups = blocks(one.units, len(one.examples), random)
    found: dict[str, tuple[float, float, float]] = {}
    for name, values in metrics_of(one).items():
        mean = float(values.mean())
        spread = paired_bootstrap(np.zeros(len(values)), values, random=random, groups=groups, draws=draws)
        if isinstance(spread, NotComputable):
            continue
        low, high = spread.interval
        found[name] = (mean, min(low, mean), max(high, mean))
    return found


def blocks(units: Numbers | None, examples: int, random: np.random.Generator) -> NDArray[np.int64] | None:
    """Return which block each example is resampled with; None where each goes alone."""
    if units is None:
        return None if examples <= MOST_BLOCKS else random.integers(0, MOST_BLOCKS, examples)
    _, labels = np.unique(units, return_inverse=True)
    many = int(labels.max()) + 1
    return labels if many <= MOST_BLOCKS else random.integers(0, MOST_BLOCKS, many)[labels]


def _changed(a: Scores, b: Scores) -> NDArray[np.bool_]:
    """Say for which examples the answer changed: the prediction, else the score, else any value."""
    if a.predictions is not None and b.predictions is not None:
        return np.asarray(a.predictions != b.predictions)
    if a.scores is not None and b.scores is not None:
        return np.asarray(a.scores != b.scores)
    shared = [name for name in a.values if name in b.values]
    moved = np.zeros(len(a.examples), dtype=bool)
    for name in shared:
        moved |= a.values[name] != b.values[name]
    return moved


def _judged(a: Scores, b: Scores) -> McNemar | None:
    if a.labels is None or a.predictions is None or b.predictions is None:
        return None
    found = mcnemar(a.labels == a.predictions, a.labels == b.predictions)
    return found if isinstance(found, McNemar) else None
