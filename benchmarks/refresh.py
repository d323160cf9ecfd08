"""How fast new events become results as history grows: the fold, a refresh after 1,000 more events, and the results.

    .venv/bin/python -m benchmarks.refresh [--events 1000000] [--days 20] [--visits] [--linked] [--adjusted]

Takes about a minute a million events, and some 0.7 GB of disk a million under the system's temporary directory while it
runs; it says first whether they are free, and leaves nothing behind. It starts a PostgreSQL of its own; the machine may
do other things too: read the ratios. With ``--visits`` events come as visits of five; without it hardly two of a day's
events are of one unit. With ``--linked`` a tenth of the users browse on a device first and sign in later. With
``--adjusted`` results are adjusted for what users did before, and revenue is capped at its 99.9th percentile.
"""

import argparse
import math
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
from dataclasses import dataclass
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
BYTES_AN_EVENT = 600
"""Log, indexes, what is folded, and PostgreSQL's own journal: 500 at a million scattered events, the rest is room."""

# A day of a shop. A fifth are exposures; of the others half look, three tenths click, a tenth buys. Whose a row is,
# ``who`` says. ``linked``: the first tenth of the users comes without a user's id at first, and every twentieth of
# their events is the sign-in that links the device.
LOG = """
INSERT INTO events_log (project_id, id, ts, at, received_at, name, user_id, anonymous_id, experiment, variant, props)
SELECT %(project)s, gen_random_uuid(), at, at, at,
       CASE WHEN exposed THEN 'Experiment Viewed' WHEN signs_in THEN '$identify'
            WHEN kind < 0.55 THEN 'Product List Viewed' WHEN kind < 0.88 THEN 'Product Clicked'
            ELSE 'Order Completed' END,
       CASE WHEN NOT exposed AND on_device AND NOT signs_in THEN NULL ELSE 'user-' || unit END,
       CASE WHEN on_device THEN 'device-' || unit END,
       CASE WHEN exposed THEN '{key}' END,
       CASE WHEN exposed THEN (ARRAY['control', 'treatment'])[1 + unit %% 2] END,
       CASE WHEN exposed OR signs_in THEN '{{}}'
            WHEN kind < 0.55 THEN jsonb_build_object('ms', 40 + (kind * 600)::int)
            WHEN kind < 0.88 THEN '{{}}' ELSE jsonb_build_object('revenue', round((kind * 90)::numeric, 2)) END
FROM (
    SELECT *, %(linked)s AND unit %% 10 = 0 AS on_device,
           %(linked)s AND NOT exposed AND unit %% 10 = 0 AND kind < 0.05 AS signs_in
    FROM (
        SELECT %(start)s::timestamptz + make_interval(secs => 80000.0 * n / %(events)s) AS at, random() AS kind, {who}
        FROM generate_series(1, %(events)s) n
        OFFSET 0
    ) drawn
    OFFSET 0
) row
""".replace("{key}", KEY).replace("{{}}", "{}")
# Each exposure is of a new unit, and each other event of any that was exposed so far, or of a few who never were:
# hardly two of a day's events are of one unit.
SCATTERED = """
n %% 5 = 0 AS exposed,
CASE WHEN n %% 5 = 0 THEN %(exposed)s + n / 5 ELSE (%(known)s * 1.05 * random())::int END AS unit
"""
# Five events are one visit, which begins with an exposure as SDKs report it; every other visit is a new unit's.
VISITS = """
n %% 5 = 1 AS exposed,
CASE WHEN (n - 1) / 5 %% 2 = 0 THEN %(exposed)s + (n - 1) / 10
     ELSE (%(known)s * 1.05 * (hashint8extended((n - 1) / 5, %(exposed)s) & 1048575) / 1048576)::int END AS unit
"""
NEW_UNITS = {SCATTERED: 5, VISITS: 10}
"""Every how many events there is a new unit."""


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


