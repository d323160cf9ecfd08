"""A tab older than a change: find out what was changed meanwhile, by whom, and whether it is what the form edits."""

from collections.abc import Collection

from django.db.models import QuerySet

from experiments.models import AuditEntry, Project
from experiments.pages.history import Entry, entry

WORDS = "This was changed meanwhile by somebody else, or in another tab. What you typed is still here; saving keeps it."


def mark(project: Project, subject: str) -> int:
    """Return what a form remembers of the moment at which it was opened: the newest change by then."""
    newest = _changes(project, subject).order_by("-pk").values_list("pk", flat=True).first()
    return newest or 0


def newest(project: Project) -> int:
    """Return the newest change of anything in the project, after which all that follow are newer than a page."""
    return AuditEntry.objects.filter(project=project).order_by("-pk").values_list("pk", flat=True).first() or 0


def since(project: Project, subject: str, seen: str, fields: Collection[str] = ()) -> list[Entry]:
    """Return the changes after the mark ``seen`` that touch one of ``fields``, or any; without a mark all are seen."""
    if not seen.isdecimal():
        return []
    newer = _changes(project, subject).filter(pk__gt=int(seen[:18])).select_related("user").order_by("pk")
    return [entry(row) for row in newer if not fields or _touches(row, fields)]


def _changes(project: Project, subject: str) -> "QuerySet[AuditEntry]":
    return AuditEntry.objects.filter(project=project, subject=subject)


def _touches(row: AuditEntry, fields: Collection[str]) -> bool:
    if row.action == "experiment.prerequisites":  # its fields are the keys of what is needed
        return "prerequisites" in fields
    before, after = row.before or {}, row.after or {}
    return any(before.get(name) != after.get(name) for name in fields if name in before or name in after)
