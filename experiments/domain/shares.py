"""Shares are integers in ten-thousandths of the whole: they add up without rounding."""

WHOLE = 10_000
"""Weights, allocation, layer slices and margins are in ten-thousandths; one is the engine's bucket."""


def percent(share: int) -> str:
    """Return a share as people read it: 250 is ``2.5 %``."""
    return f"{share / 100:g} %"
