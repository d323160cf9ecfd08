"""The processes of one stack: how each is started, when it is ready, how it is asked to stop."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from config import paths
from config.stack import embedded
from config.stack.options import Options
from config.stack.processes import spawn

Pause = Callable[[float], None]
# The order of stopping: first what takes new work, last what keeps it.
STOP_ORDER = ("web", "live", "beat", "worker", "valkey", "postgres")
WORKER_IS_READY = " ready."


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One long-running child."""

    name: str
    title: str
    start: Callable[[], subprocess.Popen[bytes]]
    log: Path
    command: tuple[str, ...] = ()  # of a Python child, after the interpreter
    stop_signal: signal.Signals = signal.SIGTERM
    force_signal: signal.Signals = signal.SIGKILL
    patience: float = 10  # seconds from the polite signal to the forceful one


def children_environment(options: Options) -> dict[str, str]:
    """Return the environment of every Python child: ours, with this start's home and address."""
    environment = dict(os.environ)
    environment["TRUELIFT_HOME"] = str(options.home)
    environment.setdefault("TRUELIFT_BASE_URL", options.local_url)
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def postgres(options: Options, pause: Pause) -> Service:
    """Describe the embedded PostgreSQL."""
    sockets = paths.socket_directory(options.home)
    return Service(
        name="postgres",
        title="PostgreSQL",
        start=lambda: embedded.start_postgres(options.home, sockets, pause),
        log=options.home / "logs" / "postgres.log",
        stop_signal=signal.SIGINT,
        force_signal=signal.SIGQUIT,  # PostgreSQL ends at once and recovers at its next start
        patience=30,
    )


def valkey(options: Options, pause: Pause) -> Service:
    """Describe the embedded Valkey."""
    sockets = paths.socket_directory(options.home)
    return Service(
        name="valkey",
        title="Valkey",
        start=lambda: embedded.start_valkey(options.home, sockets, pause),
        log=options.home / "logs" / "valkey.log",
    )


def web(options: Options, address: str) -> Service:
    """Describe the server: one granian worker, both doors."""
    command = ["granian", "--interface", "rsgi", "--workers", "1", "--no-ws", "--workers-kill-timeout", "5",
               "--host", address, "--port", str(options.port), "config.server:app"]  # fmt: skip
    return _python(options, "web", "Server", command)


def worker(options: Options) -> Service:
    """Describe the Celery worker; it may finish a task before it stops."""
    command = ["celery", "-A", "config.celery", "worker", "-l", "INFO", "-c", str(options.workers),
               "--without-mingle", "--without-gossip"]  # fmt: skip
    return _python(options, "worker", "Worker", command, patience=20)


def beat(options: Options) -> Service:
    """Describe Celery beat; its memory of what ran last lives in the home."""
    schedule = options.home / "beat" / "schedule"
    schedule.parent.mkdir(parents=True, exist_ok=True)
    return _python(
        options,
        "beat",
        "Schedule",
        ["celery", "-A", "config.clock", "beat", "-l", "INFO", "--pidfile=", "-s", schedule],
    )


def live(options: Options) -> Service:
    """Describe the simulated shoppers that keep the demo's running experiment fed."""
    return _python(options, "live", "Live shoppers", manage("simulate_shop", "--live", "--base-url", options.local_url))


def manage(command: str, *arguments: str) -> list[str | Path]:
    """Return a management command's line after the interpreter."""
    return [paths.REPOSITORY / "manage.py", command, *arguments]


def has_command(name: str) -> bool:
    """Return whether this checkout has the management command."""
    return (paths.REPOSITORY / "config" / "management" / "commands" / f"{name}.py").exists()


def start_command(options: Options, log: Path | None, command: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a management command beside the services, writing to ``log`` (None: to our own output)."""
    line = [sys.executable, *manage(command, *arguments)]
    return spawn(line, log, env=children_environment(options), cwd=paths.REPOSITORY)


def _python(options: Options, name: str, title: str, command: Sequence[str | Path], patience: float = 10) -> Service:
    log = options.home / "logs" / f"{name}.log"
    line = tuple(str(part) for part in (command if isinstance(command[0], Path) else ["-m", *command]))
    return Service(
        name=name,
        title=title,
        start=lambda: spawn([sys.executable, *line], log, env=children_environment(options), cwd=paths.REPOSITORY),
        log=log,
        command=line,
        patience=patience,
    )


def server_answers(options: Options) -> bool:
    """Ask the server whether it can serve."""
    try:
        with urllib.request.urlopen(f"{options.local_url}/readyz", timeout=5) as answer:  # noqa: S310  (our own address)
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
