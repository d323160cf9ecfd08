"""What every part of a result shares: intervals, and how words are coloured."""

from enum import StrEnum

Interval = tuple[float | None, float | None]


class Tone(StrEnum):
    """How a verdict is coloured; the words carry the meaning."""

    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    FLAT = "flat"
