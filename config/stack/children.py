"""The running processes of one stack: start them, start them again when they fail, stop them in order."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.stack import watcher
from config.stack.processes import end_group, stop
from config.stack.screen import Screen
from config.stack.services import STOP_ORDER, Pause, Service

SHORTEST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 30.0  # seconds
SAY_AFTER = 3  # seconds of silence while a child stops
STEADY_SECONDS = 60  # a child that ran this long has its failures forgotten


@dataclass(slots=True)
class Child:
    """A service and the process that runs it now."""

    service: Service
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    again_at: float | None = None


class Children:
    """Every process of this stack; a watcher process ends them should we be killed."""

    def __init__(self, screen: Screen, lock: int, changed: Callable[[dict[str, int]], None]) -> None:
        self._screen = screen
        self._changed = changed
        self._children: dict[str, Child] = {}
        self._watcher = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", str(watcher.__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock],
            start_new_session=True,
            cwd="/",
        )

    def start(self, service: Service) -> subprocess.Popen[bytes]:
        """Start a service and have it watched."""
        process = service.start()
        failures = self._children[service.name].failures if service.name in self._children else 0
        self._children[service.name] = Child(service, process, time.monotonic(), failures)
        self.watch(process)
        self._changed({name: child.process.pid for name, child in self._children.items()})
        return process

    def runs(self, name: str) -> bool:
        """Return whether the service's process is there."""
        return name in self._children and self._children[name].process.poll() is None

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        """Have the watcher end this process should we be killed."""
        self._tell(f"+{process.pid}\n")

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Tell the watcher that this process has ended."""
        self._tell(f"-{process.pid}\n")

    def _tell(self, line: str) -> None:
        if self._watcher.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._watcher.stdin.write(line.encode())
                self._watcher.stdin.flush()

    def start_failed_again(self) -> None:
        """Look at every child once; one that has ended is started again after a delay that grows with each failure."""
        now = time.monotonic()
        for child in list(self._children.values()):
            if child.process.poll() is None:
                continue
            if child.again_at is None:
                self._note_end(child, now)
            elif now >= child.again_at:
                self.start(child.service)

    def _note_end(self, child: Child, now: float) -> None:
        end_group(child.process.pid)
        self.forget(child.process)
        child.failures = 1 if now - child.started > STEADY_SECONDS else child.failures + 1
        delay = min(LONGEST_BACK_OFF, SHORTEST_BACK_OFF * 2 ** (child.failures - 1))
        child.again_at = now + delay
        how = _how_it_ended(child.process.returncode)
        self._screen.line("!", f"{child.service.title} {how}; it starts again in {delay:g} s. Log: {child.service.log}")

    def stop(self, hurry: Callable[[], bool]) -> None:
        """Stop every child in order, saying so; kill those that take too long, or all when ``hurry`` says so."""
        for name in STOP_ORDER:
            if (child := self._children.pop(name, None)) is None:
                continue
            began = time.monotonic()
            forced = child.process.poll() is None and not self._ask_and_force(child, hurry)
            end_group(child.process.pid)
            self.forget(child.process)
            how = "killed" if forced else "stopped"
            self._screen.line("✓", f"{child.service.title} {how} ({time.monotonic() - began:.1f} s)")
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()
        self._watcher.wait()

    def _ask_and_force(self, child: Child, hurry: Callable[[], bool]) -> bool:
        """Ask a child to stop, say so when it takes long, and force it; return whether asking was enough."""
        service, process = child.service, child.process
        process.send_signal(service.stop_signal)
        if _ended(process, SAY_AFTER, hurry):
            return True
        if not hurry():
            rest = service.patience - SAY_AFTER
            self._screen.line("·", f"{service.title} finishes what it does, for {rest:g} s at most; Ctrl-C hurries")
            if _ended(process, rest, hurry):
                return True
        process.send_signal(service.force_signal)
        if not _ended(process, 5, lambda: False):
            process.kill()
            process.wait()
        return False


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _ended(process: subprocess.Popen[bytes], seconds: float, hurry: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        if hurry() or time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def finish(jobs: Sequence[subprocess.Popen[bytes]], children: Children, pause: Pause) -> list[int]:
    """Wait for short-lived processes and return their exit statuses; end them when the wait is broken off."""
    for job in jobs:
        children.watch(job)
    try:
        while any(job.poll() is None for job in jobs):
            pause(0.05)
    finally:
        for job in jobs:
            stop(job, seconds=5)
            children.forget(job)
    return [job.returncode for job in jobs]


def log_size(log: Path) -> int:
    """Return how long a log is now, so that later only what was added is read."""
    return log.stat().st_size if log.exists() else 0


def added_to(log: Path, start: int) -> str:
    """Return what was added to a log since it had ``start`` bytes."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")
