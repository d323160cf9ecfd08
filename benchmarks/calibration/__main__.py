"""Check every claim about error rates and coverage by seeded simulation, and write docs/calibration.md.

    .venv/bin/python -m benchmarks.calibration [--only WORD] [--no-write]

Exits 1 when a figure lies outside its tolerance, or when a naive method does not fail as it must. Takes some minutes on
two cores; ``--only`` runs the scenarios whose name holds the word and writes nothing.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # the scenarios run side by side; threads of the same sum would fight for cores

from benchmarks.calibration import SCENARIOS  # noqa: E402
from benchmarks.calibration.figures import Figure  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / "docs" / "calibration.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios, print and write their figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.calibration", description="Check error rates and coverage.")
    parser.add_argument("--only", default="", help="run only the scenarios whose name holds this word")
    parser.add_argument("--no-write", action="store_true", help="leave docs/calibration.md as it is")
    asked = parser.parse_args(arguments)
    names = [name for name in SCENARIOS if asked.only in name]
    if not names:
        print(f"No scenario is called like {asked.only!r}; there are: {', '.join(SCENARIOS)}.", file=sys.stderr)
        return 2
    started = time.perf_counter()
    figures: list[Figure] = []
    with ProcessPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as pool:
        for name, found, seconds in pool.map(run, names):
            print(f"{name} ({seconds:.1f} s)", flush=True)
            for one in found:
                print(f"  {'ok ' if one.passed else 'OUT'} {one.scenario}: {one.what} {one.shown} ({one.tolerance})")
            figures += found
    seconds = time.perf_counter() - started
    out = [one for one in figures if not one.passed]
    print(f"{len(figures)} figures, {len(out)} out, {seconds:.0f} s")
    if not asked.only and not asked.no_write:
        PAGE.write_text(page(figures, seconds))
    return 1 if out else 0


def run(name: str) -> tuple[str, list[Figure], float]:
    """Run one scenario."""
    started = time.perf_counter()
    return name, list(SCENARIOS[name]()), time.perf_counter() - started


def page(figures: Sequence[Figure], seconds: float) -> str:
    """Write the page."""
    out = sum(not one.passed for one in figures)
    said = "All figures are within their tolerance." if not out else f"**{out} out of tolerance.**"
    lines = [
        "# Calibration: do the error rates and intervals keep what they promise?",
        "",
        "`make calibrate` simulates experiments whose truth is known, asks the product's own functions about them,",
        "writes this page and exits 1 when a figure is out. Every scenario is seeded, so the figures repeat. A share",
        "p over R runs may be off by 3√(p(1 − p)/R). Rows marked *must fail* are negative controls: naive methods",
        "that have to go wrong as predicted, or the simulation would prove nothing.",
        "",
        f"{said} Measured on {datetime.now(tz=UTC):%-d %B %Y}: {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, two processes, {seconds / 60:.1f} minutes.",
        "",
        "| method | scenario | runs | what | allowed | measured | |",
        "|---|---|---:|---|---|---:|---|",
    ]
    for one in figures:
        word = ("✓ fails as it must" if one.control else "✓") if one.passed else "**! out**"
        what = f"{one.what} *(must fail)*" if one.control else one.what
        runs = f"{one.runs:,}" if one.runs else ""
        lines.append(f"| {one.method} | {one.scenario} | {runs} | {what} | {one.tolerance} | {one.shown} | {word} |")
    return "\n".join(lines).replace(" . ", " ").replace("minutes.", "minutes.") + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
