"""Send a message again that failed: a person's decision, and a new message with an id of its own."""

from datetime import datetime
from email.utils import make_msgid

from django.db import transaction

from analysis.mail.sender import sender_domain
from analysis.models import OutboxMessage
from analysis.notices.gathering import new_post_id
from experiments import audit
from experiments.models import User

State = OutboxMessage.State


def refusal(message: OutboxMessage) -> str:
    """Return why a message cannot be sent again, or nothing."""
    if message.state not in (State.FAILED, State.KEPT):
        return f"Only what failed is sent again; this message is {message.state}."
    digest, reader, hook = message.digest, message.reader, message.webhook
    if (digest is not None and digest.unsubscribed_at) or (
        digest is None and reader is not None and reader.unsubscribed_at and message.kind != OutboxMessage.Kind.TEST
    ):
        return f"{message.recipient} has unsubscribed from these messages."
    if reader is not None and reader.disabled_at:
        return f"{reader.email} refuses e-mails; turn it on again under People first."
    if hook is not None and (hook.disabled_at or hook.removed_at):
        return f"The webhook {hook.name} is off; turn it on again under Webhooks first."
    if message.repeats.exclude(state__in=[State.FAILED, State.KEPT]).exists():
        return "It was sent again already."
    return ""


@transaction.atomic
def send_again(message: OutboxMessage, user: User | None, now: datetime) -> OutboxMessage:
    """Put the message into the outbox anew; of two clicks at once the second finds the first one's."""
    OutboxMessage.objects.select_for_update().get(pk=message.pk)
    if waiting := message.repeats.filter(state__in=[State.WAITING, State.SENDING, State.SENT]).first():
        return waiting
    is_mail = message.channel == OutboxMessage.Channel.EMAIL
    again = OutboxMessage.objects.create(
        project_id=message.project_id,
        kind=message.kind,
        channel=message.channel,
        digest_id=message.digest_id,
        reader_id=message.reader_id,
        webhook_id=message.webhook_id,
        snapshot_id=message.snapshot_id,
        recipient=message.recipient,
        subject=message.subject,
        text=message.text,
        html=message.html,
        pictures=message.pictures,
        payload=message.payload,
        message_id=make_msgid(domain=sender_domain()) if is_mail else new_post_id(),
        sent_again=message,
        due_at=now,
        not_before=now,
        created_at=now,
    )
    audit.record(
        message.project,
        user,
        "message.send_again",
        "notifications",
        after={"to": message.recipient, "subject": message.subject, "because": message.error},
    )
    return again
