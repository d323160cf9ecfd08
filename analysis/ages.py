"""How old what is read from every unit may grow while data arrives."""

from datetime import timedelta

FEW_UNITS, UNITS_AN_HOUR = 50_000, 200_000
OLDEST = timedelta(hours=6)


def good_for(units: int) -> timedelta:
    """Return how long what was read from so many units is good enough: in proportion, so that a minute costs the same
    of all; of few units not at all."""
    return min(OLDEST, timedelta(hours=units / UNITS_AN_HOUR)) if units >= FEW_UNITS else timedelta(0)
