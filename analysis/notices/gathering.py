"""From waiting notices to messages: what belongs together in one, and never two in a short time.

After an outage, of ours or of the mail server's, everything that waits for one reader stands in one summary, and what
is over by then is left out.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from email.utils import make_msgid

from django.db import transaction
from django.db.models import QuerySet

from analysis.alerts.kinds import Severity
from analysis.mail.sender import sender_domain
from analysis.models import Notice, OutboxMessage, Recipient, Webhook
from analysis.notices import telling
from analysis.notices.addressing import GATHER
from analysis.notices.rendering import render_message
from analysis.webhooks.formats import written_for

State = OutboxMessage.State
Kind = OutboxMessage.Kind

PAUSE = timedelta(minutes=30)
"""Between two messages of events to one address: what happens meanwhile is gathered."""
URGENT_PAUSE = timedelta(minutes=5)
"""The same where one of them is urgent: soon, and yet ten guardrails of one bad release ring once."""
MOST_SINGLE_POSTS = 3
"""A channel reads a few messages one by one; more at once are a storm, and come as one."""
STALE = timedelta(hours=1)
"""A message that could not leave for so long is written anew before it does."""

TOGETHER = "They happened close together, so they come in one message."
LATE = "They could not be delivered at once, so they come in one message. What is over by now is left out."
REPLACED = "Not sent: gathered into a newer message."
OVER = "Not sent: all of it was over before it could leave."


def write_messages(now: datetime) -> int:
    """Write a message for everyone who may be told of something now. Return how many were written."""
    ready = Notice.objects.filter(state=Notice.State.WAITING, not_before__lte=now)
    readers = set(ready.filter(recipient__isnull=False).values_list("recipient", flat=True))
    hooks = set(ready.filter(webhook__isnull=False).values_list("webhook", flat=True))
    return sum(_write_mail(pk, now) for pk in sorted(readers)) + sum(_write_posts(pk, now) for pk in sorted(hooks))


def refresh(message: OutboxMessage, now: datetime) -> bool:
    """Write a message that could not leave for long anew, just before it does. Return whether anything is left of it.

    For whoever has claimed the message: nobody else touches it.
    """
    if message.kind not in (Kind.EVENT, Kind.SUMMARY) or now - message.created_at < STALE:
        return True
    if not message.notices.exists():
        return True
    with transaction.atomic():
        due = Notice.objects.filter(recipient=message.reader, webhook=message.webhook, not_before__lte=now)
        more = _locked(due.filter(state=Notice.State.WAITING))
        kept = _still_true([*_locked(message.notices.all()), *more])
        if not kept:
            return False
        _rewrite(message, kept)
        _written(kept, message)
    return True


@transaction.atomic
def _write_mail(primary_key: int, now: datetime) -> int:
    recipient = Recipient.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=primary_key).first()
    if recipient is None:
        return 0
    waiting = recipient.notices.filter(state=Notice.State.WAITING, not_before__lte=now + GATHER)
    if recipient.unsubscribed_at is not None or recipient.disabled_at is not None:
        waiting.update(state=Notice.State.DROPPED, dropped_because="The recipient gets no messages any more.")
        return 0
    notices = _still_true(_locked(waiting))
    if not notices or not _may_tell(recipient, notices, now):
        return 0
    held_up = _take_back(recipient.messages.filter(digest=None, state=State.WAITING))
    everything = [*_still_true(held_up), *notices]
    rendered = render_message([one.occurrence for one in everything], recipient, LATE if held_up else TOGETHER)
    message = OutboxMessage.objects.create(
        project_id=recipient.project_id,
        kind=Kind.EVENT if len(everything) == 1 else Kind.SUMMARY,
        channel=OutboxMessage.Channel.EMAIL,
        reader=recipient,
        recipient=recipient.email,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        pictures=rendered.encoded_pictures,
        snapshot=rendered.snapshot,
        message_id=make_msgid(domain=sender_domain()),
        due_at=now,
        not_before=now,
        created_at=now,
    )
    _written(everything, message)
    return 1


@transaction.atomic
def _write_posts(primary_key: int, now: datetime) -> int:
    hook = Webhook.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=primary_key).first()
    if hook is None:
        return 0
    waiting = hook.notices.filter(state=Notice.State.WAITING, not_before__lte=now)
    if hook.disabled_at is not None or hook.removed_at is not None:
        waiting.update(state=Notice.State.DROPPED, dropped_because="The webhook is off.")
        return 0
    notices = _still_true(_locked(waiting))
    if not notices:
        return 0
    # What the other side could not take yet joins what is new, so that its recovery is no storm.
    held_up = _take_back(hook.messages.filter(state=State.WAITING, attempts__gt=0).exclude(kind=Kind.TEST))
    everything = [*_still_true(held_up), *notices]
    single = len(everything) <= MOST_SINGLE_POSTS
    groups = [[one] for one in everything] if single else [everything]
    for group in groups:
        _written(group, _post(hook, group, LATE if held_up else TOGETHER, now))
    return len(groups)


def _post(hook: Webhook, notices: Sequence[Notice], why: str, now: datetime) -> OutboxMessage:
    told = telling.gather([one.occurrence for one in notices], why)
    return OutboxMessage.objects.create(
        project_id=hook.project_id,
        kind=Kind.EVENT if len(notices) == 1 else Kind.SUMMARY,
        channel=OutboxMessage.Channel.WEBHOOK,
        webhook=hook,
        recipient=hook.name,
        subject=told.subject[:300],
        payload=written_for(hook, told),
        message_id=new_post_id(),
        due_at=now,
        not_before=now,
        created_at=now,
    )


def new_post_id() -> str:
    """Return the id by which a receiver knows a message that comes twice."""
    return f"msg_{secrets.token_urlsafe(18)}"


def _rewrite(message: OutboxMessage, notices: Sequence[Notice]) -> None:
    occurrences = [one.occurrence for one in notices]
    message.kind = Kind.EVENT if len(notices) == 1 else Kind.SUMMARY
    if message.webhook is not None:
        told = telling.gather(occurrences, LATE)
        message.subject, message.payload = told.subject[:300], written_for(message.webhook, told)
        message.save(update_fields=["kind", "subject", "payload"])
        return
    if message.reader is None:
        return
    rendered = render_message(occurrences, message.reader, LATE)
    message.subject, message.text, message.html = rendered.subject, rendered.text, rendered.html
    message.pictures, message.snapshot = rendered.encoded_pictures, rendered.snapshot
    message.save(update_fields=["kind", "subject", "text", "html", "pictures", "snapshot"])


def _locked(found: "QuerySet[Notice, Notice]") -> list[Notice]:
    rows = found.select_for_update(of=("self",)).order_by("pk")
    return list(
        rows.select_related(
            "occurrence__project", "occurrence__experiment", "occurrence__alert", "occurrence__snapshot"
        )
    )


def _still_true(notices: Iterable[Notice]) -> list[Notice]:
    """Drop what nobody need be told any more, and return the rest."""
    kept = []
    for notice in notices:
        if why := _why_over(notice):
            Notice.objects.filter(pk=notice.pk).update(state=Notice.State.DROPPED, dropped_because=why, message=None)
        else:
            kept.append(notice)
    return kept


def _why_over(notice: Notice) -> str:
    alert = notice.occurrence.alert
    if alert is None:
        return ""
    if alert.closed_at is not None:
        return "It was over before it was told."
    return "Somebody had taken it on before it was told." if alert.acknowledged_at is not None else ""


def _may_tell(recipient: Recipient, notices: Sequence[Notice], now: datetime) -> bool:
    """Say whether the last message to this reader lies back far enough."""
    urgent = any(one.occurrence.severity == Severity.URGENT for one in notices)
    since = now - (URGENT_PAUSE if urgent else PAUSE)
    events = recipient.messages.filter(kind__in=[Kind.EVENT, Kind.SUMMARY], created_at__gt=since)
    return not events.exclude(state=State.FAILED).exists()


def _take_back(messages: "QuerySet[OutboxMessage, OutboxMessage]") -> list[Notice]:
    """Withdraw messages that have not left, and return what they told. One that is being sent stays."""
    taken: list[Notice] = []
    for message in messages:
        withdrawn = OutboxMessage.objects.filter(pk=message.pk, state=State.WAITING)
        if withdrawn.update(state=State.FAILED, error=REPLACED):
            taken += _locked(message.notices.all())
    return taken


def _written(notices: Sequence[Notice], message: OutboxMessage) -> None:
    Notice.objects.filter(pk__in=[one.pk for one in notices]).update(state=Notice.State.WRITTEN, message=message)
