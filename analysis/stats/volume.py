"""Volume: did as many events come as usual at this time of the week?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from analysis.stats.moments import Array
from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable

WEEK = 168
"""Hours of a week: a place in it is a weekday and an hour, the two rhythms that people's days have."""
WEEKS = 5
"""Past weeks that say what is usual: older ones tell of another product."""
FEWEST_WEEKS = 3
"""Below three values a median is as odd as the oddest of them."""
NORMAL_MAD = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""
SHIFT = 1 / 2


class Departure(StrEnum):
    """How a volume lies against what is usual."""

    NONE = "none"
    DROP = "drop"
    SPIKE = "spike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What came, what is usual and how that is called.

    Attributes:
        events: what came.
        usual: the middle of what came at this time in past weeks.
        low, high: what is usual reaches from here to there.
        z: standardised distance of the logarithms.
        departure: a drop or a spike, where it is both improbable and large enough to matter.
    """

    events: int
    usual: int
    low: int
    high: int
    z: float
    departure: Departure


def volume(
    counts: Mapping[int, int], slot: int, *, period: int = WEEK, settings: Settings = DEFAULTS
) -> Volume | NotComputable:
    """Compare one slot of time with the same place in past periods.

    What is usual is the median of the same slot in the past five weeks, so that one outage or one campaign does not
    move it. Counts are compared as logarithms, since traffic strays by shares: log(x + 1/2) of a count strays by about
    √(φ² + 1/μ), what counts at random do (1/μ) and what the traffic does beyond (φ²). φ² comes from the median absolute
    deviation of all past slots from their own such medians; a median of k values strays by √(π/2k) of one.

    Args:
        counts: events by slot of time, an hour or a day, counted on from any point; a slot that is missing had none.
            What lies before the first slot is unknown, not empty.
        slot: which to judge; later slots are not looked at.
        period: slots after which the rhythm repeats: 168 for hours, 7 for days.
        settings: limits.

    Returns:
        NotComputable while there are fewer than three past weeks.
    """
    weeks = _weeks(counts, slot, period)
    past = weeks[:, 0][~np.isnan(weeks[:, 0])]
    if len(past) < FEWEST_WEEKS:
        return NotComputable(f"{len(past)} of the {FEWEST_WEEKS} past weeks that say what is usual")
    middle = float(np.median(past))
    error = math.sqrt((_beyond_chance(weeks) + math.exp(-middle)) * (1 + math.pi / (2 * len(past))))
    events = counts.get(slot, 0)
    z = (math.log(events + SHIFT) - middle) / error
    reach = settings.volume_z * error
    usual = _counted(middle)
    return Volume(
        events=events,
        usual=usual,
        low=_counted(middle - reach),
        high=_counted(middle + reach),
        z=z,
        departure=_departure(events, usual, z, settings),
    )


def _weeks(counts: Mapping[int, int], slot: int, period: int) -> Array:
    """Return the past as logarithms, a row for each period: column 0 is the slot's own place, NaN is unknown."""
    slots = slot - period * np.arange(1, WEEKS + 1)[:, None] + np.arange(period)
    past = np.log(np.array([[counts.get(int(one), 0) for one in row] for row in slots]) + SHIFT)
    return np.where(slots >= min(counts, default=slot), past, np.nan)


def _beyond_chance(weeks: Array) -> float:
    """Return the variance of a slot's logarithm beyond that of counts at random, robustly."""
    residuals, chance = [], []
    for row in range(len(weeks)):
        others = np.delete(weeks, row, axis=0)
        known = (~np.isnan(others)).sum(axis=0)
        told = (known >= FEWEST_WEEKS - 1) & ~np.isnan(weeks[row])
        middle = np.nanmedian(others[:, told], axis=0)
        # A residual strays by its own and by the median's error: only the first is asked for.
        residuals.append((weeks[row, told] - middle) / np.sqrt(1 + math.pi / (2 * known[told])))
        chance.append(np.exp(-middle))
    spread = NORMAL_MAD * float(np.median(np.abs(np.concatenate(residuals))))
    return max(0.0, spread**2 - float(np.median(np.concatenate(chance))))


def _counted(logarithm: float) -> int:
    return max(0, round(math.exp(logarithm) - SHIFT))


def _departure(events: int, usual: int, z: float, settings: Settings) -> Departure:
    if max(events, usual) < settings.volume_least or abs(z) < settings.volume_z:
        return Departure.NONE
    if events < usual * (1 - settings.volume_change):
        return Departure.DROP
    return Departure.SPIKE if events > usual * (1 + settings.volume_change) else Departure.NONE
