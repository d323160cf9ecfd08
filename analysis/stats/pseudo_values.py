"""Metrics that are no means over examples, written as one: values by example whose mean is the metric.

Value = metric + influence of the example, so that means, paired differences and their resampling work as for accuracy.
The resampled mean then has the error of the metric to first order, as the delta method has it.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.stats.moments import Array
from analysis.stats.unavailable import NotComputable


def auc_values(labels: ArrayLike, scores: ArrayLike) -> Array | NotComputable:
    """Return values whose mean is the area under the ROC curve; ties count a half.

    A positive's placement is the share of negatives below it, a negative's that of positives above it; their spread is
    the area's.

    Args:
        labels: shape (n,), 1 for positive and 0 for negative.
        scores: shape (n,), higher for what looks positive.

    Source: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837-845; placements by ranks: Sun and Xu 2014.
    """
    positive, score = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    m, k = int(positive.sum()), int((~positive).sum())
    if m == 0 or k == 0:
        return NotComputable("every example has the same label")
    together, own = stats.rankdata(score), np.empty(len(score))
    own[positive], own[~positive] = stats.rankdata(score[positive]), stats.rankdata(score[~positive])
    placed = np.where(positive, (together - own) / k, 1 - (together - own) / m)
    area, share = float(placed[positive].mean()), m / len(score)
    # Each side's placements average to the area, over its own share of the examples.
    return np.asarray(area + (placed - area) / np.where(positive, share, 1 - share))


def f1_values(labels: ArrayLike, predictions: ArrayLike) -> Array | NotComputable:
    """Return values whose mean is F1 = 2 TP / (2 TP + FP + FN).

    Args:
        labels, predictions: shape (n,), 1 for positive and 0 for negative.

    Source: delta method of a ratio of means (Efron and Tibshirani 1993, chapter 21).
    """
    true, said = np.asarray(labels, dtype=bool), np.asarray(predictions, dtype=bool)
    hit = 2.0 * (true & said)
    below = hit + (true ^ said)
    if below.sum() == 0:
        return NotComputable("nothing is positive and nothing was predicted so")
    f1 = float(hit.sum() / below.sum())
    return np.asarray(f1 + (hit - f1 * below) / below.mean())


def log_losses(labels: ArrayLike, probabilities: ArrayLike) -> Array:
    """Return each example's log loss; probabilities are kept 1e-15 from 0 and 1, as scikit-learn did.

    Args:
        labels: shape (n,), 1 or 0.
        probabilities: shape (n,), of 1.
    """
    y, p = np.asarray(labels, dtype=bool), np.clip(np.asarray(probabilities, dtype=np.float64), 1e-15, 1 - 1e-15)
    return np.asarray(-np.log(np.where(y, p, 1 - p)))
