"""How far the fold is from the least that a roll-up could be: the same events, three ways, in one run.

    .venv/bin/python -m benchmarks.rollup [--days 8] [--events 100000]

Takes some two minutes and leaves nothing behind. It starts PostgreSQLs of its own. Each way rolls up day after day of
the shop of ``benchmarks.refresh``, scattered and in visits, in seconds of processor, its own and its database's; the
first two days, of small tables and of sums that begin to be kept, are left out. The machine may do other things too:
read the ratios.

- *least*: one statement that counts one event into one row for each unit, and keeps the sums of that count and of its
  square. Ids are whole numbers; there is no day, no window, no filter, no late exposure and no second variant.
- *one metric*: the fold, with the same count as its only metric.
- *four metrics*: the fold, with a proportion, a sum, a ratio and an average.
"""

import argparse
import itertools
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.refresh import KEY, NEW_UNITS, SCATTERED, VISITS, database, log, shop, spent

MAKE = """
CREATE UNLOGGED TABLE least_event (
    unit int NOT NULL, variant smallint, viewed boolean NOT NULL, at timestamptz NOT NULL
);
CREATE TABLE least_unit (unit int PRIMARY KEY, variant smallint NOT NULL, first_at timestamptz NOT NULL);
CREATE TABLE least_total (unit int PRIMARY KEY, variant smallint NOT NULL, n int NOT NULL) WITH (fillfactor = 80);
CREATE TABLE least_sum (variant smallint PRIMARY KEY, units bigint NOT NULL, y bigint NOT NULL, yy bigint NOT NULL);
"""
# What this roll-up needs of a day's rows, ids as numbers. It is not timed.
DAY = """
TRUNCATE least_event;
INSERT INTO least_event
SELECT substr(user_id, 6)::int, CASE variant WHEN 'control' THEN 0 WHEN 'treatment' THEN 1 END,
       name = 'Product List Viewed', at
FROM events_log WHERE ts >= %(first)s AND ts < %(first)s::timestamptz + interval '1 day';
ANALYZE least_event
"""
LEAST = """
WITH entered AS (
    INSERT INTO least_unit
    SELECT DISTINCT ON (unit) unit, variant, at FROM least_event WHERE variant IS NOT NULL ORDER BY unit, at
    ON CONFLICT DO NOTHING RETURNING *
), there AS (
    SELECT * FROM entered
    UNION ALL
    SELECT u.* FROM (SELECT DISTINCT unit FROM least_event WHERE viewed) e JOIN least_unit u ON u.unit = e.unit
), grown AS (
    INSERT INTO least_total AS t
    SELECT t.unit, t.variant, count(*) FROM there t JOIN least_event e ON e.unit = t.unit
    WHERE e.viewed AND e.at >= t.first_at GROUP BY t.unit, t.variant ORDER BY t.unit
    ON CONFLICT (unit) DO UPDATE SET n = t.n + excluded.n
    RETURNING new.variant, coalesce(old.n, 0)::bigint AS y0, new.n::bigint AS y
), added AS (
    SELECT variant, count(*) AS units, 0 AS y, 0 AS yy FROM entered GROUP BY variant
    UNION ALL
    SELECT variant, 0, sum(y - y0), sum(y * y - y0 * y0) FROM grown GROUP BY variant
)
INSERT INTO least_sum AS s SELECT variant, sum(units), sum(y), sum(yy) FROM added GROUP BY variant
ON CONFLICT (variant) DO UPDATE SET
    units = s.units + excluded.units, y = s.y + excluded.y, yy = s.yy + excluded.yy
"""
SHOPS = {"scattered": SCATTERED, "visits": VISITS}
WAYS = ("least", "one metric", "four metrics")
SKIPPED = 2
"""Days that are not counted."""


def run(statement: str, **parameters: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def only_views(experiment: Any) -> None:
    """Leave the experiment one metric, the count that the least knows."""
    from experiments.domain.metrics import MetricKind
    from experiments.models import Metric

    experiment.plan.exclude(metric__name="purchase rate").delete()
    Metric.objects.filter(pk=experiment.plan.get().metric_id).update(kind=MetricKind.COUNT, event="Product List Viewed")


@contextmanager
def way(name: str, start: datetime) -> Iterator[tuple[Any, Callable[[datetime], float]]]:
    """Have one way ready: the experiment, and what rolls up a day and says how many seconds of processor it took."""
    from analysis.rollup.fold import fold

    experiment = shop(start, adjusted=False)
    if name == "least":
        experiment.delete()
        run(MAKE)

        def least(first: datetime) -> float:
            run(DAY, first=first)
            return spent(lambda: run(LEAST))[1]

        yield experiment.project, least
        return
    if name == "one metric":
        only_views(experiment)
    fold()
    yield experiment.project, lambda _: spent(fold)[1]


def measure(name: str, who: str, days: int, events: int) -> list[float]:
    """Return how many events of each counted day were rolled up for each second of processor."""
    from analysis import moments
    from experiments.models import Experiment

    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)
    exposed, found = 0, []
    with way(name, start) as (project, roll_up):
        for day in range(days):
            first = start + timedelta(days=day)
            log(project.pk, first, events, exposed, who=who, linked=False)
            exposed += events // NEW_UNITS[who]
            found.append(events / roll_up(first))
            if day == 0:
                for experiment in Experiment.objects.filter(key=KEY):
                    moments.keep(experiment)
    return found[SKIPPED:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=8, help="3 to 40")
    parser.add_argument("--events", type=int, default=100_000, help="a day")
    parser.add_argument("--only", nargs=2, metavar=("SHOP", "WAY"), help="one of each, with a database of its own")
    options = parser.parse_args()
    if options.only:
        shown, name = options.only
        with database():
            from events import partitions

            partitions.keep()
            speeds = measure(name, SHOPS[shown], options.days, options.events)
        middle = sorted(speeds)[len(speeds) // 2]
        print(f"{shown:>10}, {name:<12} {middle:>9,.0f}  ({min(speeds):,.0f} to {max(speeds):,.0f})", flush=True)
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}", file=sys.stderr)
    print("events rolled up for each second of processor, from the third day to the last:", flush=True)
    asked = [sys.executable, "-m", "benchmarks.rollup", "--days", str(options.days), "--events", str(options.events)]
    for only in itertools.product(SHOPS, WAYS):
        subprocess.run([*asked, "--only", *only], check=True)


if __name__ == "__main__":
    main()
