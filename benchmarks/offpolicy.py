"""How fast a log of decisions is valued: a Parquet file of ten million rows, in bounded memory.

    .venv/bin/python -m benchmarks.offpolicy [--rows 10000000] [--candidates 2] [--file decisions.parquet]

The file is made first, in a directory of its own that is deleted afterwards, and is not measured. Decisions are of a
policy with 30 actions in 20 contexts; candidates lean another way. Wall and processor time and the peak of memory are
printed, with the values beside their truths.
"""

import argparse
import multiprocessing
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
            # A process of its own: the peak of memory below is of the reading alone.
            maker = multiprocessing.get_context("spawn").Process(target=make, args=(file, given.rows, given.candidates))
            maker.start()
            maker.join()
        measure(file, given.candidates)


def policies(candidates: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return the logging policy, the candidates and the reward rates, shape (contexts, actions) each."""
    random = np.random.default_rng(SEED)
    logging = random.dirichlet(np.full(ACTIONS, 5.0), CONTEXTS)
    leaning = [logging * np.exp(random.normal(scale=0.7, size=logging.shape)) for _ in range(candidates)]
    rates = random.uniform(0.01, 0.08, size=logging.shape)
    return logging, [one / one.sum(axis=1, keepdims=True) for one in leaning], rates


def make(file: Path, rows: int, candidates: int) -> None:
    """Draw contexts, actions and rewards, and write them with the probabilities of all policies."""
    logging, others, rates = policies(candidates)
    random = np.random.default_rng(SEED + 1)
    context = random.integers(CONTEXTS, size=rows)
    # One search finds all actions: the cumulative probabilities of context c lie between c and c + 1.
    ends = (logging.cumsum(axis=1) + np.arange(CONTEXTS)[:, None]).ravel()
    cell = np.minimum(ends.searchsorted(context + random.random(rows), side="right"), context * ACTIONS + ACTIONS - 1)
    reward = (random.random(rows) < rates.ravel()[cell]).astype(np.int8)
    cells = {"cell": np.arange(CONTEXTS * ACTIONS), "p": logging.ravel(),
             **{f"t{k}": other.ravel() for k, other in enumerate(others)}}  # fmt: skip
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.register("cells", cells)
    connection.register("drawn", {"i": np.arange(rows), "cell": cell, "reward": reward})
    targets = ", ".join(f't{k} AS "target_propensity.c{k}"' for k in range(candidates))
    name = str(file).replace("'", "''")
    connection.execute(
        f"COPY (SELECT 'd-' || i AS decision_id, 'u-' || (i // 5) AS unit, "
        f"'context ' || (cell // {ACTIONS}) AS context, 'item ' || (cell % {ACTIONS}) AS action, "
        f"p AS propensity, reward, {targets} "
        f"FROM drawn JOIN cells USING (cell)) TO '{name}' (FORMAT parquet)"
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
