"""From what the statistics return to the plain shapes that are kept and shown."""

import math

from analysis.programme.schema import SlopeFact
from analysis.results.schema import Interval
from analysis.stats.programme.regions import Region, Shape
from analysis.stats.programme.slopes import Slope
from analysis.stats.unavailable import NotComputable


def slope_fact(method: str, found: Slope | NotComputable) -> SlopeFact:
    """Return a slope as it is kept."""
    if isinstance(found, NotComputable):
        return bare(method, found.reason)
    if found.region is None:
        return SlopeFact(method=method, value=found.value)
    return SlopeFact(method=method, value=found.value, interval=ends(found.region), excluded=_is_outside(found.region))


def region_fact(method: str, found: Region) -> SlopeFact:
    """Return a region without an estimate of its own."""
    return SlopeFact(method=method, value=None, interval=ends(found), excluded=_is_outside(found))


def bare(method: str, reason: str) -> SlopeFact:
    """Return a slope that cannot be computed, with the reason."""
    return SlopeFact(method=method, value=None, reason=reason)


def ends(found: Region) -> Interval:
    """Return a region's two ends; None where there is none."""
    if found.shape is Shape.EVERYTHING:
        return (None, None)
    return (finite(found.low), finite(found.high))


def _is_outside(found: Region) -> bool:
    return found.shape is Shape.OUTSIDE


def finite(value: float) -> float | None:
    """Return a number that JSON can hold, or None."""
    return value if math.isfinite(value) else None
