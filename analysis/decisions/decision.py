"""What the rule can say."""

from enum import StrEnum


class Decision(StrEnum):
    """What the rule says to do."""

    SHIP = "ship"
    LOOK = "look before you ship"
    KEEP_RUNNING = "keep running"
    INCONCLUSIVE = "inconclusive"
    TOO_EARLY = "too early"
    DO_NOT_SHIP = "do not ship"
    NOT_TRUSTWORTHY = "not trustworthy"
