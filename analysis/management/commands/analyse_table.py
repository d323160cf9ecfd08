"""``manage.py analyse_table``: analyse any experiment from a CSV or Parquet file, without a database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from analysis.tables import request as asked
from analysis.tables.analysing import analyse
from analysis.tables.command import FileCommand
from analysis.tables.page import to_html
from analysis.tables.progress import Progress
from analysis.tables.refusal import RefusalError
from analysis.tables.report import Report, to_json
from analysis.tables.text import to_text


class Command(FileCommand):
    """Analyse one user-level (or event-level) file."""

    help = "Analyse an experiment from a CSV (also .gz) or Parquet file: readings, health and a verdict. No database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--unit", metavar="COL", help="what was randomised; without it each row is a unit")
        parser.add_argument("--variant", metavar="COL", required=True)
        parser.add_argument("--control", metavar="VALUE", required=True)
        parser.add_argument("--weights", metavar="a=1,b=2", help="the split that was set; equal when left out")
        parser.add_argument(
            "--metric",
            metavar="NAME=COL[:TYPE]",
            action="append",
            default=[],
            help="repeatable; the first is the primary",
        )
        parser.add_argument(
            "--guardrail",
            metavar="NAME:MARGIN",
            action="append",
            default=[],
            help="a metric that may lose at most this share",
        )
        parser.add_argument("--lower-is-better", metavar="NAME", action="append", default=[])
        parser.add_argument("--cap", metavar="NAME=VALUE|p99", action="append", default=[])
        parser.add_argument(
            "--covariate",
            metavar="NAME=COL",
            action="append",
            default=[],
            help="known before the experiment; repeatable",
        )
        parser.add_argument("--segment", metavar="COL", action="append", default=[], help="a breakdown; repeatable")
        parser.add_argument("--time", metavar="COL", help="when the unit entered: the split is tested a day")
        parser.add_argument("--sequential", action="store_true", help="intervals that hold however often one looks")
        parser.add_argument("--planned-units", metavar="N", type=int, help="where --sequential is tightest (10000)")
        parser.add_argument("--alpha", type=float, default=0.05)
        parser.add_argument("--format", choices=["text", "json", "html"], default="text")

    def answer(self, options: dict[str, Any]) -> str:
        """Parse, analyse, write."""
        return _shown(analyse(_request(options), Progress()), options)


def _shown(report: Report, options: dict[str, Any]) -> str:
    if options["format"] == "html":
        return to_html(report, options["file"].name)
    return to_json(report) if options["format"] == "json" else to_text(report)


def _request(options: dict[str, Any]) -> asked.Request:
    metrics = asked.metrics(options["metric"])
    names = [one.name for one in metrics]
    if not 0 < options["alpha"] < 0.5:
        raise RefusalError(f"--alpha {options['alpha']:g}: give a risk above 0 and below 0.5, such as 0.05")
    if options["planned_units"] is not None and not options["sequential"]:
        raise RefusalError("--planned-units goes with --sequential; for one look at the end leave it out")
    if options["planned_units"] is not None and options["planned_units"] < 1:
        raise RefusalError(f"--planned-units {options['planned_units']}: give a number of units above 0")
    return asked.Request(
        file=options["file"],
        unit=options["unit"],
        variant=options["variant"],
        control=options["control"],
        weights=asked.weights(options["weights"]),
        metrics=metrics,
        guardrails=asked.guardrails(options["guardrail"], names),
        lower_is_better=frozenset(asked.known("--lower-is-better", name, names) for name in options["lower_is_better"]),
        caps=asked.caps(options["cap"], metrics),
        covariates=asked.covariates(options["covariate"], metrics),
        segments=tuple(dict.fromkeys(options["segment"])),
        time=options["time"],
        sequential=options["sequential"],
        planned_units=options["planned_units"],
        alpha=options["alpha"],
    )