def shop(start: datetime, *, adjusted: bool):  # type: ignore[no-untyped-def]  # Django needs its settings first
    """Make a running experiment with a proportion, a sum, a ratio and an average."""
    from experiments.domain.lifecycle import Status
    from experiments.domain.metrics import Direction, DisplayUnit, MetricKind, MetricRole
    from experiments.models import Experiment, ExperimentMetric, Metric, Project, Variant

    project = Project.objects.create(slug="shop", name="Shop")
    experiment = Experiment.objects.create(
        project=project, key=KEY, name="New ranker", status=Status.RUNNING, started_at=start, adjusted=adjusted
    )
    for position, name in enumerate(("control", "treatment")):
        Variant.objects.create(experiment=experiment, key=name, name=name, position=position, weight=5000)
    for position, (name, kind, event, more) in enumerate(
        [
            ("purchase rate", MetricKind.PROPORTION, "Order Completed", {}),
            (
                "revenue per user",
                MetricKind.SUM,
                "Order Completed",
                {"property": "revenue", "cap_share": 9990 if adjusted else None},
            ),
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


def log(project: int, start: datetime, events: int, exposed: int, *, who: str, linked: bool) -> None:
    """Write a stretch of a day into the log in one transaction, durable when it returns."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            LOG.replace("{who}", who),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is measured: how many days of how many events, whose they are, and what is left out."""

    days: int
    events: int
    who: str
    linked: bool
    adjusted: bool
    checked: bool

    def shown(self) -> set[int]:
        """Return the days at whose ends a refresh is measured: some on the way, those of 1 and 10 million, the last."""
        millions = {math.ceil(million * 1_000_000 / self.events) - 1 for million in (1, 10)}
        return {0, self.days // 10, self.days // 4, self.days // 2, self.days - 1} | millions


class Run:
    """One shop, growing day by day."""

    def __init__(self, asked: Asked) -> None:
        self.asked, self.exposed = asked, 0
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = midnight - timedelta(days=asked.days)
        self.experiment = shop(self.start, adjusted=asked.adjusted)
        self.written = self.folded = self.cores = 0.0

    def measure(self) -> None:
        """Log day after day, fold each, and refresh after a small addition; at the end, check everything."""
        print(HEAD)
        for day in range(self.asked.days):
            self._day(day)
        own, backend = memory()
        total, ratio = self.asked.days * self.asked.events, self.written / self.folded
        print(f"overall: {total / self.folded:,.0f} events/s folded, {ratio:.2f} of the speed of writing them")
        print(f"for each second of processor: {total / self.cores:,.0f} events folded")
        print(f"most memory: worker {own:.0f} MB, its database process {backend:.0f} MB; on disk {size() / 1e9:.1f} GB")
        if self.asked.checked:
            from analysis.rollup.check import check

            took, found = timed(lambda: check([self.experiment]))
            assert not found.differences
            print(f"recompute --check of everything: {took:.1f} s, {found.rows:,} rows equal")

    def _day(self, day: int) -> None:
        from analysis.rollup.fold import fold

        first, events = self.start + timedelta(days=day), self.asked.events
        writing, _ = timed(partial(self._write, first, events))
        took, used, done = spent(fold)
        assert done.events == events
        self.written, self.folded, self.cores = self.written + writing, self.folded + took, self.cores + used
        if day in self.asked.shown():
            speeds = "".join(
                f"{events / seconds:>{width},.0f}" for seconds, width in ((writing, 11), (took, 9), (used, 9))
            )
            units, times = self._minutes(first + timedelta(hours=23))
            print(f"{(day + 1) * events:>10,}{units:>11,}{speeds}{times}", flush=True)

    def _minutes(self, evening: datetime) -> tuple[int, str]:
        """Fold and refresh two minutes' events; return how many units there are, and what that took."""
        from analysis import moments, pipeline
        from analysis.rollup.fold import fold

        steps: list[tuple[float, float, Any]] = []
        for minute in range(2):
            self._write(evening + timedelta(minutes=minute), SMALL)
            steps += [spent(fold), spent(lambda: pipeline.refresh(self.experiment))]
        steps.append(spent(lambda: moments.collect(self.experiment)))
        sums = steps[-1][2]
        if self.asked.checked:
            steps.append(spent(lambda: moments.collect(self.experiment, scan=True)))
            assert sums == steps[-1][2]
        return sums.total, "".join(f"{clock:>7.2f} ({own:5.2f})" for clock, own, _ in steps[1:])

    def _write(self, moment: datetime, events: int) -> None:
        """Write a stretch of a day into the log in one transaction, durable when it returns."""
        asked = self.asked
        log(self.experiment.project_id, moment, events, self.exposed, who=asked.who, linked=asked.linked)
        self.exposed += events // NEW_UNITS[asked.who]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=20, help="at most 40: the days that have a partition of their own")
    parser.add_argument("--events", type=int, default=1_000_000, help="in all")
    parser.add_argument("--linked", action="store_true", help="a tenth of the users sign in on a device they came with")
    parser.add_argument("--visits", action="store_true", help="events come as visits of five")
    parser.add_argument(
        "--adjusted", action="store_true", help="results look at days before, revenue has a percentile's cap"
    )
    parser.add_argument("--unchecked", action="store_true", help="leave out what reads all units, and the recompute")
    options = parser.parse_args()
    needed, free = options.events * BYTES_AN_EVENT, shutil.disk_usage(tempfile.gettempdir()).free
    if needed * 1.2 > free:
        raise SystemExit(f"{options.events:,} events need some {needed / 1e9:.0f} GB; {free / 1e9:.0f} GB are free.")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}", file=sys.stderr)
    asked = Asked(
        days=options.days, events=options.events // options.days, who=VISITS if options.visits else SCATTERED,
        linked=options.linked, adjusted=options.adjusted, checked=not options.unchecked,
    )  # fmt: skip
    with database():
        from analysis.rollup.fold import fold
        from events import partitions

        partitions.keep()
        fold()
        Run(asked).measure()


if __name__ == "__main__":
    main()
