"""Send a test: what a message looks like when it arrives, and whether it does."""

from datetime import datetime, timedelta
from email.utils import make_msgid

from django.db.models import QuerySet

from analysis.mail.sender import sender_domain
from analysis.models import OutboxMessage, Recipient, Webhook
from analysis.notices import telling
from analysis.notices.gathering import new_post_id
from analysis.notices.rendering import render_sample
from analysis.webhooks.formats import written_for

SAME_CLICK = timedelta(minutes=1)


def mail(reader: Recipient, now: datetime) -> OutboxMessage:
    """Put a test for an address into the outbox; a second click within the minute finds the first one's."""
    if waiting := _just_now(reader.messages.all(), now):
        return waiting
    rendered = render_sample(telling.sample(reader.project, now), reader)
    return OutboxMessage.objects.create(
        project_id=reader.project_id,
        kind=OutboxMessage.Kind.TEST,
        reader=reader,
        recipient=reader.email,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        message_id=make_msgid(domain=sender_domain()),
        due_at=now,
        not_before=now,
        created_at=now,
    )


def post(hook: Webhook, now: datetime) -> OutboxMessage:
    """Put a test for a webhook into the outbox; a second click within the minute finds the first one's."""
    if waiting := _just_now(hook.messages.all(), now):
        return waiting
    told = telling.sample(hook.project, now)
    return OutboxMessage.objects.create(
        project_id=hook.project_id,
        kind=OutboxMessage.Kind.TEST,
        channel=OutboxMessage.Channel.WEBHOOK,
        webhook=hook,
        recipient=hook.name,
        subject=told.subject,
        payload=written_for(hook, told),
        message_id=new_post_id(),
        due_at=now,
        not_before=now,
        created_at=now,
    )


def _just_now(messages: "QuerySet[OutboxMessage, OutboxMessage]", now: datetime) -> OutboxMessage | None:
    return messages.filter(kind=OutboxMessage.Kind.TEST, created_at__gt=now - SAME_CLICK).first()
