"""What happened to one thing, newest first, from the audit: who, when, what changed and why."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from experiments.models import AuditEntry, Project

MOST_ENTRIES = 50
LONGEST_VALUE = 120

WORDS = {
    "create": "created it",
    "revise": "changed the plan",
    "start": "started it",
    "stop": "stopped it",
    "pause": "paused it",
    "resume": "let it run again",
    "ship": "shipped a variant",
    "archive": "archived it",
    "restore": "brought it back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field, before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the history."""

    at: datetime
    who: str
    did: str
    why: str
    changes: list[Change]


def history(project: Project, subject: str) -> list[Entry]:
    """Return the newest entries about ``subject``, for example ``flag:checkout``."""
    rows = AuditEntry.objects.filter(project=project, subject=subject).select_related("user").order_by("-at", "-pk")
    return [_entry(row) for row in rows[:MOST_ENTRIES]]


def _entry(row: AuditEntry) -> Entry:
    _, _, verb = row.action.partition(".")
    return Entry(
        at=row.at,
        who=str(row.user) if row.user else "The product",
        did=WORDS.get(verb, verb.replace("_", " ").replace(".", " ")),
        why=row.why,
        changes=list(_changes(row.before or {}, row.after or {})) if row.before else [],
    )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            yield Change(name=name.replace("_", " "), before=_shown(before.get(name)), after=_shown(after.get(name)))


def _shown(value: object) -> str:
    if value is None or value == "":
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
