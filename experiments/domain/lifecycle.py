"""The life of an experiment as a table: which step leads from where to where."""

from datetime import datetime, timedelta
from enum import StrEnum


class Status(StrEnum):
    """Where an experiment stands."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"


class Step(StrEnum):
    """What a person can do to move an experiment on."""

    START = "start"
    STOP = "stop"


TRANSITIONS: dict[Step, tuple[Status, Status]] = {
    Step.START: (Status.DRAFT, Status.RUNNING),
    Step.STOP: (Status.RUNNING, Status.STOPPED),
}


def day_of(started_at: datetime | None, stopped_at: datetime | None, now: datetime) -> int:
    """Return which day of the experiment it is, or was when it stopped: 1 is the first 24 hours, 0 before the start."""
    if started_at is None:
        return 0
    end = now if stopped_at is None else min(stopped_at, now)
    # Rounded up: three whole weeks end on day 21 and not on day 22.
    return max(1, -((started_at - end) // timedelta(days=1)))
