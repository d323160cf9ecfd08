"""A plain model of rewards for the doubly robust estimate: shrunken means by context and action, from other users."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.moments import Array
from analysis.stats.offpolicy.tally import bucket_of

FOLDS = 5
_PRIOR = 20.0  # rows' worth of belief in the coarser mean

Labels = NDArray[np.int64]


def fold_of(users: ArrayLike) -> Labels:
    """Return the fold of each user, 0 to 4; a user is whole in one, so that nobody's reward predicts itself."""
    return bucket_of(np.asarray(users).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15), FOLDS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RewardTable:
    """Counts and sums of rewards by fold, context and action, shape (folds, contexts, actions) each; tables add."""

    counts: Array
    totals: Array

    @classmethod
    def of(
        cls, users: ArrayLike, contexts: ArrayLike, actions: ArrayLike, rewards: ArrayLike, shape: tuple[int, int]
    ) -> Self:
        """Sum a chunk of rows.

        Args:
            users, contexts, actions, rewards: shape (n,); contexts and actions counted from 0.
            shape: how many contexts and actions there are.
        """
        contexts_count, actions_count = shape
        cell = np.ravel_multi_index(
            (fold_of(users), np.asarray(contexts), np.asarray(actions)), (FOLDS, contexts_count, actions_count)
        )
        size = FOLDS * contexts_count * actions_count
        counts = np.bincount(cell, minlength=size).astype(np.float64)
        totals = np.bincount(cell, weights=np.asarray(rewards, dtype=np.float64), minlength=size).astype(np.float64)
        whole = (FOLDS, contexts_count, actions_count)
        return cls(counts=counts.reshape(whole), totals=totals.reshape(whole))

    def __add__(self, other: "RewardTable") -> "RewardTable":
        return RewardTable(counts=self.counts + other.counts, totals=self.totals + other.totals)

    def means(self) -> Array:
        """Return what each fold is told, shape (folds, contexts, actions): the other folds' means, shrunken in steps.

        A cell is drawn towards its action's mean over all contexts, that towards the mean of all.
        """
        n = self.counts.sum(axis=0) - self.counts
        total = self.totals.sum(axis=0) - self.totals
        overall = total.sum(axis=(1, 2)) / np.maximum(n.sum(axis=(1, 2)), 1.0)
        action = (total.sum(axis=1) + _PRIOR * overall[:, None]) / (n.sum(axis=1) + _PRIOR)
        return np.asarray((total + _PRIOR * action[:, None, :]) / (n + _PRIOR))

    def expected(
        self, users: ArrayLike, contexts: ArrayLike, actions: ArrayLike, policy: ArrayLike
    ) -> tuple[Array, Array]:
        """Return the modelled reward of the action taken and of the policy in question, shape (n,) each.

        Args:
            users, contexts, actions: shape (n,).
            policy: shape (contexts, actions), probabilities of the policy in question by context.
        """
        means, fold, context = self.means(), fold_of(users), np.asarray(contexts)
        valued = np.einsum("fca,ca->fc", means, np.asarray(policy, dtype=np.float64))
        return means[fold, context, np.asarray(actions)], valued[fold, context]
