"""Check every claim about error rates and coverage by seeded simulation, and write docs/calibration.md.

    .venv/bin/python -m benchmarks.calibration [--only WORD …] [--add] [--no-write]

Exits 1 when a figure lies outside its tolerance, or when a naive method does not fail as it must. Takes some minutes on
two cores; ``--only`` runs the scenarios whose name holds one of the words and writes nothing, or with ``--add`` puts
their rows into the page and leaves the others as they were measured.
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
    parser.add_argument("--only", nargs="+", default=[""], help="run only the scenarios whose name holds such a word")
    parser.add_argument("--add", action="store_true", help="with --only: put what was run into the page")
    parser.add_argument("--no-write", action="store_true", help="leave docs/calibration.md as it is")
    asked = parser.parse_args(arguments)
    names = [name for name in SCENARIOS if any(word in name for word in asked.only)]
    if not names:
        print(f"No scenario is called like {asked.only}; there are: {', '.join(SCENARIOS)}.", file=sys.stderr)
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
    if asked.add:
        PAGE.write_text(added(PAGE.read_text(), figures))
    elif len(names) == len(SCENARIOS) and not asked.no_write:
        PAGE.write_text(page(figures, seconds))
    return 1 if out else 0


def run(name: str) -> tuple[str, list[Figure], float]:
    """Run one scenario."""
    started = time.perf_counter()
    return name, list(SCENARIOS[name]()), time.perf_counter() - started


def page(figures: Sequence[Figure], seconds: float) -> str:
    """Write the page."""
    said = _said(sum(not one.passed for one in figures))
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
    lines += map(_row, figures)
    return "\n".join(lines) + "\n"


def added(text: str, figures: Sequence[Figure]) -> str:
    """Return the page with these rows in the place of those of the same name, or after all others, and say when."""
    fresh = {_key(row): row for row in map(_row, figures)}
    head, bar, table = text.rstrip("\n").partition("|---|")
    rows = [fresh.pop(_key(row), row) if row.startswith("| ") else row for row in table.split("\n")]
    rows += fresh.values()
    today, methods = f"{datetime.now(tz=UTC):%-d %B %Y}", ", ".join(dict.fromkeys(one.method for one in figures))
    before, measured, after = head.partition("Measured on ")
    end, blank, columns = after.partition("\n\n")
    said = _said(sum(OUT in row for row in rows))
    opening = before[: before.rindex("\n\n") + 2]
    measured = f"{said} {measured}{end}\nOn {today} by themselves: {methods}."
    return f"{opening}{measured}{blank}{columns}{bar}" + "\n".join(rows) + "\n"


OUT = "**! out**"


def _said(out: int) -> str:
    return "All figures are within their tolerance." if not out else f"**{out} out of tolerance.**"


def _row(one: Figure) -> str:
    word = ("✓ fails as it must" if one.control else "✓") if one.passed else OUT
    what = f"{one.what} *(must fail)*" if one.control else one.what
    runs = f"{one.runs:,}" if one.runs else ""
    return f"| {one.method} | {one.scenario} | {runs} | {what} | {one.tolerance} | {one.shown} | {word} |"


def _key(row: str) -> tuple[str, ...]:
    cells = [cell.strip() for cell in row.split("|")]
    return (*cells[1:3], *cells[4:5])


if __name__ == "__main__":
    raise SystemExit(main())
