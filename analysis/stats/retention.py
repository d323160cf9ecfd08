"""Retention: of the units exposed long enough ago, the share that came back within the window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.stats.moments import Moments, proportion_moments


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Days after a unit's first exposure, first and last included; day 0 is the 24 hours from the exposure on."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise ValueError(f"a window begins on day 0 or later and does not end before it begins; got {self}")


def elapsed(exposed_at: ArrayLike, as_of: float, window: Window) -> NDArray[np.bool_]:
    """Say which units' windows have fully passed, and may be counted.

    The rule looks at nothing but the time of exposure, so it is the same in every variant: a unit that came back early
    is not counted before one that has not, or the share would fall as the experiment ages.

    Args:
        exposed_at: shape (n,), first exposures, in days since any fixed moment.
        as_of: now, up to when events are complete, on the same scale.
        window: the days in question.
    """
    return np.asarray(np.asarray(exposed_at, dtype=np.float64) + window.last + 1 <= as_of)


def retained(
    exposed_at: ArrayLike, event_unit: ArrayLike, event_at: ArrayLike, as_of: float, window: Window
) -> Moments:
    """Return how many of the units that count came back within the window, as a proportion's moments.

    The denominator is every exposed unit whose window has passed, never those that were active the day before.

    Args:
        exposed_at: shape (n,), first exposure of units 0 to n - 1, in days.
        event_unit, event_at: shape (m,), whose and when (days) each event was.
        as_of: up to when events are complete.
        window: the days in question.
    """
    start = np.asarray(exposed_at, dtype=np.float64)
    counted = elapsed(start, as_of, window)
    who, when = np.asarray(event_unit, dtype=np.int64), np.asarray(event_at, dtype=np.float64)
    age = when - start[who]
    back = np.zeros(len(start), dtype=bool)
    back[who[(age >= window.first) & (age < window.last + 1)]] = True
    return proportion_moments(int(counted.sum()), int((back & counted).sum()))
