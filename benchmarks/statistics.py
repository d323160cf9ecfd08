"""How fast the statistics are: 600 CUPED comparisons beside tea-tasting (and gbstats), and a large breakdown.

    .venv/bin/python -m benchmarks.statistics [--gbstats /path/to/python] [--replay]

gbstats wants old releases of numpy and pandas, so it runs in a Python of its own where one is named (one with
``gbstats==0.8.0``, ``numpy<2``, ``pandas<2``). Every side starts from moments that are already added up; reading events
is another benchmark. ``--replay`` also measures 1,000 A/A draws over 1M units x 10 metrics (a minute).
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

from analysis.stats.adjustment import Method
from analysis.stats.estimates import Form
from analysis.stats.many import compare_many
from analysis.stats.moment_matrix import MomentMatrix
from analysis.stats.moments import Array
from analysis.stats.replay import Metric, rehashed
from analysis.stats.replay import replay as aa_replay

COMPARISONS = 600
SEED = 20260401

GBSTATS = """
import json, sys, time
from gbstats.models.statistics import RegressionAdjustedStatistic, SampleMeanStatistic, compute_theta
from gbstats.frequentist.tests import TwoSidedTTest
def arm(n, y, yy, x, xx, xy):
    post, pre = SampleMeanStatistic(n=n, sum=y, sum_squares=yy), SampleMeanStatistic(n=n, sum=x, sum_squares=xx)
    return RegressionAdjustedStatistic(
        n=n, post_statistic=post, pre_statistic=pre, post_pre_sum_of_products=xy, theta=0.0)
def one(a, b):
    a, b = arm(*a), arm(*b)
    theta = compute_theta(a, b)
    a.theta = b.theta = theta
    return TwoSidedTTest(a, b).compute_result()
pairs = json.load(sys.stdin)
best = float("inf")
for _ in range(5):
    started = time.perf_counter()
    for a, b in pairs:
        one(a, b)
    best = min(best, time.perf_counter() - started)
print(best)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gbstats", metavar="PYTHON", help="a Python that has gbstats 0.8.0")
    parser.add_argument("--replay", action="store_true", help="also 1,000 A/A draws over 1M units x 10 metrics")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}")
    cells, tables = sample()
    own = best(20, lambda: adjusted(cells))
    print(f"{COMPARISONS} CUPED comparisons, one covariate: {own * 1e3:.2f} ms")
    beside("tea-tasting 1.14", best(2, lambda: tea_tasting(tables)), own)
    if options.gbstats:
        beside("gbstats 0.8.0", gbstats(options.gbstats, cells), own)
    breakdown()
    if options.replay:
        replay()


def best(times: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest of several runs."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def beside(name: str, seconds: float, own: float) -> None:
    print(f"  {name}: {seconds * 1e3:,.0f} ms, {seconds / own:,.0f} times as long")


def sample() -> tuple[MomentMatrix, list[Array]]:
    """600 pairs of variants of 50 units each with a covariate, as moments and as values."""
    random, units = np.random.default_rng(SEED), 50
    x = random.normal(5, 2, (2 * COMPARISONS * units, 1))
    values = np.column_stack([x + random.normal(0, 1, x.shape), x])
    cells = MomentMatrix.from_values(values, np.repeat(np.arange(2 * COMPARISONS), units), 2 * COMPARISONS)
    return cells, np.split(values, 2 * COMPARISONS)


def adjusted(cells: MomentMatrix) -> None:
    control, treatment = cells.take(range(COMPARISONS)), cells.take(range(COMPARISONS, 2 * COMPARISONS))
    compare_many(Form.MEAN, control, treatment, method=Method.POOLED)


def tea_tasting(tables: list[Array]) -> None:
    """The same from tea-tasting's own aggregates."""
    import tea_tasting
    from tea_tasting.aggr import Aggregates

    metric = tea_tasting.Mean("y", covariate="x")
    aggregates = []
    for one in tables:
        (vy, c), (_, vx) = np.cov(one.T)
        mean = {"y": float(one[:, 0].mean()), "x": float(one[:, 1].mean())}
        spread = {"y": float(vy), "x": float(vx)}
        aggregates.append(Aggregates(count_=len(one), mean_=mean, var_=spread, cov_={("x", "y"): float(c)}))
    for i in range(COMPARISONS):
        metric.analyze({0: aggregates[i], 1: aggregates[COMPARISONS + i]}, 0, 1)


def gbstats(python: str, cells: MomentMatrix) -> float:
    def raw(cell: int) -> list[float]:
        n, (y, x) = int(cells.n[cell]), cells.mean[cell] * cells.n[cell]
        yy, xy, xx = cells.products[cell]
        return [n, y, yy + y * y / n, x, xx + x * x / n, xy + x * y / n]

    pairs = [[raw(i), raw(COMPARISONS + i)] for i in range(COMPARISONS)]
    done = subprocess.run([python, "-c", GBSTATS], input=json.dumps(pairs), capture_output=True, text=True, check=True)
    return float(done.stdout)


def breakdown() -> None:
    """10 metrics x 500 levels x 4 variants: 15,000 comparisons against the control of the level."""
    random, metrics, levels, variants, units = np.random.default_rng(SEED), 10, 500, 4, 200_000
    values = random.exponential(1, (units, 2 * metrics))
    label = random.integers(0, levels * variants, units)
    cells = MomentMatrix.from_values(values, label, levels * variants)

    def every() -> None:
        for metric in range(metrics):
            own = cells.select([metric, metrics + metric])
            control = own.take(np.tile(np.arange(levels), variants - 1))
            compare_many(Form.MEAN, control, own.take(np.arange(levels, levels * variants)))

    seconds = best(3, every)
    print(f"{metrics} metrics x {levels} levels x {variants} variants, each adjusted: {seconds * 1e3:.0f} ms")


def replay() -> None:
    """1,000 A/A draws over 1M units x 10 metrics."""
    random = np.random.default_rng(SEED)
    values = random.exponential(1, (1_000_000, 10)) * (random.random((1_000_000, 10)) < 0.3)
    started = time.perf_counter()
    metrics = [Metric(form=Form.MEAN, columns=(column,)) for column in range(10)]
    aa_replay(values, metrics, rehashed(np.arange(len(values))), draws=1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"1,000 A/A draws over 1M units x 10 metrics: {time.perf_counter() - started:.1f} s, peak {peak:,.0f} MB")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
