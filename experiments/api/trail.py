"""The audit: who changed what, when and why."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation
from experiments.models import AuditEntry


class AuditAnswer(Struct, frozen=True, kw_only=True):
    """One change. Without a user a key did it, which ``why`` names, or the product itself."""

    id: int
    at: datetime
    user: str | None
    action: str
    subject: str
    before: Any
    after: Any
    why: str


class AuditList(Struct, frozen=True, kw_only=True):
    """A page of changes, newest first."""

    audit: list[AuditAnswer]
    next: str | None


class AuditPage(Page, frozen=True, kw_only=True):
    """Which changes: of one subject such as ``flag:checkout``, or of one action such as ``flag.on``."""

    subject: str = ""
    action: str = ""


def index(call: Call) -> AuditList:
    """List changes."""
    query: AuditPage = call.query
    wanted = {name: value for name in ("subject", "action") if (value := getattr(query, name))}
    found = AuditEntry.objects.filter(project=call.project, **wanted).select_related("user")
    rows, following = page(call, found)
    return AuditList(audit=[_answer(row) for row in rows], next=following)


def _answer(row: AuditEntry) -> AuditAnswer:
    return AuditAnswer(
        id=row.pk,
        at=row.at,
        user=row.user.email if row.user else None,
        action=row.action,
        subject=row.subject,
        before=row.before,
        after=row.after,
        why=row.why,
    )


OPERATIONS = [
    Operation(method="GET", path="/audit", summary="List changes", handle=index, query=AuditPage, answers=AuditList)
]
