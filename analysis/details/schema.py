"""What is kept of a metric in depth, as it is stored and as the API answers it."""

from datetime import date

from msgspec import Struct

from analysis.results.tone import Interval


class Bin(Struct, frozen=True, kw_only=True):
    """Units whose value lies in [low, high), by variant; low = high is exactly that value. None is without end."""

    low: float | None
    high: float | None
    units: dict[str, int]


class Spread(Struct, frozen=True, kw_only=True):
    """How units' values are spread. ``of`` says what a unit's value is; ``without`` counts units that have none.

    ``is_log`` says that the bins widen with the values, because a few units have far more than the rest.
    """

    of: str
    is_log: bool
    bins: list[Bin]
    without: dict[str, int] = {}


class AgePoint(Struct, frozen=True, kw_only=True):
    """The difference on one day since the exposure: 0 is the day of the exposure itself."""

    day: int
    difference: float
    interval: Interval


class Wearing(Struct, frozen=True, kw_only=True):
    """What one treatment's effect does with the days since the exposure, over units seen on all of those days.

    ``trend`` is ``stats.novelty.Trend``; ``slope_p_value`` is of the trend, ``p_value`` of any change at all. ``until``
    is the last day of an exposure that is in, ``reason`` why nothing can be said.
    """

    variant: str
    units: int
    until: date | None
    points: list[AgePoint] = []
    trend: str = ""
    slope_p_value: float | None = None
    p_value: float | None = None
    reason: str = ""


class Level(Struct, frozen=True, kw_only=True):
    """One kind of units. ``lift`` is drawn towards the effect of all; None where it cannot be computed."""

    level: str
    units: int
    lift: float | None
    interval: Interval | None


class Breakdown(Struct, frozen=True, kw_only=True):
    """One treatment's effect by one property of the first exposure: does it differ between its levels?

    ``p_value`` is Cochran's of one common effect; ``adjusted_p_value`` keeps the false discovery rate over all
    ``tested`` breakdowns of the experiment, and ``differs`` is read from it. ``reason`` says why there is none.
    """

    variant: str
    name: str
    tested: int
    levels: list[Level] = []
    p_value: float | None = None
    adjusted_p_value: float | None = None
    differs: bool = False
    reason: str = ""


class Detail(Struct, frozen=True, kw_only=True):
    """A metric in depth."""

    spread: Spread | None
    wearing: list[Wearing]
    breakdowns: list[Breakdown] = []
