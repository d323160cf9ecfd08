"""Small tables made on the spot, and the command as a script would run it."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows under a line of names."""

    def writing(names: Sequence[str], rows: Iterable[Sequence[object]], name: str = "table.csv") -> Path:
        file = tmp_path / name
        with file.open("w", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(names)
            writer.writerows(rows)
        return file

    return writing


def text(file: Path, *options: str) -> str:
    out = StringIO()
    call_command("analyse_table", str(file), *options, stdout=out)
    return out.getvalue()


def report(file: Path, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text(file, *options, "--format", "json"))
    return found


def comparison(found: dict[str, Any], metric: str, variant: str = "new") -> dict[str, Any]:
    (chosen,) = [one for one in found["metrics"] if one["name"] == metric]
    (row,) = [one for one in chosen["comparisons"] if one["variant"] == variant]
    return dict(row)


def shop(n: int = 2000, seed: int = 5, effect: float = 0.5) -> list[list[object]]:
    """Rows of (user, variant, before, revenue, bought, sessions, page): half in each variant."""
    rng = np.random.default_rng(seed)
    before = rng.gamma(2.0, 5.0, n)
    treated = np.arange(n) % 2
    revenue = 3 + 0.8 * before + treated * (effect + 0.1 * before) + rng.normal(0, 3, n)
    bought = (rng.random(n) < 0.3 + 0.05 * treated).astype(int)
    sessions = 1 + rng.poisson(2, n)
    return [
        [
            f"u{i}",
            "new" if treated[i] else "old",
            before[i],
            revenue[i],
            int(bought[i]),
            int(sessions[i]),
            "ab"[i % 4 // 2],
        ]
        for i in range(n)
    ]


SHOP = ("user", "variant", "before", "revenue", "bought", "sessions", "page")
USUAL = ("--unit", "user", "--variant", "variant", "--control", "old")
