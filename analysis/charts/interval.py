"""The interval marks of a results table: every row on one scale with one zero line, as coordinates for SVG."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from analysis.results.schema import Interval

WIDTH = 352
HEIGHT = 32
PADDING = 0.06
MOST_TICKS = 5
# A metric that is known only vaguely would press all others into dots: its interval is cut at this many times the
# usual reach. Estimates and margins stay in view much longer.
CUT_ENDS, CUT_POINTS = 2.0, 8.0
CUT_SLACK = 1.5  # an end just beyond is shown rather than cut
SMALLEST_REACH = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A grid line and its label, in fractions and in SVG units."""

    value: float
    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """One horizontal scale for a whole table, from ``low`` to ``high`` (fractions; zero lies between)."""

    low: float
    high: float
    step: float

    def x(self, value: float) -> float:
        """Return the place of a value, held inside the drawing."""
        inside = min(max(value, self.low), self.high)
        return round((inside - self.low) / (self.high - self.low) * WIDTH, 1)

    @property
    def zero(self) -> float:
        """Return the place of "no change"."""
        return self.x(0)

    @property
    def ticks(self) -> list[Tick]:
        """Return the grid lines, zero among them."""
        return _grid(self)


@lru_cache(maxsize=64)  # every row of a table draws the same lines
def _grid(scale: Scale) -> list[Tick]:
    first, last = math.ceil(scale.low / scale.step), math.floor(scale.high / scale.step)
    return [Tick(value=i * scale.step, x=scale.x(i * scale.step)) for i in range(first, last + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One interval on the scale. A cut end goes on beyond the drawing; ``limit`` is a guardrail's margin."""

    left: float
    right: float
    dot: float | None
    cut_left: bool
    cut_right: bool
    limit: float | None


def scale_for(intervals: Sequence[Interval], points: Iterable[float] = ()) -> Scale:
    """Return a scale on which all intervals can be compared; ``points`` (estimates, margins) are kept in view."""
    ends = [end for interval in intervals for end in interval if end is not None]
    reaches = [max((abs(end) for end in pair if end is not None), default=0.0) for pair in intervals]
    usual = max(median(reaches) if reaches else 0.0, SMALLEST_REACH)
    kept = [_held(point, CUT_POINTS * usual) for point in points]
    reach = max([CUT_ENDS * usual, *(abs(point) for point in kept)])
    shown = [*kept, *(end if abs(end) <= CUT_SLACK * reach else _held(end, reach) for end in ends)]
    low, high = min([*shown, -usual / 4]), max([*shown, usual / 4])
    room = (high - low) * PADDING
    return Scale(low=low - room, high=high + room, step=nice_step(high - low))


def _held(value: float, reach: float) -> float:
    return min(max(value, -reach), reach)


def nice_step(reach: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that gives at most ``MOST_TICKS`` steps."""
    rough = reach / MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def mark(scale: Scale, interval: Interval, estimate: float | None, limit: float | None = None) -> Mark:
    """Place one interval, its estimate and its limit on the scale."""
    low = scale.low - 1 if interval[0] is None else interval[0]
    high = scale.high + 1 if interval[1] is None else interval[1]
    return Mark(
        left=scale.x(low),
        right=scale.x(high),
        dot=None if estimate is None or not scale.low <= estimate <= scale.high else scale.x(estimate),
        cut_left=low < scale.low,
        cut_right=high > scale.high,
        limit=None if limit is None or not scale.low <= limit <= scale.high else scale.x(limit),
    )
