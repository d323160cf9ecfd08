"""How fast a log of decisions is valued: a Parquet file of ten million rows, in bounded memory.

    .venv/bin/python -m benchmarks.offpolicy [--rows 10000000] [--candidates 2] [--file decisions.parquet]

The file is made first, in a directory of its own that is deleted afterwards, and is not measured. Decisions are of a
policy with 30 actions in 20 contexts; candidates lean another way. Wall and processor time and the peak of memory are
printed, with the values beside their truths.
"""

import argparse
import os
import platform
import resource
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from analysis.offpolicy.decisions import from_file
from analysis.offpolicy.sums import policy_sums
from analysis.stats.offpolicy.evaluation import Evaluation, judge
from analysis.stats.unavailable import NotComputable

CONTEXTS, ACTIONS = 20, 30
SEED = 20260901


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--candidates", type=int, default=2)
    parser.add_argument("--file", type=Path, help="keep the file here, or use the one that is there")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    machine = platform.processor() or platform.machine()
    print(f"{machine}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}")
    with tempfile.TemporaryDirectory() as directory:
        file = given.file or Path(directory) / "decisions.parquet"
        if not file.exists():
            make(file, given.rows, given.candidates)
        measure(file, given.candidates)


def policies(candidates: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return the logging policy, the candidates and the reward rates, shape (contexts, actions) each."""
    random = np.random.default_rng(SEED)
    logging = random.dirichlet(np.full(ACTIONS, 5.0), CONTEXTS)
    leaning = [logging * np.exp(random.normal(scale=0.7, size=logging.shape)) for _ in range(candidates)]
    rates = random.uniform(0.01, 0.08, size=logging.shape)
    return logging, [one / one.sum(axis=1, keepdims=True) for one in leaning], rates


def make(file: Path, rows: int, candidates: int) -> None:
    logging, others, rates = policies(candidates)
    connection = duckdb.connect()
    cells = {"c": np.repeat(np.arange(CONTEXTS), ACTIONS), "a": np.tile(np.arange(ACTIONS), CONTEXTS),
             "high": logging.cumsum(axis=1).ravel(), "p": logging.ravel(), "rate": rates.ravel(),
             **{f"t{k}": other.ravel() for k, other in enumerate(others)}}  # fmt: skip
    connection.register("cells", cells)
    targets = ", ".join(f't{k} AS "target_propensity.c{k}"' for k in range(candidates))
    name = str(file).replace("'", "''")
    drawn = (
        f"SELECT i, (hash(i, 'context') % {CONTEXTS})::BIGINT AS context_of, "
        f"(hash(i, 'draw') % 1000000) / 1000000.0 AS u FROM range({rows}) r(i)"
    )
    chosen = (
        "SELECT d.i, x.*, row_number() OVER (PARTITION BY d.i ORDER BY x.a) AS first "
        f"FROM ({drawn}) d JOIN cells x ON x.c = d.context_of AND x.high > d.u AND x.high - x.p <= d.u"
    )
    connection.execute(
        "COPY (SELECT 'd-' || i AS decision_id, 'u-' || (i // 5) AS unit, 'context ' || c AS context, "
        "'item ' || a AS action, p AS propensity, "
        f"(hash(i, 'reward') % 1000000 < rate * 1000000)::INT AS reward, {targets} "
        f"FROM ({chosen}) WHERE first = 1) TO '{name}' (FORMAT parquet)"
    )


def measure(file: Path, candidates: int) -> None:
    _, others, rates = policies(candidates)
    began, busy = time.perf_counter(), time.process_time()
    with from_file(file, [f"c{k}" for k in range(candidates)]) as decisions:
        read = time.perf_counter() - began
        print(f"{decisions.rows:,} rows, {file.stat().st_size / 1e6:,.0f} MB: read in {read:.1f} s")
        for k, other in enumerate(others):
            found = judge(policy_sums(decisions, k).tally)
            truth = float((other * rates).sum(axis=1).mean())
            if isinstance(found, NotComputable):
                print(f"  c{k}: {found.reason}")
                continue
            report(f"c{k}", found, truth)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    whole, spent = time.perf_counter() - began, time.process_time() - busy
    print(f"whole: {whole:.1f} s, {spent:.1f} s of processors, peak {peak:,.0f} MB")


def report(name: str, found: Evaluation, truth: float) -> None:
    robust = found.doubly_robust
    value = f"{robust.value:.5f}" if not isinstance(robust, NotComputable) else robust.reason
    print(f"  {name}: truth {truth:.5f}, self-normalised {found.snips.value:.5f}, doubly robust {value}, "
          f"worth {found.effective:,.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
