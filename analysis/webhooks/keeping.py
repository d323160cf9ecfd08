"""Make, change, rotate and remove webhooks. Addresses and secrets are never in the audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from analysis.models import OutboxMessage, Webhook
from analysis.notices import bounces
from analysis.sealing import seal
from analysis.webhooks import addresses, signing
from experiments import audit
from experiments.models import Experiment, Project, User
from experiments.refusals import RefusedError

OLD_SECRET_HOLDS = timedelta(hours=24)
"""Time enough to deploy a receiver with the new secret; both sign meanwhile."""
MOST_WEBHOOKS = 50


class WebhookError(RefusedError):
    """A webhook cannot be kept as asked; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a webhook is to be. ``url`` empty keeps the address that it has."""

    name: str
    url: str = ""
    kinds: Sequence[str] = ()
    experiment: Experiment | None = None
    is_personal: bool = False


@transaction.atomic
def make(project: Project, kind: Webhook.Kind, wanted: Wanted, user: User | None) -> tuple[Webhook, str]:
    """Make a webhook and return it with its secret, which nobody can see again; only signed JSON has one.

    Raises
    ------
    WebhookError
        The name is taken, there are too many, or the address is not allowed.
    """
    Project.objects.select_for_update().get(pk=project.pk)  # one after the other, so that names and count hold
    in_force = Webhook.objects.filter(project=project, removed_at=None)
    if in_force.count() >= MOST_WEBHOOKS:
        raise WebhookError(f"The project has {MOST_WEBHOOKS} webhooks, which is the most. Remove one first.")
    _refuse_taken(project, wanted.name)
    target = _checked(wanted.url)
    secret = signing.new_secret() if kind == Webhook.Kind.GENERIC else ""
    hook = Webhook.objects.create(
        project=project,
        kind=kind,
        name=wanted.name,
        sealed_url=seal(target.url),
        shown=target.shown,
        sealed_secret=seal(secret) if secret else "",
        kinds=list(wanted.kinds),
        experiment=wanted.experiment,
        is_personal=wanted.is_personal,
        created_by=user,
    )
    _record(hook, user, "webhook.make", after=facts(hook))
    return hook, secret


@transaction.atomic
def change(hook: Webhook, wanted: Wanted, user: User | None) -> bool:
    """Change a webhook; return whether anything changed. A new address turns it on again.

    Raises
    ------
    WebhookError
        The name is taken, or the address is not allowed.
    """
    before = facts(hook)
    if wanted.name != hook.name:
        _refuse_taken(hook.project, wanted.name)
    hook.name, hook.kinds = wanted.name, list(wanted.kinds)
    hook.experiment, hook.is_personal = wanted.experiment, wanted.is_personal
    if wanted.url:
        target = _checked(wanted.url)
        hook.sealed_url, hook.shown = seal(target.url), target.shown
    if facts(hook) == before and not wanted.url:
        return False
    hook.save(update_fields=["name", "kinds", "experiment", "is_personal", "sealed_url", "shown"])
    _record(hook, user, "webhook.change", before=before, after={**facts(hook), "new_address": bool(wanted.url)})
    if wanted.url:
        enable(hook, user)
    return True


@transaction.atomic
def rotate(hook: Webhook, user: User | None, now: datetime) -> str:
    """Give a webhook a new secret and return it; the old one signs beside it for a day.

    Raises
    ------
    WebhookError
        It is none that is signed.
    """
    if hook.kind != Webhook.Kind.GENERIC:
        raise WebhookError(f"{hook.name} has no secret: only signed JSON is signed. Its address is the secret.")
    row = Webhook.objects.select_for_update().get(pk=hook.pk)
    secret = signing.new_secret()
    row.sealed_old_secret, row.old_secret_until = row.sealed_secret, now + OLD_SECRET_HOLDS
    row.sealed_secret = seal(secret)
    row.save(update_fields=["sealed_old_secret", "old_secret_until", "sealed_secret"])
    _record(hook, user, "webhook.rotate")
    return secret


@transaction.atomic
def enable(hook: Webhook, user: User | None) -> bool:
    """Send to a webhook again that had refused messages. Return whether this call did it."""
    off = Webhook.objects.filter(pk=hook.pk, disabled_at__isnull=False)
    undone = off.update(disabled_at=None, disabled_because="", failures=0)
    if undone:
        bounces.enabled_again(hook)
        _record(hook, user, "webhook.enable", before={"because": hook.disabled_because})
        hook.refresh_from_db(fields=["disabled_at", "disabled_because", "failures"])
    return bool(undone)


@transaction.atomic
def remove(hook: Webhook, user: User | None, now: datetime) -> bool:
    """End a webhook for good; its address and secrets are forgotten. Return whether this call did it."""
    gone = Webhook.objects.filter(pk=hook.pk, removed_at=None).update(
        removed_at=now, sealed_url="", sealed_secret="", sealed_old_secret=""
    )
    if gone:
        hook.people.update(webhook=None)
        OutboxMessage.objects.filter(webhook=hook, state=OutboxMessage.State.WAITING).update(
            state=OutboxMessage.State.FAILED, error="Not sent: the webhook was removed."
        )
        bounces.enabled_again(hook)
        _record(hook, user, "webhook.remove", before=facts(hook))
    return bool(gone)


def facts(hook: Webhook) -> dict[str, object]:
    """Return what an audit row says of a webhook."""
    return {
        "name": hook.name,
        "kind": hook.kind,
        "address": hook.shown,
        "events": list(hook.kinds) or "all",
        "experiment": hook.experiment.key if hook.experiment else None,
        "personal": hook.is_personal,
    }


def _checked(url: str) -> addresses.Target:
    """Return the address taken apart and resolved: a wrong one is better found now than by the first alarm."""
    private = settings.WEBHOOK_PRIVATE
    try:
        target = addresses.parse(url, private_allowed=private)
        addresses.resolve(target, private_allowed=private)
    except (addresses.AddressError, addresses.UnresolvedError) as error:
        raise WebhookError(str(error)) from error
    return target


def _refuse_taken(project: Project, name: str) -> None:
    if Webhook.objects.filter(project=project, name=name, removed_at=None).exists():
        raise WebhookError(f"The name {name!r} is already used by another webhook of the project. Choose another.")


def _record(
    hook: Webhook,
    user: User | None,
    action: str,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit.record(hook.project, user, action, f"webhook:{hook.name}"[:120], before=before, after=after)
