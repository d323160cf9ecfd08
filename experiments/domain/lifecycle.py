"""The life of an experiment as a table: which step leads from where to where."""

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
