"""What a person sees while the stack starts, runs and stops: time-stamped lines, and a bar on a terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

STYLES = {"✓": "green", "✗": "bold red", "!": "yellow", "·": "dim"}


@dataclass(slots=True)
class Step:
    """One thing that takes a while; the text it ends with can be set while it runs."""

    text: str


class Screen:
    """Print progress. Everything is drawn from the caller's thread: children must not be started beside another one."""

    def __init__(self, steps: int) -> None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal without ✓ must not stop the product
        self.console = Console(highlight=False, soft_wrap=True)
        self._bar = Progress(
            SpinnerColumn(), BarColumn(24), TextColumn("{task.description}"), TimeElapsedColumn(),
            console=self.console, auto_refresh=False, transient=True, disable=not self.console.is_terminal,
        )  # fmt: skip
        self._task: TaskID = self._bar.add_task("", total=steps)

    def line(self, mark: str, text: str) -> None:
        """Print one line with the time of day."""
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        self.console.print(Text.assemble((now, "dim"), " ", (mark, STYLES.get(mark, "")), " ", text))

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show ``title`` while the body runs; then print the step's text with the time it took."""
        step, began = Step(title), time.monotonic()
        self._bar.update(self._task, description=title)
        self._bar.start()
        try:
            yield step
        finally:
            self._bar.stop()
        self._bar.advance(self._task)
        self.line("✓", f"{step.text} ({time.monotonic() - began:.1f} s)")

    def tick(self) -> None:
        """Redraw the bar; called from every wait."""
        if self.console.is_terminal:
            self._bar.refresh()

    def text(self, text: str = "") -> None:
        """Print a line as it is."""
        self.console.print(Text(text))
