"""How fast new events become results as history grows: the fold, a refresh after 1,000 more events, and the results.

    .venv/bin/python -m benchmarks.refresh [--events 1000000] [--days 20] [--linked]

Takes about a minute a million events, and some 0.7 GB of disk a million under the system's temporary directory while it
runs; it says first whether they are free, and leaves nothing behind. It starts a PostgreSQL of its own; the machine may
do other things too: read the ratios. With ``--linked`` a tenth of the users browse on a device first and sign in later.
"""

import argparse
import os
import platform
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

KEY = "new-ranker"
SMALL = 1000
"""Events of a small refresh: what a minute brings to a busy shop."""
COLUMNS = ("refresh", "1,000 folded", "refresh again", "sums, kept", "of all units")
HEAD = "seconds, in brackets those of processor:\n    events      units  written/s   fold/s   a core" + "".join(
    f"{column:>15}" for column in COLUMNS
)
BYTES_AN_EVENT = 750
"""Log, indexes, what is folded, and PostgreSQL's own journal: 500 at a million events, the rest is room."""

# A day of a shop. A fifth are exposures, each of a unit of its own; the others are what those who were exposed so far,
# and a few who were not, do: half look, three tenths click, a tenth buys. ``linked``: the first tenth of the users
# comes without a user's id at first, and every twentieth of their events is the sign-in that links the device.
LOG = """
INSERT INTO events_log (project_id, id, ts, at, received_at, name, user_id, anonymous_id, experiment, variant, props)
SELECT %(project)s, gen_random_uuid(), at, at, at,
       CASE WHEN number IS NOT NULL THEN 'Experiment Viewed' WHEN signs_in THEN '$identify'
            WHEN kind < 0.55 THEN 'Product List Viewed' WHEN kind < 0.88 THEN 'Product Clicked'
            ELSE 'Order Completed' END,
       CASE WHEN number IS NULL AND on_device AND NOT signs_in THEN NULL ELSE 'user-' || unit END,
       CASE WHEN on_device THEN 'device-' || unit END,
       CASE WHEN number IS NOT NULL THEN '{key}' END,
       CASE WHEN number IS NOT NULL THEN (ARRAY['control', 'treatment'])[1 + unit %% 2] END,
       CASE WHEN number IS NOT NULL OR signs_in THEN '{{}}'
            WHEN kind < 0.55 THEN jsonb_build_object('ms', 40 + (kind * 600)::int)
            WHEN kind < 0.88 THEN '{{}}' ELSE jsonb_build_object('revenue', round((kind * 90)::numeric, 2)) END
FROM (
    SELECT *, coalesce(number, (%(known)s * 1.05 * chance)::int) AS unit,
           %(linked)s AND coalesce(number, (%(known)s * 1.05 * chance)::int) %% 10 = 0 AS on_device,
           %(linked)s AND number IS NULL AND (%(known)s * 1.05 * chance)::int %% 10 = 0 AND kind < 0.05 AS signs_in
    FROM (
        SELECT %(start)s::timestamptz + make_interval(secs => 80000.0 * n / %(events)s) AS at, random() AS kind,
               random() AS chance, CASE WHEN n %% 5 = 0 THEN %(exposed)s + n / 5 END AS number
        FROM generate_series(1, %(events)s) n
        OFFSET 0
    ) drawn
    OFFSET 0
) row
""".replace("{key}", KEY).replace("{{}}", "{}")


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
            postgres.wait(60)


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


def log(project: int, start: datetime, events: int, exposed: int, *, linked: bool) -> None:
    """Write a stretch of a day into the log in one transaction, durable when it returns."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            LOG,
            {
                "project": project, "start": start, "events": events, "exposed": exposed, "linked": linked,
                "known": max(exposed, events // 5),
            },
        )  # fmt: skip


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def processor() -> float:
    """Return the seconds of processor that this process and the database's process for it have had."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        fields = Path(f"/proc/{cursor.fetchone()[0]}/stat").read_text().rpartition(")")[2].split()
    ticks: int = os.sysconf("SC_CLK_TCK")
    return sum(os.times()[:2]) + (int(fields[11]) + int(fields[12])) / ticks


def memory() -> tuple[float, float]:
    """Return the most megabytes that this process, a worker, and the database's process for it ever held."""
    from django.db import connection

    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        status = Path(f"/proc/{cursor.fetchone()[0]}/status").read_text()
    return own, int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def size() -> float:
    """Return the bytes that the database holds."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return float(cursor.fetchone()[0])


def spent(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the seconds that some work took, those of processor, and what it gave."""
    before = processor()
    took, result = timed(work)
    return took, processor() - before, result


def measure(days: int, events: int, *, linked: bool, checked: bool) -> None:
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
    written = folded = cores = 0.0
    exposed = 0
    print(HEAD)
    shown = {0, days // 10, days // 4, days // 2, days - 1}
    for day in range(days):
        first = start + timedelta(days=day)
        writing, _ = timed(partial(log, experiment.project_id, first, events, exposed, linked=linked))
        exposed += events // 5
        took, used, done = spent(fold)
        assert done.events == events
        written, folded, cores = written + writing, folded + took, cores + used
        if day not in shown:
            continue
        little = []
        for minute in range(2):
            log(experiment.project_id, first + timedelta(hours=23, minutes=minute), SMALL, exposed, linked=linked)
            exposed += SMALL // 5
            little += [spent(fold), spent(lambda: pipeline.refresh(experiment))]
        kept, everyone = (
            spent(lambda: moments.collect(experiment)),
            spent(lambda: moments.collect(experiment, scan=True)),
        )
        assert kept[2] == everyone[2]
        print(
            f"{(day + 1) * events:>10,}{everyone[2].total:>11,}{events / writing:>11,.0f}{events / took:>9,.0f}"
            f"{events / used:>9,.0f}" + "".join(f"{s:>7.2f} ({c:5.2f})" for s, c, _ in [*little[1:], kept, everyone]),
            flush=True,
        )
    own, backend = memory()
    print(
        f"overall: {days * events / folded:,.0f} events/s folded, {written / folded:.2f} of the speed of writing them"
    )
    print(f"for each second of processor: {days * events / cores:,.0f} events folded")
    print(f"most memory: worker {own:.0f} MB, its database process {backend:.0f} MB; on disk {size() / 1e9:.1f} GB")
    if checked:
        took, found = timed(lambda: check([experiment]))
        assert not found.differences
        print(f"recompute --check of everything: {took:.1f} s, {found.rows:,} rows equal")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=20, help="at most 40: the days that have a partition of their own")
    parser.add_argument("--events", type=int, default=1_000_000, help="in all")
    parser.add_argument("--linked", action="store_true", help="a tenth of the users sign in on a device they came with")
    parser.add_argument("--unchecked", action="store_true", help="leave out the recompute at the end")
    options = parser.parse_args()
    needed, free = options.events * BYTES_AN_EVENT, shutil.disk_usage(tempfile.gettempdir()).free
    if needed * 1.2 > free:
        raise SystemExit(f"{options.events:,} events need some {needed / 1e9:.0f} GB; {free / 1e9:.0f} GB are free.")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}", file=sys.stderr)
    with database():
        measure(options.days, options.events // options.days, linked=options.linked, checked=not options.unchecked)


if __name__ == "__main__":
    main()
