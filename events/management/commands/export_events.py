"""``manage.py export_events``: write each UTC day of a project's log as a Parquet file."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from events.transfer.command import TransferCommand
from events.transfer.exporting import ExportedDay, Outcome, export_days
from events.transfer.progress import bar
from events.transfer.refusal import TransferError
from experiments.models import Project

MOST_DAYS = 3_660


class Command(TransferCommand):
    """Export days, one after the other."""

    help = "Write each UTC day of a project's event log as a Parquet file; days that have not changed are left alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("--from", dest="first", metavar="DAY", required=True, help="first UTC day, as 2026-03-02")
        parser.add_argument("--to", dest="last", metavar="DAY", required=True, help="last UTC day, included")
        parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="made when it is missing")

    def work(self, project: Project, options: dict[str, Any]) -> None:
        """Export, and say what became of each day that holds events."""
        first, last = _day("--from", options["first"]), _day("--to", options["last"])
        days = (last - first).days + 1
        if not 1 <= days <= MOST_DAYS:
            raise TransferError(f"--from {first} --to {last}: give 1 to {MOST_DAYS:,} days, the earlier one first")
        counts = dict.fromkeys(Outcome, 0)
        with bar(f"{first} to {last}") as show:
            for number, done in enumerate(self._exported(project, first, last, options["out"]), start=1):
                counts[done.outcome] += 1
                show(number / days)
                if done.outcome is not Outcome.EMPTY:
                    self.stdout.write(_line(done))
        said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        self.stdout.write(f"{days} days: {said}.")

    @staticmethod
    def _exported(project: Project, first: date, last: date, out: Path) -> Iterator[ExportedDay]:
        return export_days(project, first, last, out)


def _line(done: ExportedDay) -> str:
    still = "  (not over yet)" if done.entry["open"] else ""
    return f"{done.entry['file']}  {done.entry['rows']:>12,} events  {done.outcome}{still}"


def _day(option: str, given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise TransferError(f"{option} {given[:40]!r}: give a day such as 2026-03-02") from None
