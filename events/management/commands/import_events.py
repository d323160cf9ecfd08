"""``manage.py import_events``: put events and exposures from CSV or Parquet files into the log."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from events.transfer.command import TransferCommand
from events.transfer.importing import Imported, import_file
from events.transfer.mapping import ColumnMeaning
from events.transfer.progress import bar
from events.transfer.reading import TableFile, open_table
from events.transfer.refusal import TransferError
from experiments.domain.units import UnitType
from experiments.models import Project

ALL = "all"
_COLUMNS = ("name", "unit", "user", "device", "time", "experiment", "variant", "id")


class Command(TransferCommand):
    """Import files, one after the other."""

    help = "Import events from CSV (also .gz) or Parquet files; run it again to go on where it was killed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("file", metavar="FILE", type=Path, nargs="+")
        parser.add_argument("--name", metavar="COL|=VALUE", help="the event's name: a column, or =VALUE for every row")
        parser.add_argument("--unit", metavar="COL", help="who did it; see --unit-type")
        parser.add_argument("--unit-type", choices=[one.value for one in UnitType], default=UnitType.USER.value)
        parser.add_argument("--user", metavar="COL", help="the user, as --unit")
        parser.add_argument("--device", metavar="COL", help="the device, beside the user or alone")
        parser.add_argument("--time", metavar="COL", help="when it happened: ISO 8601, UTC where it names no zone")
        parser.add_argument("--experiment", metavar="COL|=KEY", help="rows are exposures: the experiment's key")
        parser.add_argument("--variant", metavar="COL|=KEY", help="the key of the variant that the unit felt")
        parser.add_argument("--id", metavar="COL", help="what is unique to an event; without it the row's place is")
        parser.add_argument("--property", metavar="NAME=COL", action="append", default=[], help="repeatable")
        parser.add_argument("--properties", choices=[ALL], help="every column that says nothing else")
        parser.add_argument("--exported", action="store_true", help="the files are days that export_events wrote")
        parser.add_argument("--report", metavar="FILE", type=Path, help="write every refused row there, as CSV")

    def work(self, project: Project, options: dict[str, Any]) -> None:
        """Check all files before the first row is read, then import them in turn."""
        meaning = _meaning(options)
        if options["report"] is not None and len(options["file"]) > 1:
            raise TransferError("--report is about one file; give one file a run, or leave it out")
        tables = [open_table(file) for file in options["file"]]
        for table in tables:
            meaning.used(table.columns)
        for table in tables:
            with bar(table.path.name) as show:
                done = import_file(project, table, meaning, report=options["report"], on_share=show)
            self.stdout.write(_said(table, done))


def _said(table: TableFile, done: Imported) -> str:
    resumed = f" (went on after row {done.resumed_after:,})" if done.resumed_after else ""
    lines = [
        f"{table.path.name}: {done.rows:,} rows, {done.stored:,} events new, {done.known:,} known already, "
        f"{done.refused.total():,} refused{resumed}."
    ]
    lines += [f"  {count:,} × {code}" for code, count in done.refused.most_common()]
    lines += [f"  row {one.row}: {one.code}: {one.message}" for one in done.shown]
    return "\n".join(lines)


def _meaning(options: dict[str, Any]) -> ColumnMeaning:
    given = [name for name in _COLUMNS if options[name]]
    if options["exported"]:
        if given or options["property"] or options["properties"]:
            raise TransferError("--exported files say themselves what their columns mean; leave the other options out")
        return ColumnMeaning(exported=True)
    units = _units(options)
    if not options["time"]:
        raise TransferError("--time is missing; name the column that says when it happened")
    if bool(options["experiment"]) != bool(options["variant"]):
        raise TransferError("--experiment and --variant go together; give both for exposures, or neither")
    if not options["name"] and not options["experiment"]:
        raise TransferError("--name is missing; give a column or =VALUE, or --experiment and --variant for exposures")
    return ColumnMeaning(
        time=options["time"],
        name=options["name"] or "",
        units=units,
        experiment=options["experiment"] or "",
        variant=options["variant"] or "",
        id=options["id"] or "",
        properties=tuple(map(_property, options["property"])),
        all_properties=options["properties"] == ALL,
    )


def _units(options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    asked = [(options["unit_type"], options["unit"]), (UnitType.USER.value, options["user"])]
    asked.append((UnitType.DEVICE.value, options["device"]))
    units = tuple((kind, column) for kind, column in asked if column)
    if not units:
        raise TransferError("--unit is missing; name the column that says who did it")
    if len({kind for kind, _ in units}) < len(units):
        raise TransferError("two columns are given for one type of unit; --unit is the --user unless --unit-type says")
    return units


def _property(given: str) -> tuple[str, str]:
    name, _, column = given.partition("=")
    if not name or not column:
        raise TransferError(f"--property {given!r}: give NAME=COL, such as revenue=amount")
    return name, column
