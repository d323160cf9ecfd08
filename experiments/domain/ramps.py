"""Ramps: traffic that grows by steps, each after its time, unless something holds it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from experiments.domain.shares import WHOLE, percent

MOST_STEPS = 20
LONGEST_HOURS = 24 * 90


class RampError(ValueError):
    """A ramp that cannot be followed; the message says why."""


class RampStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share of the traffic in ten-thousandths, and how many hours it stays before the next."""

    share: int
    after_hours: int = 0


class Ramp(Struct, frozen=True, kw_only=True):
    """Steps and where it stands. ``step`` is the index of the current one; ``held_because`` says what stops it."""

    steps: tuple[RampStep, ...]
    step: int = 0
    stepped_at: datetime | None = None
    held_because: str = ""
    held_by_hand: bool = False

    @property
    def share(self) -> int:
        """Return the current step's share."""
        return self.steps[self.step].share

    @property
    def is_done(self) -> bool:
        """Say whether the last step is reached."""
        return self.step >= len(self.steps) - 1

    @property
    def due_at(self) -> datetime | None:
        """Return when the next step is due, or None when there is none or the ramp has not begun."""
        if self.is_done or self.stepped_at is None:
            return None
        return self.stepped_at + timedelta(hours=self.steps[self.step].after_hours)


def read(stored: Mapping[str, Any] | None) -> Ramp | None:
    """Return a ramp as it is kept in JSON, or None where there is none.

    Raises
    ------
    RampError
        When the steps are too many, do not grow, or leave [0, 100 %].
    """
    if not stored:
        return None
    try:
        ramp = msgspec.convert(dict(stored), Ramp)
    except msgspec.ValidationError as error:
        raise RampError(f"This is no ramp: {error}. A step is, for example, {_EXAMPLE}.") from error
    check(ramp)
    return ramp


_EXAMPLE = '{"share": 500, "after_hours": 24} for 5 % during a day'


def check(ramp: Ramp) -> None:
    """Raise ``RampError`` unless the ramp can be followed."""
    shares = [step.share for step in ramp.steps]
    if not 1 <= len(shares) <= MOST_STEPS:
        raise RampError(f"A ramp has 1 to {MOST_STEPS} steps; this one has {len(shares)}.")
    if not 0 <= ramp.step < len(shares):
        raise RampError(f"The ramp stands at step {ramp.step + 1} of {len(shares)}.")
    if min(shares) <= 0 or max(shares) > WHOLE:
        raise RampError("Each step of a ramp is more than 0 % and at most 100 %.")
    if any(later <= earlier for earlier, later in pairwise(shares)):
        raise RampError(f"The steps are {', '.join(map(percent, shares))}; each must be more than the one before.")
    # The last step stays for good, so that its hours mean nothing.
    if any(not 1 <= step.after_hours <= LONGEST_HOURS for step in ramp.steps[:-1]):
        raise RampError(f"Each step but the last stays 1 to {LONGEST_HOURS} hours before the next.")


def stored(ramp: Ramp | None) -> dict[str, Any]:
    """Return the ramp as JSON, empty where there is none."""
    if ramp is None:
        return {}
    plain: dict[str, Any] = msgspec.to_builtins(ramp)
    return plain


def begun(ramp: Ramp, now: datetime) -> Ramp:
    """Return the ramp at its first step, from now."""
    return Ramp(steps=ramp.steps, step=0, stepped_at=now)


def again(ramp: Ramp, now: datetime) -> Ramp:
    """Return the ramp with its current step beginning now."""
    return msgspec.structs.replace(ramp, stepped_at=now)


def is_due(ramp: Ramp, now: datetime) -> bool:
    """Say whether the next step's time has come."""
    return ramp.due_at is not None and ramp.due_at <= now


def advanced(ramp: Ramp, now: datetime) -> Ramp:
    """Return the ramp one step on. However late it is asked, it makes one step, so that each is seen for its time."""
    if ramp.is_done:
        raise RampError("The ramp is at its last step.")
    return Ramp(steps=ramp.steps, step=ramp.step + 1, stepped_at=now)


def held(ramp: Ramp, because: str, *, by_hand: bool = False) -> Ramp:
    """Return the ramp where it stands, with the reason why it goes no further; an empty reason lets it go on.

    What a person holds, only a person lets go on.
    """
    return msgspec.structs.replace(ramp, held_because=because, held_by_hand=by_hand)


def in_words(ramp: Ramp) -> str:
    """Say the steps: ``1 % for 24 h, then 10 % for 48 h, then 50 %``."""
    *before, last = ramp.steps
    return ", then ".join(
        [*(f"{percent(step.share)} for {step.after_hours} h" for step in before), percent(last.share)]
    )
