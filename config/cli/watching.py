"""Follow an experiment: its days, its units and its readings, until its plan ends, it stops, or Ctrl-C."""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from config.cli import tables
from config.cli.client import ApiClient, RefusedError, part
from config.cli.declaring import command

CONFLICT = 409
BAR_WIDTH = 40


def declare(words: Any) -> None:
    """Declare ``watch``."""
    made = command(words, "watch", watch, "follow an experiment until its plan ends", "KEY")
    made.add_argument("--every", type=seconds, default=10.0, metavar="SECONDS", help="how often to look (10)")


def seconds(text: str) -> float:
    """Read how often to look."""
    found = float(text)
    if not 0.1 <= found <= 3600:
        raise argparse.ArgumentTypeError(f"{text} s is not between 0.1 and 3600")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An experiment and its newest results at one moment."""

    at: datetime
    experiment: dict[str, Any]
    results: dict[str, Any] | None

    @property
    def share(self) -> float:
        """Return how much of the plan lies behind, 0 to 1."""
        begun = self.experiment["phase_started_at"] or self.experiment["started_at"]
        if begun is None:
            return 0.0
        gone = (self.at - datetime.fromisoformat(begun)) / timedelta(days=self.experiment["planned_days"])
        return min(1.0, max(0.0, gone))

    @property
    def is_over(self) -> bool:
        """Say whether there is nothing more to wait for."""
        return self.share >= 1 or self.experiment["status"] == "stopped"


def watch(client: ApiClient, asked: argparse.Namespace, console: Console) -> None:
    """Show look after look; with ``--json`` one line each."""
    if asked.json:
        for look in _looks(client, asked.key_, asked.every):
            print(json.dumps(described(look), ensure_ascii=False), flush=True)
        return
    with Live(console=console, auto_refresh=False, transient=False) as live:
        for look in _looks(client, asked.key_, asked.every):
            live.update(drawn(look), refresh=True)


def _looks(client: ApiClient, key: str, every: float) -> Iterator[Look]:
    while True:
        look = Look(
            at=datetime.now(UTC), experiment=client.get(f"/experiments/{part(key)}"), results=_results(client, key)
        )
        yield look
        if look.is_over:
            return
        time.sleep(every)


def _results(client: ApiClient, key: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.get(f"/experiments/{part(key)}/results")
    except RefusedError as error:
        if error.status == CONFLICT:  # none yet
            return None
        raise
    return found


def described(look: Look) -> dict[str, Any]:
    """Return a look as one line of JSON holds it."""
    found = look.results
    return {
        "at": look.at.isoformat(),
        "key": look.experiment["key"],
        "status": look.experiment["status"],
        "progress": round(look.share, 4),
        "over": look.is_over,
        "units": sum(variant["units"] for variant in found["variants"]) if found else None,
        "verdict": found["verdict"] if found else None,
    }


def drawn(look: Look) -> RenderableType:
    """Return a look as a terminal shows it."""
    experiment = look.experiment
    days = look.share * experiment["planned_days"]
    line = Table.grid(padding=(0, 1))
    line.add_row(
        Text(experiment["name"], style="bold"),
        Text(experiment["status"]),
        ProgressBar(total=1.0, completed=look.share, width=BAR_WIDTH, complete_style="cyan", finished_style="cyan"),
        Text(f"{days:.1f} of {experiment['planned_days']} days"),
    )
    below: RenderableType = Text("No results yet.") if look.results is None else tables.results(look.results)
    return Group(line, _units(look), Text(""), below)


def _units(look: Look) -> RenderableType:
    if look.results is None:
        return Text("")
    shown = ", ".join(f"{variant['units']:,} {variant['name']}" for variant in look.results["variants"])
    return Text(f"Units: {shown}")
