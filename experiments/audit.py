"""Write down who changed what. Call it inside the transaction that makes the change."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from experiments.models import AuditEntry, Project, User

_key: ContextVar[str] = ContextVar("the API key that acts", default="")
LONGEST_WHY = 500
SIGNATURE = "By the API key"


@contextmanager
def by_key(name: str) -> Iterator[None]:
    """Sign what is recorded meanwhile with the name of the API key that does it."""
    token = _key.set(name)
    try:
        yield
    finally:
        _key.reset(token)


def signed(why: str) -> str:
    """Return the reason as it is kept: with the API key that acts, if one does."""
    name = _key.get()
    if not name:
        return why
    signature = f"{SIGNATURE} {name!r}."
    return f"{why[: LONGEST_WHY - len(signature) - 1]} {signature}" if why else signature


def is_signed(why: str) -> bool:
    """Say whether a kept reason names the API key that acted."""
    return SIGNATURE in why


def record(
    project: Project,
    user: User | None,
    action: str,
    subject: str,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    why: str = "",
) -> AuditEntry:
    """Add one audit row; ``user`` is None where a command or an API key acted."""
    return AuditEntry.objects.create(
        project=project, user=user, action=action, subject=subject, before=before, after=after, why=signed(why)
    )
