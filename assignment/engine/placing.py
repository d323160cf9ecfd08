"""From shares of the whole to integer buckets: which stretch of the buckets a unit's hash falls into.

A hash is one of 10,000 (or 1,000) shares, so a comparison of floats has one answer for each of them. It is worked out
once for the two ends of each range, by the protocol's own comparison; no rounding can make the two disagree.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from assignment.engine.hashing import BUCKETS, bucket_of, fnv1a_32
from assignment.engine.sdk.shares import NONE, ShareRange
from assignment.engine.sdk.units import share_of
from assignment.engine.targeting import TooLargeError

OLD_BUCKETS = 1_000
MOST_RANGES = 1_000


class Cells(Struct, frozen=True):
    """The buckets cut into cells, each owned by the first range that holds it or by nobody.

    ``owners`` has one more entry than ``cuts``: cell i is ``[cuts[i − 1], cuts[i])``.
    """

    cuts: tuple[int, ...]
    owners: tuple[int, ...]
    buckets: int = BUCKETS

    def owner(self, bucket: int) -> int:
        """Return the index of the range that owns the bucket, or ``NONE``."""
        return self.owners[bisect_right(self.cuts, bucket)]


class Hashing(Struct, frozen=True):
    """How a rule hashes its unit: by which attribute, seed and version of the hash."""

    attribute: str
    seed: str
    buckets: int = BUCKETS

    def bucket(self, unit: str) -> int:
        """Return the unit's bucket."""
        return bucket_of(self.seed, unit) if self.buckets == BUCKETS else fnv1a_32(unit + self.seed) % self.buckets


def hashing_of(source: Mapping[str, Any], attribute: str, seed: str, default: int) -> Hashing | None:
    """Return how a rule or filter hashes, or None for a hash version that the protocol does not define."""
    version = source.get("hashVersion")
    if share_of("", "", version, default) is None:
        return None
    chosen = version or default
    return Hashing(attribute, seed, BUCKETS if chosen == 2 else OLD_BUCKETS)


def first_bucket(share: float, buckets: int) -> int:
    """Return the first bucket whose share is not below the given one."""
    return bisect_left(range(buckets), share, key=lambda bucket: bucket / buckets)


def after_bucket(share: float, buckets: int) -> int:
    """Return the first bucket whose share is above the given one."""
    return bisect_right(range(buckets), share, key=lambda bucket: bucket / buckets)


def stretch_of(bounds: ShareRange, buckets: int) -> tuple[int, int]:
    """Return a half-open range of shares as one of buckets; not-a-number holds nobody."""
    start, end = bounds
    if start != start or end != end:
        return 0, 0
    return first_bucket(start, buckets), first_bucket(end, buckets)


def cells_of(ranges: Sequence[ShareRange], buckets: int, owned: int | None = None) -> Cells:
    """Return the cells of ranges that may overlap or leave gaps: the first range that holds a bucket owns it.

    Parameters
    ----------
    ranges
        Half-open ranges of shares.
    buckets
        How many buckets there are.
    owned
        Ranges from this index on own nothing, yet keep later ones from what they hold.

    Raises
    ------
    TooLargeError
        When there are more ranges than are prepared.
    """
    if len(ranges) > MOST_RANGES:
        raise TooLargeError(f"{len(ranges)} ranges are more than {MOST_RANGES}")
    stretches = [stretch_of(bounds, buckets) for bounds in ranges]
    cuts = sorted({edge for pair in stretches if pair[0] < pair[1] for edge in pair} - {0, buckets})
    owners = [_first(stretches, start) for start in (0, *cuts)]
    kept = range(len(ranges) if owned is None else owned)
    return Cells(tuple(cuts), tuple(owner if owner in kept else NONE for owner in owners), buckets)


def _first(stretches: Sequence[tuple[int, int]], bucket: int) -> int:
    return next((index for index, (start, end) in enumerate(stretches) if start <= bucket < end), NONE)
