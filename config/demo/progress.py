"""Progress of long steps: a moving bar on a terminal, plain lines in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

SECONDS_BETWEEN_LINES = 5.0

Advance = Callable[[int], None]


class Reporter:
    """Tell a person how far a long step has come."""

    def __init__(self, say: Callable[[str], object], *, terminal: bool = False) -> None:
        self._say = say
        self._terminal = terminal

    def say(self, line: str) -> None:
        """Print one line."""
        self._say(line)

    @contextmanager
    def step(self, name: str, total: int, unit: str = "") -> Iterator[Advance]:
        """Follow a step of ``total`` parts; call what this yields with the number of parts just done."""
        if self._terminal:
            columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(*columns) as bar:
                task = bar.add_task(name, total=total)
                yield lambda parts: bar.advance(task, parts)
        else:
            yield from self._lines(name, total, unit)

    def _lines(self, name: str, total: int, unit: str) -> Iterator[Advance]:
        began = spoke = time.monotonic()
        done = 0

        def advance(parts: int) -> None:
            nonlocal done, spoke
            done += parts
            if time.monotonic() - spoke >= SECONDS_BETWEEN_LINES and done < total:
                spoke = time.monotonic()
                self.say(f"  {name}: {done:,} of {total:,}{unit}")

        yield advance
        self.say(f"  {name}: {done:,}{unit} in {time.monotonic() - began:.1f} s")
