"""The difference of two estimates from their own intervals: the distance of each end is taken over."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """An estimate with its interval; an end without a bound is infinite."""

    value: float
    low: float
    high: float


def difference(first: Located, second: Located) -> Located:
    """Return first - second with its interval, at the level of both intervals.

    low = a - b - sqrt((a - l_a)² + (u_b - b)²), high = a - b + sqrt((u_a - a)² + (b - l_b)²). Exact for normal
    estimates; it keeps the asymmetry of intervals that have one, and whatever they were widened for. The estimates are
    taken for independent, which makes the interval too wide where they go together as two metrics of the same units do.

    Source: Zou and Donner 2008, Statistics in Medicine 27, 1693-1702, equations 6 and 7 ("MOVER").
    """
    value = first.value - second.value
    down = math.hypot(first.value - first.low, second.high - second.value)
    up = math.hypot(first.high - first.value, second.value - second.low)
    return Located(value=value, low=value - down, high=value + up)
