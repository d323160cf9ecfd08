"""API keys: made once, shown once, kept as a digest, revoked for good."""

import base64
import secrets
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from experiments.changes import announce
from experiments.domain.access import Scope
from experiments.domain.environments import Environment
from experiments.domain.keys import digest
from experiments.domain.kinds import Delivery
from experiments.models import ApiKey, AuditEntry, Project, User

__all__ = ["KeyScopeError", "digest", "issue_key", "revoke"]

KEY_PREFIX = "tl_"
RANDOM_BYTES = 32
ENCRYPTION_BYTES = 16
"""What the SDKs' AES-128 takes."""
VISIBLE_CHARACTERS = 10
"""How much of a key the pages show so that people can tell keys apart: ``tl_`` and seven of 43 random characters."""


class KeyScopeError(ValueError):
    """A key cannot be made as asked; the message says what is allowed."""


@transaction.atomic
def issue_key(
    project: Project,
    name: str,
    scopes: Iterable[Scope],
    user: User | None,
    *,
    environment: Environment = Environment.PRODUCTION,
    delivery: Delivery = Delivery.PLAIN,
) -> tuple[ApiKey, str]:
    """Make a key for one environment of ``project`` and return it with its plain text, which nobody can see again.

    With encrypted delivery the row holds the encryption key: clients need it, so it is shown and not hashed.
    """
    granted = sorted({Scope(scope) for scope in scopes})
    if not granted:
        raise KeyScopeError(f"A key without a scope opens nothing. Choose one or more of {', '.join(Scope)}.")
    plain = KEY_PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    key = ApiKey.objects.create(
        project=project,
        name=name,
        prefix=plain[:VISIBLE_CHARACTERS],
        digest=digest(plain),
        scopes=[scope.value for scope in granted],
        environment=environment.value,
        delivery=delivery.value,
        encryption_key=new_encryption_key() if delivery is Delivery.ENCRYPTED else "",
        created_by=user,
    )
    _record("key.issued", key, user, after=_described(key))
    announce()
    return key, plain


@transaction.atomic
def revoke(key: ApiKey, user: User | None, why: str = "") -> bool:
    """Close ``key`` for good; return whether this call did it, so that a double click is recorded once."""
    now = timezone.now()
    if not ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
        return False
    key.revoked_at = now
    _record("key.revoked", key, user, before=_described(key), why=why)
    announce()
    return True


def new_encryption_key() -> str:
    """Return the base64 of 16 random bytes."""
    return base64.b64encode(secrets.token_bytes(ENCRYPTION_BYTES)).decode()


def _described(key: ApiKey) -> dict[str, object]:
    return {"name": key.name, "scopes": key.scopes, "environment": key.environment, "delivery": key.delivery}


def _record(
    action: str, key: ApiKey, user: User | None, *, before: object = None, after: object = None, why: str = ""
) -> None:
    AuditEntry.objects.create(
        project_id=key.project_id,
        user=user,
        action=action,
        subject=f"key:{key.prefix}",
        before=before,
        after=after,
        why=why,
    )
