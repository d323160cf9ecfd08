"""What the answers say of an address: one that refuses again and again is turned off, and somebody told."""

from datetime import datetime

from django.db.models import F

from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.raising import close_alert, raise_alert
from analysis.models import OutboxMessage, Recipient, Webhook
from analysis.outbox.failures import Refused

MOST_REFUSALS = 3
"""One refusal may be the mail server's bad day; three in a row with none accepted between them are the address."""
MOST_FAILED_POSTS = 10
"""A webhook refuses single messages that it cannot read; ten in a row it reads none."""


def accepted(message: OutboxMessage) -> None:
    """Forget earlier refusals of an address that took a message."""
    if message.reader_id is not None:
        Recipient.objects.filter(pk=message.reader_id, refusals__gt=0).update(refusals=0)
    if message.webhook_id is not None:
        Webhook.objects.filter(pk=message.webhook_id, failures__gt=0).update(failures=0)


def refused(message: OutboxMessage, error: Refused, now: datetime) -> None:
    """Count a refusal for good; turn the address off where they are too many."""
    if message.webhook is not None:
        _refused_post(message.webhook, error, now)
    elif message.reader is not None and error.is_gone:
        _refused_mail(message.reader, error, now)


def enabled_again(recipient_or_hook: Recipient | Webhook) -> None:
    """Close the alert of an address that somebody turned on again."""
    close_alert(
        recipient_or_hook.project, AlertKind.DELIVERY, _key(recipient_or_hook), because="It was turned on again."
    )


def _refused_mail(recipient: Recipient, error: Refused, now: datetime) -> None:
    Recipient.objects.filter(pk=recipient.pk).update(refusals=F("refusals") + 1)
    over = Recipient.objects.filter(pk=recipient.pk, refusals__gte=MOST_REFUSALS, disabled_at=None)
    if over.update(disabled_at=now, disabled_because=str(error)[:500]):
        sentence = f"{recipient.email} refuses e-mails, so none are sent there any more."
        _tell(recipient, sentence, "See under Deliveries why, correct the address or turn it on again.", now)


def _refused_post(hook: Webhook, error: Refused, now: datetime) -> None:
    Webhook.objects.filter(pk=hook.pk).update(failures=F("failures") + 1)
    over = Webhook.objects.filter(pk=hook.pk, disabled_at=None)
    if not error.is_gone:
        over = over.filter(failures__gte=MOST_FAILED_POSTS)
    if over.update(disabled_at=now, disabled_because=str(error)[:300]):
        sentence = f"The webhook {hook.name} refuses messages, so none are sent there any more."
        _tell(hook, sentence, "See under Deliveries why, enter its new address or turn it on again.", now)


def _tell(gone: Recipient | Webhook, sentence: str, what_to_do: str, now: datetime) -> None:
    raise_alert(
        gone.project, AlertKind.DELIVERY, _key(gone), sentence, what_to_do=what_to_do, severity=Severity.NOTE, now=now
    )


def _key(gone: Recipient | Webhook) -> str:
    return f"webhook:{gone.pk}" if isinstance(gone, Webhook) else f"mail:{gone.email}"
