"""One home directory belongs to one running stack: its lock, and the file that says what runs."""

import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

RELEASE_SECONDS = 30


class HomeError(Exception):
    """The home directory cannot be used; the message says why and what to do."""


@dataclass(slots=True)
class State:
    """What a running stack tells others about itself, in ``<home>/stack.json``."""

    pid: int
    url: str
    ready: bool = False
    children: dict[str, int] = field(default_factory=dict)

    def write(self, home: Path) -> None:
        """Replace the file in one step: a reader never sees half of it."""
        unfinished = home / "stack.json.new"
        unfinished.write_text(json.dumps(asdict(self)))
        unfinished.replace(home / "stack.json")


def read_state(home: Path) -> State | None:
    """Return what the last stack in this home wrote, if anything."""
    try:
        return State(**json.loads((home / "stack.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def lock(home: Path, pause: Callable[[float], None] = time.sleep) -> int:
    """Take the home for this process; return the descriptor that holds it. Wait for a killed stack's last children."""
    descriptor = _open(home)
    deadline = time.monotonic() + RELEASE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            holder = read_state(home)
            if time.monotonic() > deadline or (holder is not None and _alive(holder.pid)):
                os.close(descriptor)
                where = f" (process {holder.pid}, {holder.url})" if holder else ""
                raise HomeError(
                    f"Truelift already runs in {home}{where}. Stop it with Ctrl-C where it was started, "
                    "or start another one beside it: make run TRUELIFT_HOME=/another/directory PORT=8001"
                ) from None
        pause(0.1)


def _open(home: Path) -> int:
    try:
        home.mkdir(parents=True, exist_ok=True)
        return os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HomeError(
            f"Truelift cannot write in {home} ({error.strerror}). Start it from the account that owns it, "
            "or choose another directory: make run TRUELIFT_HOME=/another/directory"
        ) from error


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
