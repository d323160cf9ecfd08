"""Write a message for every digest that is due, in time and once."""

import logging
from datetime import datetime
from email.utils import make_msgid

from django.db import transaction
from django.db.models import Q

from analysis.mail.digests import rhythm_of
from analysis.mail.overview import is_milestone_due
from analysis.mail.parts import Rendered
from analysis.mail.rendering import Drawn, reader_of, render
from analysis.mail.schedule import following
from analysis.mail.sender import sender_domain
from analysis.models import Digest, OutboxMessage, ResultSnapshot
from analysis.notices.addressing import quiet_hours, recipient_for
from analysis.notices.quiet import is_quiet
from experiments.domain.lifecycle import Status

State = OutboxMessage.State
logger = logging.getLogger(__name__)
REPLACED = "Not sent: a newer message took its place."


def queue_due(now: datetime) -> int:
    """Write a message for every digest that is due, and return how many were written.

    However many occurrences an outage swallowed, a digest yields one message.
    """
    drawn: Drawn = {}
    due = Digest.objects.filter(unsubscribed_at__isnull=True, next_due_at__lte=now).order_by("next_due_at")
    queued = 0
    for digest in due.select_related("project", "experiment__project", "portfolio"):
        try:
            queued += _queue(digest, now, drawn)
        except Exception:
            # One digest that cannot be written must not keep the others from going out; it stays due.
            logger.exception("digest %s cannot be written", digest.pk)
    return queued + queue_milestones(now, drawn)


def queue_milestones(now: datetime, drawn: Drawn) -> int:
    """Write a message for every digest by milestones that has one to tell, outside of its reader's quiet hours."""
    active = Digest.objects.filter(unsubscribed_at__isnull=True, cadence=Digest.Cadence.MILESTONES.value)
    queued = 0
    for digest in active.select_related("project", "experiment__project", "portfolio"):
        try:
            queued += _queue_milestone(digest, now, drawn)
        except Exception:
            logger.exception("digest %s cannot be written", digest.pk)
    return queued


def queue_now(digest: Digest, now: datetime) -> OutboxMessage:
    """Write a message outside the schedule; a second click within the same minute finds the first one's."""
    minute = now.replace(second=0, microsecond=0)
    if waiting := OutboxMessage.objects.filter(digest=digest, due_at=minute).first():
        return waiting
    recipient_for(digest.project, digest.email)
    return store(digest, minute, render(digest, now), now)


@transaction.atomic
def store(digest: Digest, due_at: datetime, rendered: Rendered, now: datetime) -> OutboxMessage:
    """Put a digest's message into the outbox."""
    # A message that could not leave so far is out of date once there is a newer one: never two in a row.
    OutboxMessage.objects.filter(digest=digest, state=State.WAITING).exclude(due_at=due_at).update(
        state=State.FAILED, error=REPLACED
    )
    message, _ = OutboxMessage.objects.get_or_create(
        digest=digest,
        due_at=due_at,
        defaults={
            "project_id": digest.project_id,
            "reader": reader_of(digest),
            "snapshot": rendered.snapshot,
            "recipient": digest.email,
            "subject": rendered.subject,
            "text": rendered.text,
            "html": rendered.html,
            "pictures": rendered.encoded_pictures,
            "message_id": make_msgid(domain=sender_domain()),
            "not_before": now,
            "created_at": now,
        },
    )
    Digest.objects.filter(pk=digest.pk).update(told_up_to=now)
    return message


def _queue(digest: Digest, now: datetime, drawn: Drawn) -> int:
    due_at, upcoming = digest.next_due_at, following(rhythm_of(digest), now)
    if due_at is None:
        return 0
    if recipient_for(digest.project, digest.email).disabled_at is not None:
        Digest.objects.filter(pk=digest.pk, next_due_at=due_at).update(next_due_at=upcoming)
        return 0
    rendered = None if _has_told_the_end(digest) else render(digest, now, drawn)
    with transaction.atomic():
        # Of two schedulers that saw the same due time, one moves it on; the other finds it moved.
        moved = Digest.objects.filter(pk=digest.pk, next_due_at=due_at, unsubscribed_at__isnull=True)
        if not moved.update(next_due_at=upcoming) or rendered is None:
            return 0
        store(digest, due_at, rendered, now)
    return 1


def _queue_milestone(digest: Digest, now: datetime, drawn: Drawn) -> int:
    reader = recipient_for(digest.project, digest.email)
    if reader.disabled_at is not None or is_quiet(quiet_hours(reader), now):
        return 0
    if not is_milestone_due(digest):
        return 0
    rendered = render(digest, now, drawn)
    with transaction.atomic():
        # Of two schedulers that saw the same milestone, one moves on what was told; the other finds it moved.
        moved = Digest.objects.filter(pk=digest.pk, told_up_to=digest.told_up_to, unsubscribed_at__isnull=True)
        if not moved.update(told_up_to=now):
            return 0
        store(digest, now, rendered, now)
    return 1


def _has_told_the_end(digest: Digest) -> bool:
    """Say whether the recipient already has the final result of a stopped experiment."""
    experiment = digest.experiment
    if experiment is None or experiment.status != Status.STOPPED or experiment.stopped_at is None:
        return False
    newest = ResultSnapshot.objects.filter(experiment=experiment).order_by("-id").first()
    final = Q(snapshot__as_of__gte=experiment.stopped_at)
    nothing_newer = Q(created_at__gte=experiment.stopped_at, snapshot=newest)
    return digest.messages.exclude(state=State.FAILED).filter(final | nothing_newer).exists()
