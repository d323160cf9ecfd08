"""``manage.py analyse_summary``: aggregated rows over time; how peeking would have gone, beside what allows it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from analysis.tables.command import FileCommand
from analysis.tables.comparing import PLANNED_UNITS, Looks
from analysis.tables.refusal import RefusalError
from analysis.tables.summary import SummaryRequest, parse_columns, summarise, to_json
from analysis.tables.summary_page import to_html
from analysis.tables.summary_text import to_text


class Command(FileCommand):
    """Analyse one file of aggregated rows."""

    help = "Analyse aggregated rows (n, mean or sum, variance or sum of squares) per variant and date. No database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--columns", required=True, metavar="date=COL,variant=COL,n=COL,mean=COL,variance=COL")
        parser.add_argument(
            "--control", metavar="VALUE", help="left out where a row holds both, with control_n=COL etc."
        )
        parser.add_argument("--daily", action="store_true", help="rows hold the new units of a date, not all so far")
        parser.add_argument("--planned-units", metavar="N", type=int, default=PLANNED_UNITS)
        parser.add_argument("--alpha", type=float, default=0.05)
        parser.add_argument("--format", choices=["text", "json", "html"], default="text")

    def answer(self, options: dict[str, Any]) -> str:
        """Parse, analyse, write."""
        if not 0 < options["alpha"] < 0.5:
            raise RefusalError(f"--alpha {options['alpha']:g}: give a risk above 0 and below 0.5, such as 0.05")
        if options["planned_units"] < 1:
            raise RefusalError(f"--planned-units {options['planned_units']}: give a number of units above 0")
        request = SummaryRequest(
            file=options["file"],
            columns=parse_columns(options["columns"]),
            control=options["control"],
            cumulative=not options["daily"],
            alpha=options["alpha"],
            looks=Looks(sequential=True, planned_units=options["planned_units"]),
        )
        found = summarise(request)
        if options["format"] == "html":
            return to_html(found, options["file"].name)
        return to_json(found) if options["format"] == "json" else to_text(found)
