"""Sums over logged decisions, chunk by chunk: memory stays the same for ten million rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.moments import Array

BUCKETS = 8192  # users are summed by hash bucket; a bucket is a cluster of whole users, so standard errors stay right
CLIPS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)  # limits of the weights that are tried


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Some rows of a log, each one decision; all arrays have the shape (n,).

    Attributes:
        rewards: what came of it.
        logged: probability with which the logging policy took what it took; above 0.
        target: probability with which the policy in question would have taken the same.
        users: whose decision it was, as whole numbers; each row its own user when left out.
        expected: modelled reward of the action taken, from a model fitted on *other* users; for doubly robust.
        expected_target: modelled reward of the policy in question: sum over actions of its probability times the model.
    """

    rewards: ArrayLike
    logged: ArrayLike
    target: ArrayLike
    users: ArrayLike | None = None
    expected: ArrayLike | None = None
    expected_target: ArrayLike | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """Sums of a log; tallies of disjoint sets of rows add.

    Attributes:
        rows: how many.
        sums: shape (4,): of w, w r, doubly robust scores, and r.
        squares: shape (4,): of w², (w r)², w² r and score².
        largest: the largest weight.
        clipped: shape (len(CLIPS), 5): sums of v, v r, v², (v r)², v² r for v = min(w, clip).
        buckets: shape (BUCKETS, 5), sums of rows, w, w r, scores and r by bucket of users; None where rows stand alone.
        doubly: whether every row had a modelled reward.
        broken: rows whose logged probability is not above 0 and at most 1, or with something that is not a number.
    """

    rows: int
    sums: Array
    squares: Array
    largest: float
    clipped: Array
    buckets: Array | None
    doubly: bool
    broken: int

    @classmethod
    def of(cls, chunk: Chunk) -> Self:
        """Sum one chunk."""
        r, logged, target = (np.asarray(one, dtype=np.float64) for one in (chunk.rewards, chunk.logged, chunk.target))
        if not r.shape == logged.shape == target.shape or r.ndim != 1:
            raise ValueError(
                f"rewards, logged and target have one shape (n,); got {r.shape}, {logged.shape}, {target.shape}"
            )
        fine = (logged > 0) & (logged <= 1) & (target >= 0) & np.isfinite(r) & np.isfinite(target)
        w = np.where(fine, target / np.where(fine, logged, 1.0), 0.0)
        r = np.where(fine, r, 0.0)
        wr = w * r
        doubly = chunk.expected is not None and chunk.expected_target is not None
        scores = (
            np.asarray(chunk.expected_target) + w * (r - np.asarray(chunk.expected)) if doubly else np.zeros(len(r))
        )
        limited = [np.minimum(w, clip) for clip in CLIPS]
        return cls(
            rows=len(r),
            sums=np.array([w.sum(), wr.sum(), scores.sum(), r.sum()]),
            squares=np.array([w @ w, wr @ wr, w @ wr, scores @ scores]),
            largest=float(w.max(initial=0.0)),
            clipped=np.array([[v.sum(), v @ r, v @ v, (v * r) @ (v * r), (v * r) @ v] for v in limited]),
            buckets=None if chunk.users is None else _by_bucket(np.asarray(chunk.users), w, wr, scores, r),
            doubly=doubly,
            broken=int((~fine).sum()),
        )

    def __add__(self, other: "Tally") -> "Tally":
        if (self.buckets is None) != (other.buckets is None):
            raise ValueError("some chunks name users and others do not; either all of them or none")
        both = None if self.buckets is None or other.buckets is None else self.buckets + other.buckets
        return Tally(
            rows=self.rows + other.rows,
            sums=self.sums + other.sums,
            squares=self.squares + other.squares,
            largest=max(self.largest, other.largest),
            clipped=self.clipped + other.clipped,
            buckets=both,
            doubly=self.doubly and other.doubly,
            broken=self.broken + other.broken,
        )


def bucket_of(users: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """Return each user's bucket, 0 to count - 1, well mixed even where ids are consecutive.

    Source: the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    """
    x = users.astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) % np.uint64(count)).astype(np.int64)


def _by_bucket(users: NDArray[np.integer], *values: Array) -> Array:
    bucket = bucket_of(users, BUCKETS)
    columns = [np.bincount(bucket, minlength=BUCKETS)]
    columns += [np.bincount(bucket, weights=one, minlength=BUCKETS) for one in values]
    return np.stack(columns, axis=1).astype(np.float64)
