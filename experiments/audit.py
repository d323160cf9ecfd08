"""Write down who changed what. Call it inside the transaction that makes the change."""

from experiments.models import AuditEntry, Project, User


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
    """Add one audit row; ``user`` is None where a command and not a person acted."""
    return AuditEntry.objects.create(
        project=project, user=user, action=action, subject=subject, before=before, after=after, why=why
    )
