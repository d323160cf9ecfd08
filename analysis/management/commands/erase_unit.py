"""``manage.py erase_unit``: show what is kept of one unit, and erase it with --now."""

from argparse import ArgumentParser
from typing import Any

from analysis.erasure import Erasure, erase, find, unit_of
from events.forgetting import RefusalsError
from events.transfer.command import TransferCommand
from events.transfer.refusal import TransferError
from experiments.domain.units import UnitType
from experiments.models import Project


class Command(TransferCommand):
    """Print what would go, or erase it."""

    help = "Show what is kept of one user, device or other unit; --now erases it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("project", metavar="PROJECT", help="the project's slug")
        parser.add_argument("--unit", metavar="ID", required=True, help="its id, as events carry it")
        parser.add_argument("--type", choices=[one.value for one in UnitType], default=UnitType.USER.value)
        parser.add_argument("--now", action="store_true", help="erase it; without this nothing changes")

    def work(self, project: Project, options: dict[str, Any]) -> None:
        """Find, or erase."""
        if not options["unit"].strip():
            raise TransferError("--unit is empty; give the id of a unit")
        unit = unit_of(project, UnitType(options["type"]), options["unit"])
        try:
            found = erase(project, unit) if options["now"] else find(project, unit)
        except RefusalsError as error:
            said = "the refused events shown could not be looked through; run this again when it is up"
            raise TransferError(f"Valkey is away ({error}): {said}") from None
        self.stdout.write(_said(found, erased=options["now"]))


def _said(found: Erasure, *, erased: bool) -> str:
    lines = [*_counted(found), *_left(found)]
    if found.is_empty:
        return "\n".join([f"Nothing is kept of this {found.unit.type.value}.", *_left(found)])
    last = f"Erased; the audit names it {found.unit.digest}." if erased else "Nothing was erased (--now does)."
    if erased and found.rebuilt:
        last += f" The next fold rebuilds {', '.join(found.rebuilt)}."
    return "\n".join([*lines, last])


def _counted(found: Erasure) -> list[str]:
    counts = {
        "events in the log": found.named.events,
        "enrolments": found.enrolments,
        "unit totals by day and metric": found.totals,
        "examples in the catalogue": found.named.examples,
        "refused events shown": found.refusals,
        "overrides": found.mentions.overrides,
        "segments that list it": found.mentions.segments,
        "audit rows that name it": found.mentions.audit_rows,
        "kept answers of the API": found.mentions.answers,
    }
    return [f"{count:>10,} {what}" for what, count in counts.items() if count]


def _left(found: Erasure) -> list[str]:
    """Return what this does not erase, and what to do about it."""
    linked = len(found.linked)
    lines = [f"With {linked:,} linked id{'s' if linked > 1 else ''} of it."] if linked else []
    lines += [f"Still named in the targeting of {one}: change that by hand." for one in found.mentions.targeting]
    for kind, ids in found.named.others.items():
        if ids:
            count = f"{len(ids):,} {kind.value}{'s' if len(ids) > 1 else ''}"
            lines.append(f"Its events also name {count}, whose other events stay: --type {kind.value} erases those.")
    return lines
