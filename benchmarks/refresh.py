"""How fast new events become results: the fold beside a bare COPY of the same rows, and a refresh as history grows.

    .venv/bin/python -m benchmarks.refresh [--days 14] [--events 30000]

Takes one to two minutes and leaves nothing behind. It starts a PostgreSQL of its own; the machine may do other things
too: read the ratios.
"""

import argparse
import json
import os
import platform
import random
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

COLUMNS = "project_id, id, ts, at, received_at, name, user_id, experiment, variant, props"
KEY = "new-ranker"
SMALL = 1000
"""Events of a small refresh: what a minute brings to a busy shop."""


@contextmanager
def database() -> Iterator[None]:
    """Start a database of our own and point Django at it."""
    with tempfile.TemporaryDirectory(prefix="tl-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o755)
        os.environ.update(TRUELIFT_HOME=name, DJANGO_SETTINGS_MODULE="config.settings", TRUELIFT_LOG_LEVEL="WARNING")
        os.environ.pop("DATABASE_URL", None)
        from config import paths
        from config.stack import embedded

        postgres = embedded.start_postgres(home, paths.socket_directory(home))
        try:
            import django
            from django.core.management import call_command
            from django.db import connection

            django.setup()
            call_command("migrate", verbosity=0)
            yield
            connection.close()
        finally:
            postgres.send_signal(signal.SIGINT)
            postgres.wait(30)


def shop(start: datetime):  # type: ignore[no-untyped-def]  # Django may be imported only once its settings are known
    """Make a running experiment with a proportion, a sum, a ratio and an average."""
    from experiments.domain.lifecycle import Status
    from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole
    from experiments.models import Experiment, ExperimentMetric, Metric, Project, Variant

    project = Project.objects.create(slug="shop", name="Shop")
    experiment = Experiment.objects.create(
        project=project, key=KEY, name="New ranker", status=Status.RUNNING, started_at=start
    )
    for position, name in enumerate(("control", "treatment")):
        Variant.objects.create(experiment=experiment, key=name, name=name, position=position, weight=5000)
    for position, (name, kind, event, more) in enumerate(
        [
            ("purchase rate", MetricKind.PROPORTION, "Order Completed", {}),
            ("revenue per user", MetricKind.SUM, "Order Completed", {"property": "revenue"}),
            ("click-through rate", MetricKind.RATIO, "Product Clicked", {"denominator_event": "Product List Viewed"}),
            ("latency", MetricKind.AVERAGE, "Product List Viewed", {"property": "ms"}),
        ]
    ):
        metric = Metric.objects.create(
            project=project, key=name.replace(" ", "-"), name=name, kind=kind, event=event,
            direction=Direction.INCREASE, display_unit=DisplayUnit.NUMBER, **more,
        )  # fmt: skip
        ExperimentMetric.objects.create(
            experiment=experiment, metric=metric, role=MetricRole.SECONDARY, position=position
        )
    return experiment


def rows(project_id: int, start: datetime, count: int, units: int, seed: int) -> list[tuple[object, ...]]:
    """Return a stretch of a day: a tenth exposures, the rest what shoppers do."""
    draw = random.Random(seed)
    made: list[tuple[object, ...]] = []
    for index in range(count):
        number = draw.randrange(units)
        at = start + timedelta(seconds=80_000 * index / count)
        about: tuple[object, ...] = ("Experiment Viewed", KEY, ("control", "treatment")[number % 2], "{}")
        match draw.randrange(10):
            case 1 | 2 | 3 | 4 | 5:
                about = ("Product List Viewed", None, None, json.dumps({"ms": draw.randrange(40, 400)}))
            case 6 | 7 | 8:
                about = ("Product Clicked", None, None, "{}")
            case 9:
                about = ("Order Completed", None, None, json.dumps({"revenue": draw.randrange(500, 9000) / 100}))
        name, experiment, variant, props = about
        made.append((project_id, uuid.uuid4(), at, at, at, name, f"user-{number}", experiment, variant, props))
    return made


def copy(made: list[tuple[object, ...]]) -> None:
    """Write rows into the log by one COPY, durable when it returns."""
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(f"COPY events_log ({COLUMNS}) FROM STDIN") as target:
        for row in made:
            target.write_row(row)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def measure(days: int, events: int) -> None:
    """Log day after day, fold each, and refresh after a small addition."""
    from analysis import moments, pipeline
    from analysis.rollup.check import check
    from analysis.rollup.fold import fold
    from events import partitions

    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - timedelta(days=days)
    experiment = shop(start)
    partitions.keep()
    fold()
    copied = folded = 0.0
    print("events so far   COPY /s   fold /s   ratio  refresh of 1,000 new  of it moments")
    for day in range(days):
        first = start + timedelta(days=day)
        made = rows(experiment.project_id, first, events, events * days // 20, seed=day)
        spent, _ = timed(lambda made=made: copy(made))
        took, done = timed(fold)
        assert done.events == events
        copied, folded = copied + spent, folded + took
        copy(rows(experiment.project_id, first + timedelta(hours=23), SMALL, events * days // 20, seed=1000 + day))
        refresh, _ = timed(lambda: pipeline.refresh(experiment))
        sums, _ = timed(lambda: moments.collect(experiment))
        if day in (0, days // 2, days - 1):
            print(
                f"{(day + 1) * (events + SMALL):>13,}{events / spent:>10,.0f}{events / took:>10,.0f}"
                f"{spent / took:>8.2f}{refresh:>20.2f} s{sums:>13.2f} s",
                flush=True,
            )
    print(f"overall: fold at {copied / folded:.2f} of the speed of COPY")
    spent, found = timed(lambda: check([experiment]))
    assert not found.differences
    print(f"recompute --check of everything: {spent:.1f} s, {found.rows:,} rows equal")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--events", type=int, default=30_000, help="a day")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}", file=sys.stderr)
    with database():
        measure(options.days, options.events)


if __name__ == "__main__":
    main()
