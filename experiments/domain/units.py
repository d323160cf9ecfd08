"""What an experiment randomises over, and where an event carries that unit's id."""

from enum import StrEnum

from experiments.domain.kinds import ExperimentKind


class UnitType(StrEnum):
    """The kind of unit that gets one variant and keeps it.

    An event names a user in ``userId``, a device in ``anonymousId``, and any other unit in the property
    ``<unit type>_id`` (``session_id``, ``account_id``, ``impression_id``, ``block_id``). A block is a switchback's: one
    region for one stretch of time.
    """

    USER = "user"
    DEVICE = "device"
    SESSION = "session"
    ACCOUNT = "account"
    IMPRESSION = "impression"
    BLOCK = "block"


OFFERED = (UnitType.USER, UnitType.DEVICE, UnitType.SESSION, UnitType.ACCOUNT, UnitType.IMPRESSION)
"""The units that anything but a switchback may have."""


def usual_unit(kind: ExperimentKind) -> UnitType:
    """Return what a kind randomises over where its plan does not say."""
    match kind:
        case ExperimentKind.BANDIT:
            return UnitType.SESSION
        case ExperimentKind.SWITCHBACK:
            return UnitType.BLOCK
        case _:
            return UnitType.USER
