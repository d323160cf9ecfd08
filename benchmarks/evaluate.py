"""How fast units get their variants: in process beside other evaluators, and over HTTP from a real server.

    .venv/bin/python -m benchmarks.evaluate [--experiments 200] [--seconds 5] [--no-http]

Takes about half a minute and leaves nothing behind. The machine does other things too: read the ratios.
"""

import argparse
import json
import os
import platform
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assignment.engine.bucketing import bucket_ranges
from assignment.engine.evaluation import Evaluator, ServedExperiment, ServedVariant
from assignment.engine.hashing import BUCKETS
from assignment.ofrep import FLAGS
from assignment.publish import serve
from assignment.served import ExperimentRow, ProjectRows, VariantRow
from assignment.table import Environment

UNITS = 20_000
ROUNDS = 5
CONNECTIONS = 32


def experiments(count: int) -> list[ServedExperiment]:
    """Return experiments of two to four variants at full allocation, always the same ones."""
    chance = random.Random(1)
    made = []
    for number in range(count):
        variants = chance.choice([2, 2, 3, 4])
        cuts = [BUCKETS * index // variants for index in range(variants + 1)]
        made.append(
            ServedExperiment(
                key=f"experiment-{number:04}",
                unit_type="user",
                salt=f"{chance.getrandbits(64):016x}",
                allocation=BUCKETS,
                running=True,
                variants=tuple(
                    ServedVariant(key=f"v{index}", value=f"value-{index}", weight=cuts[index + 1] - cuts[index])
                    for index in range(variants)
                ),
            )
        )
    return made


def textbook_evaluator(served: list[ServedExperiment]) -> Callable[[int, str], str]:
    """Return the plain way to write it: the published hash byte by byte, then ranges of floats."""
    prepared = []
    for one in served:
        ranges = bucket_ranges([v.weight for v in one.variants], one.allocation)
        shares = [(start / BUCKETS, end / BUCKETS) for start, end in ranges]
        prepared.append((one.salt, list(zip(shares, one.variants, strict=True))))

    def fnv(text: str) -> int:
        digest = 0x811C9DC5
        for character in text:
            digest = ((digest ^ ord(character)) * 0x01000193) & 0xFFFFFFFF
        return digest

    def evaluate(index: int, unit: str) -> str:
        salt, variants = prepared[index]
        share = fnv(str(fnv(salt + unit))) % 10_000 / 10_000
        return next(variant.key for (start, end), variant in variants if start <= share < end)

    return evaluate


def growthbook_evaluator(served: list[ServedExperiment]) -> Callable[[int, str], str] | None:
    """Return the GrowthBook SDK with the same experiments, or None where it is not installed."""
    try:
        from growthbook import GrowthBook
    except ImportError:
        return None
    features = {}
    for one in served:
        rule = {
            "key": one.key,
            "seed": one.salt,
            "hashVersion": 2,
            "variations": [v.key for v in one.variants],
            "ranges": [
                [start / BUCKETS, end / BUCKETS]
                for start, end in bucket_ranges([v.weight for v in one.variants], one.allocation)
            ],
        }
        features[one.key] = {"defaultValue": "", "rules": [rule]}
    sdk = GrowthBook(features=features)
    keys = [one.key for one in served]

    def evaluate(index: int, unit: str) -> str:
        sdk.set_attributes({"id": unit})
        return str(sdk.eval_feature(keys[index]).value)

    return evaluate


def environment_of(served: list[ServedExperiment]) -> Environment:
    """Return the same experiments as the edge lays them out."""
    rows = ProjectRows(
        experiments=tuple(
            ExperimentRow(
                key=one.key, salt=one.salt, status="running", environments=("production",),
                variants=tuple(VariantRow(key=v.key, weight=v.weight, value=v.value) for v in one.variants),
            )
            for one in served
        )
    )  # fmt: skip
    return Environment(serve(1, "bench", rows, datetime.now(UTC)).environments["production"])


def rate(evaluate: Callable[[int, str], object], count: int, units: list[str]) -> float:
    """Return the median of some rounds' evaluations a second, one experiment for each unit in turn."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for number, unit in enumerate(units):
            evaluate(number % count, unit)
        rounds.append(len(units) / (time.perf_counter() - began))
    return statistics.median(rounds)


def in_process(served: list[ServedExperiment]) -> Iterator[tuple[str, float]]:
    """Yield each evaluator's name and rate, after checking that all give the same variants."""
    units = [f"user-{number:07}" for number in range(UNITS)]
    count = len(served)
    flags = list(environment_of(served).flags.values())
    evaluators = [Evaluator(one) for one in served]
    textbook, growthbook = textbook_evaluator(served), growthbook_evaluator(served)
    for number, unit in enumerate(units[:2_000]):
        expected = evaluators[number % count].evaluate(unit).variant
        assert textbook(number % count, unit) == expected
        assert growthbook is None or growthbook(number % count, unit) == expected
    yield "textbook Python", rate(textbook, count, units)
    if growthbook is not None:
        yield "growthbook SDK", rate(growthbook, count, units[: UNITS // 4])
    yield "Truelift, evaluation with reason", rate(lambda i, unit: evaluators[i].evaluate(unit), count, units)
    yield "Truelift, compiled flag", rate(lambda i, unit: flags[i].compiled.choose({"id": unit}), count, units)
    yield "Truelift, encoded OFREP answer", rate(lambda i, unit: flags[i].encoded({"id": unit}, {}), count, units)


@contextmanager
def server(count: int) -> Iterator[tuple[int, str, list[str]]]:
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
            key = _fill(count)
            port = _free_port()
            command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws", "--workers", "1", "--host",
                       "127.0.0.1", "--port", str(port), "config.server:app"]  # fmt: skip
            granian = processes.spawn(command, home / "server.log")
            try:
                _wait_until_ready(port, home / "server.log")
                yield port, key, [f"experiment-{number:04}" for number in range(count)]
            finally:
                processes.stop(granian)
        finally:
            processes.stop(postgres, signal.SIGINT)


def _fill(count: int) -> str:
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
            started_at=timezone.now(),
        )  # fmt: skip
        for position, variant in enumerate(served.variants):
            Variant.objects.create(
                experiment=experiment, key=variant.key, name=variant.key, position=position, weight=variant.weight,
                value=variant.value,
            )  # fmt: skip
    key = issue_key(project, "bench", [Scope.EVALUATE], None)[1]
    connection.close()
    return key


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--no-http", action="store_true")
    options = parser.parse_args()

    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
          f"load {os.getloadavg()[0]:.1f}, {options.experiments} experiments")  # fmt: skip
    print("\n| in process, one experiment an evaluation | evaluations/s | times textbook |\n|---|---:|---:|")
    slowest = None
    for name, per_second in in_process(experiments(options.experiments)):
        slowest = slowest or per_second
        print(f"| {name} | {per_second:,.0f} | {per_second / slowest:.1f} |", flush=True)
    if options.no_http:
        return
    print(f"\n| over HTTP, {CONNECTIONS} connections, load generator included | req/s | p50 ms | p99 ms |")
    print("|---|---:|---:|---:|")
    with server(options.experiments) as (port, key, keys):
        for name, paths in (
            ("one flag", [f"{FLAGS}/{flag}" for flag in keys]),
            (f"all {options.experiments} flags", [FLAGS]),
        ):
            load(port, key, paths, 1)
            found = load(port, key, paths, options.seconds)
            print(
                f"| {name} | {found['per_second']:,.0f} | {found['p50_ms']:.1f} | {found['p99_ms']:.1f} |", flush=True
            )


if __name__ == "__main__":
    main()
