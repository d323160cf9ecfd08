"""What a quantile over all events costs a refresh: read from every value, and as it was read a while ago.

    .venv/bin/python -m benchmarks.quantiles [--units 100000 300000 1000000] [--values 5]

Takes some two minutes and leaves nothing behind. It starts a PostgreSQL of its own for each number of units, each of
which has five values by default, skewed as latencies are.
"""

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

from benchmarks.refresh import database, shop, spent

ENROL = """
INSERT INTO analysis_enrolment (experiment_id, unit, variant_id, first_at, bucket, quarantined, reports_difference)
SELECT %(experiment)s, 'user-' || n, (%(variants)s::bigint[])[1 + n %% 2],
       %(start)s::timestamptz + make_interval(secs => n * 777600.0 / %(units)s), n %% 50, false, false
FROM generate_series(1, %(units)s) n
"""
VALUES = """
INSERT INTO analysis_unitvalue (experiment_id, metric_id, unit, day, value, events)
SELECT %(experiment)s, %(metric)s, 'user-' || n, (%(start)s::timestamptz + make_interval(days => k))::date,
       analysis_rounded((20 * exp(4 * random()) + k)::numeric), 1
FROM generate_series(1, %(units)s) n, generate_series(1, %(values)s) k
"""


def measure(units: int, values: int) -> None:
    """Print what one number of units costs."""
    from django.db import connection

    from analysis import quantile_readings
    from analysis.counted import of_plan
    from analysis.covariates import Moment
    from experiments.domain.metrics import MetricKind
    from experiments.models import Metric

    start = datetime.now(UTC) - timedelta(days=10)
    experiment = shop(start, adjusted=False)
    Metric.objects.filter(key="latency").update(kind=MetricKind.QUANTILE, level=9500)
    variants = list(experiment.variants.order_by("position").values_list("pk", flat=True))
    (metric,) = [one for one in of_plan(experiment) if one.is_quantile]
    with connection.cursor() as cursor:
        asked = {"experiment": experiment.pk, "metric": metric.metric, "variants": variants, "start": start}
        for statement in (ENROL, VALUES):
            cursor.execute(statement, {**asked, "units": units, "values": values})
        cursor.execute("ANALYZE")
    at = Moment(horizon=datetime.now(UTC), until=date.max)
    read, again = (
        spent(lambda: quantile_readings.collect(experiment, [metric], variants, at)) for _ in ("read", "again")
    )
    minutes = quantile_readings.good_for(units * values).total_seconds() / 60
    print(
        f"{units:>10,} units {units * values:>11,} values: read in {read[1]:>6.2f} s of processor ({read[0]:.2f} by the"
        f" clock), good for {minutes:.0f} minutes; a refresh until then {again[1]:.2f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--values", type=int, default=5, help="of each unit (default 5)")
    options = parser.parse_args()
    if len(options.units) == 1:
        with database():
            measure(options.units[0], options.values)
        return
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}", file=sys.stderr)
    for units in options.units:
        command = [sys.executable, "-m", "benchmarks.quantiles", "--units", str(units)]
        subprocess.run([*command, "--values", str(options.values)], check=True)


if __name__ == "__main__":
    main()
