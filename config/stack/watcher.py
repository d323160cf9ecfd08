"""A small process of its own that ends the stack's children when the supervisor died without doing so.

It reads one line for each child that starts or ends (``+<group>`` or ``-<group>``). When the pipe closes, the
supervisor has gone: what is still listed is asked to stop and then killed. Linux also asks each child by its
parent-death signal; this is for grandchildren, for children that hang, and for systems without that signal. It holds
the home's lock until then, so that the next start waits instead of meeting half-dead servers. Standard library only.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE = 5.0  # seconds between asking and killing: PostgreSQL needs about one to write its checkpoint


def follow(lines: Iterable[str]) -> set[int]:
    """Read the supervisor's lines until they end; return the groups that were still running then."""
    groups: set[int] = set()
    for line in lines:
        sign, number = line[0], int(line[1:])
        (groups.add if sign == "+" else groups.discard)(number)
    return groups


def alive(group: int) -> bool:
    """Return whether a process group still has a member."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end(groups: set[int], grace: float = GRACE) -> None:
    """Ask each group's first process to stop, wait, then kill every member that is left."""
    for group in groups:
        with contextlib.suppress(OSError):
            os.kill(group, signal.SIGINT)  # what PostgreSQL takes for a fast shutdown; the others stop on it too
    deadline = time.monotonic() + grace
    while any(map(alive, groups)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


def main() -> None:
    """Outlive the terminal's signals and act when standard input ends."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    end(follow(sys.stdin))


if __name__ == "__main__":
    main()
