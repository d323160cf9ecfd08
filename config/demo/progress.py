"""Progress of long steps: a moving bar on a terminal, plain lines in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

SECONDS_BETWEEN_LINES = 5.0

Advance = Callable[[int], None]


class Reporter:
    """Tell a person how far a long step has come."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def say(self, line: str) -> None:
        """Print one line."""
        print(line, file=self._output, flush=True)

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Advance]:
        """Follow a step of ``total`` parts; call what this yields with the number of parts just done."""
        if self._output.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(*columns, console=Console(file=self._output)) as bar:
                task = bar.add_task(name, total=total)
                yield lambda parts: bar.advance(task, parts)
        else:
            yield from self._lines(name, total)

    def _lines(self, name: str, total: int) -> Iterator[Advance]:
        began = spoke = time.monotonic()
        done = 0

        def advance(parts: int) -> None:
            nonlocal done, spoke
            done += parts
            if time.monotonic() - spoke >= SECONDS_BETWEEN_LINES and done < total:
                spoke = time.monotonic()
                self.say(f"  {name}: {done:,} of {total:,}")

        yield advance
        self.say(f"  {name}: {done:,} in {time.monotonic() - began:.1f} s")
