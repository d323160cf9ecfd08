"""A progress bar on the terminal's error stream; silent where nobody looks."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import duckdb
from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

_BETWEEN_LOOKS = 0.2
_IO = Path("/proc/self/io")


class Progress:
    """Shows each step's share while the embedded database works on it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    @contextmanager
    def step(self, name: str, connection: duckdb.DuckDBPyConnection, size: int | None = None) -> Iterator[None]:
        """Show one step while its statement runs. ``size``: bytes of a file that the step reads from end to end.

        The database does not say how far it is in a CSV file, so for those the bytes that the process has read count.
        Where neither is known, the bar only shows that it is alive.
        """
        if not self._stream.isatty():
            yield
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        share = connection.query_progress if size is None else _reading(size)
        with Bar(*columns, console=Console(file=self._stream), transient=True) as bar:
            task = bar.add_task(name, total=None)
            done = threading.Event()
            watcher = threading.Thread(target=_watch, args=(bar, task, share, done), daemon=True)
            watcher.start()
            try:
                yield
            finally:
                done.set()
                watcher.join()


def _watch(bar: Bar, task: TaskID, share: Callable[[], float], done: threading.Event) -> None:
    while not done.wait(_BETWEEN_LOOKS):
        percent = share()
        if percent > 0:
            bar.update(task, completed=min(percent, 100.0), total=100)


def _reading(size: int) -> Callable[[], float]:
    """Return what tells how many percent of ``size`` bytes this process has read from now on; -1 where unknown."""
    start = _bytes_read()

    def share() -> float:
        now = _bytes_read()
        return -1.0 if now is None or start is None or size <= 0 else 100 * (now - start) / size

    return share


def _bytes_read() -> int | None:
    try:
        lines = dict(line.split(": ") for line in _IO.read_text().splitlines())
        return int(lines["rchar"])
    except (OSError, KeyError, ValueError):
        return None
