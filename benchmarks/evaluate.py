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
from pathlib import Path
from typing import Any

from assignment import assignments
from assignment.ofrep import FLAGS
from benchmarks import in_process
from benchmarks.in_process import experiments

CONNECTIONS = 32


@contextmanager
def server(count: int, *, layered: bool = False) -> Iterator[tuple[int, str, list[str]]]:
    """Run a server on a database of its own; yield its port, an API key and the keys of its experiments."""
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
            key = _fill(count, layered)
            port = _free_port()
            command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws", "--workers", "1", "--host",
                       "127.0.0.1", "--port", str(port), "config.server:app"]  # fmt: skip
            granian = processes.spawn(command, home / "server.log")
            try:
                _wait_until_ready(port, home / "server.log")
                _wait_until_settled(port)
                yield port, key, [f"experiment-{number:04}" for number in range(count)]
            finally:
                processes.stop(granian)
        finally:
            processes.stop(postgres, signal.SIGINT)


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


def _free_port() -> int:
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


def load(port: int, key: str, paths: list[str], seconds: float) -> dict[str, float]:
    """Ask the paths in turn, each time for another unit, and return the rate and the times."""
    requests = []
    for number in range(1_000):
        body = json.dumps({"context": {"targetingKey": f"user-{number:07}", "country": "DE", "age": 30}})
        requests.append(
            f"POST {paths[number % len(paths)]} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        )
    job: dict[str, Any] = {"port": port, "connections": CONNECTIONS, "seconds": seconds, "requests": requests}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.evaluate_load"],
        input=json.dumps(job), capture_output=True, text=True, check=True, timeout=seconds + 60,
    )  # fmt: skip
    measured: dict[str, float] = json.loads(done.stdout)
    assert measured["refused"] == 0, f"{measured['refused']} answers were not 200"
    return measured


def over_http(count: int, seconds: float) -> None:
    """Print a row for each way to ask a server with this many experiments."""
    with server(count, layered=True) as (port, key, keys):
        for name, paths in (
            ("one flag", [f"{FLAGS}/{flag}" for flag in keys]),
            ("a unit's assignments", [assignments.PATH]),
            ("all flags", [FLAGS]),
        ):
            load(port, key, paths, 1)
            found = load(port, key, paths, seconds)
            print(
                f"| {name}, {count} experiments in {in_process.LAYERS} layers "
                f"| {found['per_second']:,.0f} | {found['p50_ms']:.1f} | {found['p99_ms']:.1f} |",
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
    print(f"\n| over HTTP, {CONNECTIONS} connections, load generator included | req/s | p50 ms | p99 ms |")
    print("|---|---:|---:|---:|", flush=True)
    for count in (options.experiments, 5 * options.experiments):
        # A process each, because Django keeps to the first database it was told of.
        command = [sys.executable, "-m", "benchmarks.evaluate", "--rows", "--experiments", str(count)]
        subprocess.run([*command, "--seconds", str(options.seconds)], check=True)


if __name__ == "__main__":
    main()
