"""A progress bar on the terminal's error stream; silent where nobody looks."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import duckdb
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

_BETWEEN_LOOKS = 0.2


class Progress:
    """Shows each step's share while the embedded database works on it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    @contextmanager
    def step(self, name: str, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Show one step while its statement runs."""
        if not self._stream.isatty():
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
        )
        with Bar(*columns, console=Console(file=self._stream), transient=True) as bar:
            task = bar.add_task(name, total=100)
            done = threading.Event()
            watcher = threading.Thread(target=_watch, args=(bar, task, connection, done), daemon=True)
            watcher.start()
            try:
                yield
            finally:
                done.set()
                watcher.join()


def _watch(bar: Bar, task: int, connection: duckdb.DuckDBPyConnection, done: threading.Event) -> None:
    while not done.wait(_BETWEEN_LOOKS):
        share = connection.query_progress()
        if share >= 0:
            bar.update(task, completed=share)  # type: ignore[arg-type]
