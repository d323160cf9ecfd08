"""What recipients want to hear, how and when. Every change is audited; one that changes nothing is not."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from analysis.mail.digests import normalised
from analysis.models import Follow, Notice, Recipient, Webhook
from analysis.notices import bounces
from analysis.notices.quiet import QuietHours
from experiments import audit
from experiments.models import Experiment, Project, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How one recipient wants to hear of things. ``channels`` maps kinds to channels where they differ from e-mail."""

    quiet: QuietHours = field(default_factory=QuietHours)
    alarms_at_any_hour: bool = False
    digest_only: bool = False
    channels: dict[str, str] = field(default_factory=dict)
    webhook: Webhook | None = None


@transaction.atomic
def wish(recipient: Recipient, wishes: Wishes, user: User | None, why: str = "") -> bool:
    """Keep what a recipient wants. Return whether anything changed."""
    before = facts(recipient)
    columns: dict[str, object] = {
        "time_zone": wishes.quiet.time_zone,
        "quiet_from": wishes.quiet.start,
        "quiet_until": wishes.quiet.end,
        "quiet_weekends": wishes.quiet.weekends,
        "alarms_at_any_hour": wishes.alarms_at_any_hour,
        "digest_only": wishes.digest_only,
        "channels": wishes.channels,
        "webhook": wishes.webhook,
    }
    for name, value in columns.items():
        setattr(recipient, name, value)
    if facts(recipient) == before:
        return False
    recipient.save(update_fields=list(columns))
    _record(recipient, user, "recipient.wishes", before=before, after=facts(recipient), why=why)
    return True


@transaction.atomic
def follow(project: Project, email: str, experiment: Experiment | None, user: User | None) -> Follow:
    """Have an address hear of an experiment, or with None of everything; also one that had unsubscribed.

    Raises
    ------
    ValueError
        No address.
    """
    return _set(project, email, experiment, user, muted=False)


@transaction.atomic
def mute(project: Project, email: str, experiment: Experiment | None, user: User | None) -> Follow:
    """Have an address hear nothing of an experiment, also if it owns it or follows everything."""
    return _set(project, email, experiment, user, muted=True)


@transaction.atomic
def unfollow(found: Follow, user: User | None, why: str = "") -> bool:
    """Forget what was said of an experiment. Return whether this call did it."""
    gone, _ = Follow.objects.filter(pk=found.pk).delete()
    if gone:
        recipient = found.recipient
        _record(recipient, user, "recipient.unfollow", found.experiment, before={"muted": found.is_muted}, why=why)
    return bool(gone)


@transaction.atomic
def silence(recipient: Recipient, user: User | None, why: str, now: datetime) -> bool:
    """End everything but digests for an address. Return whether this call did it."""
    ended = Recipient.objects.filter(pk=recipient.pk, unsubscribed_at=None).update(unsubscribed_at=now)
    if ended:
        recipient.unsubscribed_at = now
        recipient.notices.filter(state=Notice.State.WAITING).update(
            state=Notice.State.DROPPED, dropped_because="The recipient unsubscribed."
        )
        _record(recipient, user, "recipient.silence", why=why)
    return bool(ended)


@transaction.atomic
def hear_again(recipient: Recipient, user: User | None, why: str = "") -> bool:
    """Undo ``silence``. Return whether this call did it."""
    undone = Recipient.objects.filter(pk=recipient.pk, unsubscribed_at__isnull=False).update(unsubscribed_at=None)
    if undone:
        recipient.unsubscribed_at = None
        _record(recipient, user, "recipient.hear_again", why=why)
    return bool(undone)


@transaction.atomic
def enable(recipient: Recipient, user: User | None) -> bool:
    """Send to an address again that had refused messages. Return whether this call did it."""
    off = Recipient.objects.filter(pk=recipient.pk, disabled_at__isnull=False)
    undone = off.update(disabled_at=None, disabled_because="", refusals=0)
    if undone:
        bounces.enabled_again(recipient)
        _record(recipient, user, "recipient.enable", before={"because": recipient.disabled_because})
    return bool(undone)


def facts(recipient: Recipient) -> dict[str, object]:
    """Return what an audit row says of a recipient's wishes."""
    quiet = f"{recipient.quiet_from:02d}:00 to {recipient.quiet_until:02d}:00"
    return {
        "time_zone": recipient.time_zone,
        "quiet": "never" if recipient.quiet_from == recipient.quiet_until else quiet,
        "quiet_weekends": recipient.quiet_weekends,
        "alarms_at_any_hour": recipient.alarms_at_any_hour,
        "digest_only": recipient.digest_only,
        "channels": dict(recipient.channels),
        "webhook": recipient.webhook.name if recipient.webhook else None,
    }


def _set(project: Project, email: str, experiment: Experiment | None, user: User | None, *, muted: bool) -> Follow:
    recipient, _ = Recipient.objects.get_or_create(project=project, email=normalised(email))
    made, is_new = Follow.objects.get_or_create(
        recipient=recipient, experiment=experiment, defaults={"is_muted": muted, "created_by": user}
    )
    changed = not is_new and made.is_muted != muted
    if changed:
        made.is_muted = muted
        made.save(update_fields=["is_muted"])
    if is_new or changed:
        _record(recipient, user, "recipient.mute" if muted else "recipient.follow", experiment, after={"muted": muted})
    if not muted:
        hear_again(recipient, user, "Followed again.")
    return made


def _record(
    recipient: Recipient,
    user: User | None,
    action: str,
    experiment: Experiment | None = None,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    why: str = "",
) -> None:
    subject = f"experiment:{experiment.key}" if experiment else "notifications"
    who: dict[str, object] = {"email": recipient.email}
    audit.record(
        recipient.project,
        user,
        action,
        subject,
        before={**who, **before} if before is not None else None,
        after={**who, **(after or {})},
        why=why,
    )
