"""How fast units get their variants: in process beside other evaluators, and over HTTP from a real server.

    .venv/bin/python -m benchmarks.evaluate [--experiments 200] [--seconds 5] [--no-http]

Takes about a minute and leaves nothing behind. The machine does other things too: read the ratios.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assignment import assignments
from assignment.ofrep import FLAGS
from benchmarks import in_process
from benchmarks.in_process import experiments
from benchmarks.loading import CONNECTIONS, load


@dataclass(frozen=True, slots=True)
class Started:
    """A running server: its port and process, an API key, and the keys of its experiments."""

    port: int
    pid: int
    key: str
    flags: list[str]


@contextmanager
def server(count: int, *, layered: bool = False, workers: int = 1) -> Iterator[Started]:
    """Run a server on a database of its own."""
    with filled(count, layered=layered) as (home, key), serving(home, workers) as (port, pid):
        yield Started(port, pid, key, [f"experiment-{number:04}" for number in range(count)])


@contextmanager
def filled(count: int, *, layered: bool = False) -> Iterator[tuple[Path, str]]:
    """Run a database with this many experiments; yield its directory and an API key."""
    with tempfile.TemporaryDirectory(prefix="tl-bench-", ignore_cleanup_errors=True) as directory:
        home = Path(directory)
        home.chmod(0o755)
        for name in ("DATABASE_URL", "REDIS_URL"):
            os.environ.pop(name, None)
        os.environ |= {"TRUELIFT_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"}
        from config import paths
        from config.stack import embedded, processes

        postgres = embedded.start_postgres(home, paths.socket_directory(home))
        try:
            yield home, _fill(count, layered)
        finally:
            processes.stop(postgres, signal.SIGINT)


@contextmanager
def serving(home: Path, workers: int = 1) -> Iterator[tuple[int, int]]:
    """Run a server on a database that runs already; yield its port and its process's id."""
    from config.stack import processes

    port = free_port()
    log = home / f"server-{port}.log"
    granian = processes.spawn(granian_command(port, "config.server:app", workers), log)
    try:
        _wait_until_ready(port, log)
        _wait_until_settled(port)
        yield port, granian.pid
    finally:
        processes.stop(granian)


def granian_command(port: int, app: str, workers: int = 1) -> list[str]:
    """Return how a server process group is started."""
    return [sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws", "--workers", str(workers), "--host",
            "127.0.0.1", "--port", str(port), app]  # fmt: skip


def _fill(count: int, layered: bool) -> str:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from experiments.domain.access import Scope
    from experiments.keys import issue_key
    from experiments.models import Experiment, Project, Variant

    call_command("migrate", verbosity=0)
    project = Project.objects.create(slug="bench", name="Bench")
    from django.utils import timezone

    for served in experiments(count):
        experiment = Experiment.objects.create(
            project=project, key=served.key, name=served.key, salt=served.salt, status="running",
            started_at=timezone.now(), **_layered(project, served, layered),
        )  # fmt: skip
        for position, variant in enumerate(served.variants):
            Variant.objects.create(
                experiment=experiment, key=variant.key, name=variant.key, position=position, weight=variant.weight,
                value=variant.value,
            )  # fmt: skip
    key = issue_key(project, "bench", [Scope.EVALUATE], None)[1]
    connection.close()
    return key


def _layered(project: Any, served: Any, layered: bool) -> dict[str, Any]:
    """Return the fields that put an experiment into its part of a layer, or none."""
    from experiments.models import Layer

    if not layered:
        return {}
    layer, _ = Layer.objects.get_or_create(
        project=project, key=served.layer, defaults={"name": served.layer, "unit_type": "user", "salt": served.layer}
    )
    return {"layer": layer, "layer_ranges": [list(served.layer_range)]}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_ready(port: int, log: Path) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"The server did not become ready:\n{log.read_text()[-2000:]}")


def _wait_until_settled(port: int) -> None:
    """Ask for a page: a young server imports its pages beside the first requests, for some seconds."""
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30):
        pass


def asking(key: str, paths: list[str]) -> list[str]:
    """Return requests that ask the paths in turn, each time for another unit."""
    requests = []
    for number in range(1_000):
        body = json.dumps({"context": {"targetingKey": f"user-{number:07}", "country": "DE", "age": 30}})
        requests.append(
            f"POST {paths[number % len(paths)]} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        )
    return requests


def over_http(count: int, seconds: float) -> None:
    """Print a row for each way to ask a server with this many experiments."""
    with server(count, layered=True) as started:
        for name, paths in (
            ("one flag", [f"{FLAGS}/{flag}" for flag in started.flags]),
            ("a unit's assignments", [assignments.PATH]),
            ("all flags", [FLAGS]),
        ):
            requests = asking(started.key, paths)
            load(started.port, started.pid, requests, 1)
            found = load(started.port, started.pid, requests, seconds)
            print(
                f"| {name}, {count} experiments in {in_process.LAYERS} layers "
                f"| {found['per_second']:,.0f} | {found['p50_ms']:.1f} | {found['p99_ms']:.1f} "
                f"| {found['server_us']:.0f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--no-http", action="store_true", help="only in process")
    parser.add_argument("--rows", action="store_true", help="only the rows over HTTP, for one number of experiments")
    options = parser.parse_args()
    if options.rows:
        over_http(options.experiments, options.seconds)
        return
    print(in_process.machine())
    in_process.report(options.experiments)
    if options.no_http:
        return
    print(
        f"\n| over HTTP, {CONNECTIONS} connections, load generator included "
        "| req/s | p50 ms | p99 ms | µs of processor |"
    )
    print("|---|---:|---:|---:|---:|", flush=True)
    for count in (options.experiments, 5 * options.experiments):
        # A process each, because Django keeps to the first database it was told of.
        command = [sys.executable, "-m", "benchmarks.evaluate", "--rows", "--experiments", str(count)]
        subprocess.run([*command, "--seconds", str(options.seconds)], check=True)


if __name__ == "__main__":
    main()
