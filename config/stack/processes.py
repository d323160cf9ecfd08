"""Start and stop child processes that never outlive the process that started them."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
LARGEST_LOG = 10_000_000  # bytes; a larger log is set aside when its process starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The account a child runs under, and a command that must come before its own (``setpriv``), if any."""

    user: int | None = None
    group: int | None = None
    prefix: tuple[str, ...] = ()

    def popen_arguments(self) -> dict[str, object]:
        """Return what ``subprocess`` needs to change the account, nothing when it stays the same."""
        if self.user is None or self.prefix:
            return {}
        return {"user": self.user, "group": self.group, "extra_groups": []}


SAME = Identity()


def die_with_parent(sign: signal.Signals) -> Callable[[], None] | None:
    """Return a ``preexec_fn`` that has the kernel send ``sign`` when this process dies, where Linux offers it."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask_the_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, sign)
        if os.getppid() != parent:  # the parent died before the kernel was asked
            os._exit(1)

    return ask_the_kernel


def spawn(
    command: Sequence[str | Path],
    log: Path | None,
    *,
    stop: signal.Signals = signal.SIGTERM,
    env: Mapping[str, str] | None = None,
    identity: Identity = SAME,
    cwd: Path | str | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in its own process group, writing to ``log`` (None: to our output), gone when we are gone."""
    if log is None:
        return _popen(command, None, stop, env, identity, cwd)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".1.log"))
    with log.open("ab") as output:
        return _popen(command, output.fileno(), stop, env, identity, cwd)


def _popen(
    command: Sequence[str | Path],
    output: int | None,
    stop: signal.Signals,
    env: Mapping[str, str] | None,
    identity: Identity,
    cwd: Path | str | None,
) -> subprocess.Popen[bytes]:
    # subprocess changes the account before it calls preexec_fn: a later change would clear the death signal.
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return, misc]  # noqa: S603  (our own commands, no shell)
        [*identity.prefix, *(str(part) for part in command)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        env=env,
        cwd=cwd,
        process_group=0,
        preexec_fn=die_with_parent(stop),
        **identity.popen_arguments(),
    )


def stop(process: subprocess.Popen[bytes], sign: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
    """Ask a child to stop, wait, end it by force if it does not, and end what it may have left in its group."""
    if process.poll() is None:
        process.send_signal(sign)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    end_group(process.pid)
    return process.returncode


def end_group(group: int) -> None:
    """Kill what is left of a process group."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS answers "not permitted" for a group of zombies
        return


def tail(log: Path, characters: int = 600) -> str:
    """Return the end of a log file for an error message."""
    try:
        return log.read_text(errors="replace")[-characters:].strip()
    except OSError:
        return "(no log)"
