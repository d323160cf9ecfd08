"""Results: print them, hold them against what a pipeline expects, have them made anew."""

import time
from typing import Any

from rich.console import Console

from config.cli import tables
from config.cli.asking import printed
from config.cli.client import ApiClient, CommandError, part
from config.cli.declaring import Asked, command
from config.cli.watching import seconds

OTHERWISE = 3
"""The exit status where the verdict is another than the expected."""
UNFINISHED = frozenset({"queued", "running"})


def declare(words: Any) -> None:
    """Declare ``results`` and ``refresh``."""
    read = command(words, "results", results, "print the newest results", "KEY")
    read.add_argument(
        "--expect",
        metavar="DECISION",
        help="end with status 3 unless the verdict is this one, as ship or 'do not ship'",
    )
    made = command(words, "refresh", refresh, "have results made anew, and wait for them", "KEY")
    made.add_argument("--every", type=seconds, default=1.0, metavar="SECONDS", help="how often to look (1)")


def results(client: ApiClient, asked: Asked, console: Console) -> int:
    """Print results."""
    found = client.get(f"/experiments/{part(asked.key_)}/results")
    printed(console, asked, found, lambda: tables.results(found))
    return OTHERWISE if asked.expect and found["verdict"]["decision"] != asked.expect.replace("-", " ") else 0


def refresh(client: ApiClient, asked: Asked, console: Console) -> None:
    """Start a refresh, or join the one under way, and wait until it has ended."""
    path = f"/experiments/{part(asked.key_)}/refresh"
    run = client.send("POST", path)
    while run["finished_at"] is None:
        time.sleep(asked.every)
        run = client.get(f"{path}/{run['id']}")
    if run["error"]:
        raise CommandError(f"The results could not be made anew: {run['error']}")
    printed(console, asked, run, lambda: f"{asked.key_} is fresh. Read it with: truelift results {asked.key_}")
