"""A bar for the share of a file that is done; silent where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


@contextmanager
def bar(name: str, stream: TextIO | None = None) -> Iterator[Callable[[float], None]]:
    """Yield what takes the share done, from 0 to 1, and shows it on the terminal's error stream."""
    shown = stream or sys.stderr
    if not shown.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=shown), transient=True) as progress:
        task = progress.add_task(name, total=1.0)
        yield lambda share: progress.update(task, completed=min(share, 1.0))
