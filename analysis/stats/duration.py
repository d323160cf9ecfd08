"""How long an experiment takes: whole weeks on the curve of new units, and the days until windows have closed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.stats.planning import STANDARD, Baseline, Design, detectable, sample_size
from analysis.stats.unavailable import NotComputable

WEEK = 7
LONGEST = 26 * WEEK
"""Days beyond which no plan is made: cookies, seasons and the product itself have changed by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Unique units since the start, day by day, as they were counted in the past.

    People come back, so that later days bring fewer new ones: units a day times days promises too much. Beyond the last
    day the curve goes on as a power of time, fitted to its second half; never steeper than a straight line.

    Attributes:
        cumulative: unique units by the end of day 1, 2, …; rising.
        share: of this traffic that the experiment takes in, 0 to 1.
    """

    cumulative: tuple[float, ...]
    share: float = 1.0

    def __post_init__(self) -> None:
        steps = np.diff((0.0, *self.cumulative))
        if len(self.cumulative) == 0 or self.cumulative[-1] <= 0 or (steps < 0).any():
            raise ValueError(f"unique units by day rise from 0; got {self.cumulative[:10]}")
        if not 0 < self.share <= 1:
            raise ValueError(f"the share of traffic is above 0 and at most 1; got {self.share}")

    def units(self, days: int) -> float:
        """Return how many units have come by the end of the day."""
        if days <= 0:
            return 0.0
        known = len(self.cumulative)
        if days <= known:
            return self.share * self.cumulative[days - 1]
        return float(self.share * self.cumulative[-1] * (days / known) ** self._growth())

    def _growth(self) -> float:
        """Return the exponent b of days**b over the second half, 0 to 1."""
        first = (len(self.cumulative) + 1) // 2
        tail = [(math.log(day), math.log(u)) for day, u in enumerate(self.cumulative, 1) if day >= first and u > 0]
        if len(tail) < 2:
            return 1.0
        x, y = np.array(tail).T
        return float(np.clip(np.polyfit(x, y, 1)[0], 0.0, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration:
    """How long to run.

    Attributes:
        enrolment_days: whole weeks in which units are taken in, so that every day of the week counts alike.
        total_days: with the days until the last unit's window has closed.
        units: that will have come by then.
        beyond_history: the curve was continued past the days that were counted.
    """

    enrolment_days: int
    total_days: int
    units: float
    beyond_history: bool


def duration(needed: float, traffic: Traffic, window_days: int = 0) -> Duration | NotComputable:
    """Return how long ``needed`` units take, in whole weeks of enrolment and the window of the last unit."""
    for weeks in range(1, LONGEST // WEEK + 1):
        days = weeks * WEEK
        if traffic.units(days) >= needed:
            return Duration(
                enrolment_days=days,
                total_days=days + window_days,
                units=traffic.units(days),
                beyond_history=days > len(traffic.cumulative),
            )
    most = traffic.units(LONGEST)
    return NotComputable(f"{needed:,.0f} units are needed, and in {LONGEST // WEEK} weeks about {most:,.0f} come")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The answer to a plan: units and days for the change wanted, and what can be seen week by week.

    Attributes:
        lift: the change asked for.
        needed: units in all variants, or why no number is enough.
        length: how long they take, or why they never come.
        by_week: (days, smallest change that can be seen after them).
        sentence: the answer in words.
    """

    lift: float
    needed: float | NotComputable
    length: Duration | NotComputable
    by_week: tuple[tuple[int, float], ...]
    sentence: str


def forecast(
    baseline: Baseline, lift: float, traffic: Traffic, design: Design = STANDARD, window_days: int = 0, weeks: int = 8
) -> Forecast:
    """Say how long a change of ``lift`` takes to be seen, and what can be seen after each of ``weeks`` weeks."""
    needed = sample_size(baseline, lift, design)
    length = needed if isinstance(needed, NotComputable) else duration(needed, traffic, window_days)
    by_week = []
    for week in range(1, weeks + 1):
        seen = detectable(baseline, traffic.units(week * WEEK), design)
        if not isinstance(seen, NotComputable):
            by_week.append((week * WEEK + window_days, seen))
    sentence = _sentence(lift, needed, length, by_week)
    return Forecast(lift=lift, needed=needed, length=length, by_week=tuple(by_week), sentence=sentence)


def _sentence(
    lift: float,
    needed: float | NotComputable,
    length: Duration | NotComputable,
    by_week: Sequence[tuple[int, float]],
) -> str:
    if isinstance(needed, NotComputable):
        return f"Cannot be planned: {needed.reason}."
    if isinstance(length, Duration):
        said = f"{length.total_days} days to see a change of {percent(lift)} ({length.units:,.0f} units will have come)"
        said += ", if units keep coming as they did" if length.beyond_history else ""
    else:
        said = f"A change of {percent(lift)} cannot be seen: {length.reason}"
    if not by_week:
        return said + "."
    days, least = by_week[-1]
    return f"{said}; in {days} days today's traffic cannot see less than {percent(least)}."


def percent(share: float) -> str:
    """Return a share in words of two digits: 2 %, 1.1 %, 0.034 %."""
    digits = 100 * abs(share)
    if digits == 0:
        return "0 %"
    places = max(0, 1 - math.floor(math.log10(digits)))
    text = f"{digits:.{places}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"


def units_by_day(first_days: Sequence[int]) -> tuple[float, ...]:
    """Return the cumulative curve from the day (0, 1, …) on which each unit was first seen."""
    counts = np.bincount(np.asarray(first_days, dtype=np.int64))
    return tuple(float(value) for value in counts.cumsum())
