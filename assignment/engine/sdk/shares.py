"""How the SDKs cut the whole into variants, for configurations that are written in shares.

The product itself cuts integers (``assignment.engine.bucketing``); the two agree to the bucket.
"""

from collections.abc import Sequence

SMALLEST_SUM = 0.99
LARGEST_SUM = 1.01
NONE = -1

ShareRange = tuple[float, float]


def equal_weights(variants: int) -> list[float]:
    """Return the same share for each variant, and nothing for fewer than one."""
    return [] if variants < 1 else [1 / variants] * variants


def in_range(share: float, bounds: ShareRange) -> bool:
    """Say whether the share lies in the half-open range."""
    return bounds[0] <= share < bounds[1]


def share_ranges(variants: int, coverage: float, weights: Sequence[float] | None) -> list[ShareRange]:
    """Return each variant's range, ``getBucketRanges`` of the SDK contract.

    Parameters
    ----------
    variants
        How many there are.
    coverage
        Share of the units that takes part; values outside 0 to 1 count as the nearer of the two.
    weights
        One share a variant. Missing weights, a wrong number of them or a sum outside 0.99 to 1.01 mean equal weights.

    Returns
    -------
    list of (start, end)
        ``[c, c + coverage · weight)``, ``c`` the sum of the weights before.
    """
    covered = min(max(coverage, 0.0), 1.0)
    if weights is None or len(weights) != variants or not SMALLEST_SUM <= sum(weights) <= LARGEST_SUM:
        weights = equal_weights(variants)
    ranges = []
    start = 0.0
    for weight in weights:
        ranges.append((start, start + covered * weight))
        start += weight
    return ranges


def choose_variation(share: float, ranges: Sequence[ShareRange]) -> int:
    """Return the index of the first range that holds the share, or ``NONE``."""
    return next((index for index, bounds in enumerate(ranges) if in_range(share, bounds)), NONE)
