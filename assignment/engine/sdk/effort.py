"""How much work one evaluation may cost: configurations come from outside, so none may make it hang."""

import time
from dataclasses import dataclass, field

STEPS = 100_000
DEPTH = 64
REGEX_SECONDS = 0.05


class TooMuchWorkError(Exception):
    """One evaluation has used up its steps or its depth."""


@dataclass(slots=True)
class Effort:
    """What is left of an evaluation's steps, depth and seconds of matching regular expressions."""

    steps: int = STEPS
    depth: int = 0
    seconds: float = field(default=REGEX_SECONDS)

    def step(self) -> None:
        """Count one piece of work; raise ``TooMuchWorkError`` where none is left."""
        self.steps -= 1
        if self.steps < 0:
            raise TooMuchWorkError("the condition takes more steps than an evaluation may")

    def __enter__(self) -> None:
        self.depth += 1
        if self.depth > DEPTH:
            self.depth -= 1
            raise TooMuchWorkError(f"the condition is nested more than {DEPTH} deep")

    def __exit__(self, *_: object) -> None:
        self.depth -= 1

    def spend(self, started: float) -> None:
        """Take the processor time since ``started`` off the seconds left; a busy machine's waiting does not count."""
        self.seconds -= time.thread_time() - started
