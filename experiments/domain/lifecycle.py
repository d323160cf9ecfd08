"""The life of an experiment as a table: which step leads from where to where."""

from datetime import datetime, timedelta
from enum import StrEnum


class Status(StrEnum):
    """Where an experiment stands."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


LIVE = (Status.RUNNING, Status.PAUSED)
"""Started and not stopped: the plan is frozen, and the place in a layer is taken."""


class Step(StrEnum):
    """What a person can do to move an experiment on."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    SHIP = "ship"


TRANSITIONS: dict[Step, tuple[tuple[Status, ...], Status]] = {
    Step.START: ((Status.DRAFT,), Status.RUNNING),
    Step.PAUSE: ((Status.RUNNING,), Status.PAUSED),
    Step.RESUME: ((Status.PAUSED,), Status.RUNNING),
    Step.STOP: ((Status.RUNNING, Status.PAUSED), Status.STOPPED),
    Step.SHIP: ((Status.RUNNING, Status.PAUSED, Status.STOPPED), Status.STOPPED),
}


def steps_from(status: Status) -> list[Step]:
    """Return what can be done with an experiment that stands at ``status``."""
    return [step for step, (before, _) in TRANSITIONS.items() if status in before]


def day_of(started_at: datetime | None, stopped_at: datetime | None, now: datetime) -> int:
    """Return which day of the experiment it is, or was when it stopped: 1 is the first 24 hours, 0 before the start."""
    if started_at is None:
        return 0
    end = now if stopped_at is None else min(stopped_at, now)
    # Rounded up: three whole weeks end on day 21 and not on day 22.
    return max(1, -((started_at - end) // timedelta(days=1)))
