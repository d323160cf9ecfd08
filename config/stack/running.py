"""A whole stack for tests and tools: started as its own process, stopped when the block ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from config import paths
from config.stack.home import State, read_state
from config.stack.processes import tail

REPLACED = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "TRUELIFT_BASE_URL", "TRUELIFT_STATIC_ROOT")


class StackError(Exception):
    """The stack did not start; the message holds what it printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """A stack that is ready to serve."""

    base_url: str
    home: Path
    process: subprocess.Popen[bytes]
    environment: Mapping[str, str]

    @property
    def output(self) -> str:
        """Return what the supervisor printed so far."""
        return output_of(self.home)

    @property
    def state(self) -> State:
        """Return the supervisor's process number and those of its children by name (web, worker, postgres…)."""
        state = read_state(self.home)
        if state is None:
            raise StackError(f"{self.home}/stack.json is missing.")
        return state

    def log(self, name: str) -> str:
        """Return the end of one part's log: web, worker, beat, live, postgres, valkey."""
        return tail(self.home / "logs" / f"{name}.log", 20_000)

    def manage(self, *arguments: str) -> str:
        """Run a management command against this stack and return what it printed."""
        command = [sys.executable, str(paths.REPOSITORY / "manage.py"), *arguments]
        done = subprocess.run(  # noqa: S603
            command, env=dict(self.environment), cwd=paths.REPOSITORY, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise StackError(f"manage.py {' '.join(arguments)} failed: {done.stderr[-2000:]}")
        return done.stdout


@contextlib.contextmanager
def running_stack(
    home: Path,
    port: int | None = None,
    *,
    demo: bool = False,
    live: bool = False,
    env: Mapping[str, str] | None = None,
    seconds: float = 120,
) -> Iterator[RunningStack]:
    """Start the product in ``home`` and yield it once it is ready; stop everything in order at the end.

    Parameters
    ----------
    home
        Directory for its data; an existing one keeps its data. It may lie below a directory closed to others.
    port
        Port on 127.0.0.1; a free one when None.
    demo, live
        Whether to load the demo and to run the simulated shoppers.
    env
        Added to this process's environment, without its DATABASE_URL, REDIS_URL and EMAIL_URL: a test never touches
        the servers that a developer works with unless it names them.
    seconds
        How long it may take to become ready (raise it with ``demo=True``).

    Raises
    ------
    StackError
        When it ends, or takes longer; the message holds what it printed.

    Examples
    --------
    >>> with running_stack(tmp_path, env={"EMAIL_URL": "smtp://127.0.0.1:2525"}) as stack:  # doctest: +SKIP
    ...     httpx.get(stack.base_url + "/readyz")
    """
    port = port or _free_port()
    environment = {key: value for key, value in os.environ.items() if key not in REPLACED}
    environment |= {"TRUELIFT_HOME": str(home), "TRUELIFT_BASE_URL": f"http://127.0.0.1:{port}", **(env or {})}
    process = start_stack(home, port, demo=demo, live=live, environment=environment)
    try:
        _wait_until_ready(process, home, seconds)
        yield RunningStack(base_url=f"http://127.0.0.1:{port}", home=home, process=process, environment=environment)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def start_stack(
    home: Path, port: int, *, demo: bool, live: bool, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start the supervisor as ``make run`` does, writing to ``<home>/output.log``."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "config.stack", "--port", str(port), "--home", str(home)]
    command += ["--demo" if demo else "--no-demo", "--live" if live else "--no-live"]
    with (home / "output.log").open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            command, env=dict(environment), cwd=paths.REPOSITORY, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, process_group=0,
        )  # fmt: skip


def output_of(home: Path) -> str:
    """Return what the supervisor of this home printed."""
    return (home / "output.log").read_text(errors="replace")


def _wait_until_ready(process: subprocess.Popen[bytes], home: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        state = read_state(home)
        if state is not None and state.ready and state.pid == process.pid:
            return
        if process.poll() is not None:
            raise StackError(f"The stack ended with status {process.returncode}:\n{output_of(home)}")
        if time.monotonic() > deadline:
            raise StackError(f"The stack was not ready after {seconds:g} s:\n{output_of(home)}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
