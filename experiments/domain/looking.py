"""How an experiment may be looked at: chosen in its plan, fixed at its start."""

from enum import StrEnum


class ReadingPlan(StrEnum):
    """When a result may be claimed.

    fixed: once, at the planned end. group_sequential: at every daily look up to a planned number of units.
    always_valid: at any time, with no end planned.
    """

    FIXED = "fixed"
    GROUP_SEQUENTIAL = "group_sequential"
    ALWAYS_VALID = "always_valid"
