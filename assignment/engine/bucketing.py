"""Who falls where: half-open integer ranges of the 10,000 buckets."""

from collections.abc import Sequence

from assignment.engine.hashing import BUCKETS

Ranges = tuple[tuple[int, int], ...]
"""One half-open range ``[start, end)`` of buckets a variant, in the order of the variants."""

OUTSIDE = -1
"""The index of no variant: the bucket lies in nobody's range."""


def bucket_ranges(weights: Sequence[int], allocation: int) -> Ranges:
    """Return the buckets of each variant when a share of the units takes part.

    A variant owns the stretch of buckets that its weight gives it and uses the first part of that stretch, as large
    as the allocation. So a growing allocation only extends every range to the right: nobody who is enrolled moves.

    Parameters
    ----------
    weights
        One weight a variant in ten-thousandths; they sum to 10,000.
    allocation
        Share of all units that takes part, in ten-thousandths.

    Returns
    -------
    Ranges
        ``[c, c + ⌈allocation · weight⌉)`` for each variant, ``c`` the sum of the weights before it. Rounding up picks
        the buckets that the SDKs' ``n < c + coverage * weight`` picks.

    Raises
    ------
    ValueError
        When a weight is negative, the weights do not sum to 10,000 or the allocation is no share.
    """
    if any(weight < 0 for weight in weights) or sum(weights) != BUCKETS:
        raise ValueError(f"weights are {list(weights)}; they must be 0 or more and sum to {BUCKETS}.")
    if not 0 <= allocation <= BUCKETS:
        raise ValueError(f"allocation is {allocation}; it must be between 0 and {BUCKETS} ten-thousandths.")
    ranges = []
    start = 0
    for weight in weights:
        ranges.append((start, start - (-allocation * weight // BUCKETS)))
        start += weight
    return tuple(ranges)


def choose(bucket: int, ranges: Ranges) -> int:
    """Return the index of the variant whose range holds the bucket, or ``OUTSIDE``."""
    for index, (start, end) in enumerate(ranges):
        if start <= bucket < end:
            return index
    return OUTSIDE
