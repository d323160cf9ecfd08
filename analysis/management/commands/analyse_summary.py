"""``manage.py analyse_summary``: aggregated rows over time; how peeking would have gone, and what allows it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from analysis.decisions import wording
from analysis.tables.comparing import PLANNED_UNITS, Looks
from analysis.tables.refusal import RefusalError
from analysis.tables.summary import Series, Summary, SummaryRequest, parse_columns, summarise
from analysis.tables.text import table


class Command(BaseCommand):
    """Analyse one file of aggregated rows."""

    help = "Analyse aggregated rows (n, mean or sum, variance or sum of squares) per variant and date. No database."
    requires_system_checks: list[str] = []

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

    def handle(self, *_: Any, **options: Any) -> None:
        """Parse, analyse, print."""
        try:
            if options["format"] == "html":
                raise RefusalError("--format html is not available yet for a summary: use text or json")
            if not 0 < options["alpha"] < 0.5 or options["planned_units"] < 1:
                raise RefusalError("--alpha lies above 0 and below 0.5, --planned-units above 0")
            found = summarise(
                SummaryRequest(
                    file=options["file"],
                    columns=parse_columns(options["columns"]),
                    control=options["control"],
                    cumulative=not options["daily"],
                    alpha=options["alpha"],
                    looks=Looks(sequential=True, planned_units=options["planned_units"]),
                )
            )
        except RefusalError as refused:
            raise CommandError(str(refused)) from None
        json = options["format"] == "json"
        self.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() if json else _text(found))


def _text(found: Summary) -> str:
    head = (
        "experiment",
        "metric",
        "variant",
        "dates",
        "difference at the end",
        "p at the end",
        "peeking",
        "always valid",
    )
    lines = [found.sentence, "", *table(head, [_row(one) for one in found.series]), ""]
    if skipped := found.health["skipped_rows"]:
        lines.append(f"{skipped:,} rows without n or variance were left out.")
    return "\n".join([*lines, *(str(line) for line in list(found.health["warnings"]))])  # type: ignore[call-overload]


def _row(one: Series) -> tuple[str, ...]:
    last = one.looks[-1] if one.looks else None
    known = last is not None and last.difference is not None and last.p_value is not None
    return (
        one.experiment or "–",
        one.metric or "–",
        one.variant,
        str(len(one.looks)),
        f"{last.difference:+.4g}".replace("-", "−") if known and last and last.difference is not None else "–",
        wording.p_value(last.p_value) if known and last and last.p_value is not None else "–",
        f"called at {_short(one.first_peek)}" if one.peeked else "never",
        f"called at {_short(one.first_sequential)}" if one.sequential else "never",
    )


def _short(date: str | None) -> str:
    try:
        return f"{float(date or ''):.6g}"
    except ValueError:
        return date or ""
