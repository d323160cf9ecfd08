"""The outbox: a message is a row before it is sent, so that it is sent once.

At most once, and that is meant: a row is committed as *sending* before the SMTP server sees it. A worker that dies
between the server's "accepted" and our "sent" leaves the row in *sending*; nobody can tell whether it arrived, so it
is not sent again but after a while marked failed, in words that say so. A second copy would cost more trust than a
missing one: the next digest carries the newer result anyway.
"""

import logging
from datetime import datetime, timedelta
from email.utils import make_msgid, parseaddr

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from analysis.mail import smtp
from analysis.mail.digests import STOPPED, rhythm_of
from analysis.mail.rendering import Drawn, Rendered, encoded, render
from analysis.mail.schedule import following
from analysis.models import Digest, OutboxMessage, ResultSnapshot
from experiments.domain.lifecycle import Status

State = OutboxMessage.State
logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 8
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
# Longer than a task may run (analysis.mail.tasks.TIME_LIMIT): whoever held the row is gone by then.
CLAIM_HOLDS = timedelta(minutes=20)
FATE_UNKNOWN = (
    "It is not known whether this message arrived: the connection or the worker was lost while it was being handed "
    "over. It is not sent again."
)


def queue_due(now: datetime) -> int:
    """Write a message for every digest that is due, and return how many were written.

    However many occurrences an outage swallowed, a digest yields one message.
    """
    drawn: Drawn = {}
    due = Digest.objects.filter(unsubscribed_at__isnull=True, next_due_at__lte=now).order_by("next_due_at")
    queued = 0
    for digest in due.select_related("project", "experiment__project"):
        try:
            queued += _queue(digest, now, drawn)
        except Exception:
            # One digest that cannot be written must not keep the others from going out; it stays due.
            logger.exception("digest %s cannot be written", digest.pk)
    return queued


def queue_now(digest: Digest, now: datetime) -> OutboxMessage:
    """Write a message outside the schedule; a second click within the same minute finds the first one's."""
    minute = now.replace(second=0, microsecond=0)
    if waiting := OutboxMessage.objects.filter(digest=digest, due_at=minute).first():
        return waiting
    return _store(digest, minute, render(digest, now), now)


def deliver_waiting(now: datetime) -> int:
    """Send what waits and may be sent by now. Return how many messages left."""
    give_up_lost(now)
    waiting = OutboxMessage.objects.filter(state=State.WAITING, not_before__lte=now).order_by("not_before", "pk")
    primary_keys = list(waiting.values_list("pk", flat=True))
    if not primary_keys:
        return 0
    if not settings.EMAIL_URL:
        waiting.update(state=State.KEPT)
        return 0
    sent = 0
    with smtp.Line() as line:
        for primary_key in primary_keys:
            sent += deliver(primary_key, line, now)
            if line.dead:
                # One message found the server out of reach; the others need not wait for their own time-outs.
                break
    return sent


def deliver(primary_key: int, line: smtp.Line, now: datetime) -> bool:
    """Claim one message and send it. Return whether it left; False too when another worker has it."""
    message = _claim(primary_key, now)
    if message is None:
        return False
    if message.digest.unsubscribed_at is not None:
        _finish(message, State.FAILED, error=STOPPED)
        return False
    try:
        line.send(message)
    except smtp.TryLater as error:
        _put_back(message, str(error), now)
    except smtp.Refused as error:
        _finish(message, State.FAILED, error=str(error))
    except smtp.Lost as error:
        _finish(message, State.FAILED, error=f"{FATE_UNKNOWN} ({error})")
    else:
        _finish(message, State.SENT, sent_at=now)
        return True
    return False


def give_up_lost(now: datetime) -> int:
    """Mark as failed what a worker began to send and never finished."""
    lost = OutboxMessage.objects.filter(state=State.SENDING, not_before__lte=now)
    return lost.update(state=State.FAILED, error=FATE_UNKNOWN)


def _queue(digest: Digest, now: datetime, drawn: Drawn) -> int:
    due_at, upcoming = digest.next_due_at, following(rhythm_of(digest), now)
    rendered = None if _has_told_the_end(digest) else render(digest, now, drawn)
    with transaction.atomic():
        # Of two schedulers that saw the same due time, one moves it on; the other finds it moved.
        moved = Digest.objects.filter(pk=digest.pk, next_due_at=due_at, unsubscribed_at__isnull=True)
        if not moved.update(next_due_at=upcoming) or rendered is None:
            return 0
        _store(digest, due_at, rendered, now)
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


@transaction.atomic
def _store(digest: Digest, due_at: datetime, rendered: Rendered, now: datetime) -> OutboxMessage:
    # A message that could not leave so far is out of date once there is a newer one: never two in a row.
    OutboxMessage.objects.filter(digest=digest, state=State.WAITING).exclude(due_at=due_at).update(
        state=State.FAILED, error="Not sent: a newer message took its place."
    )
    message, _ = OutboxMessage.objects.get_or_create(
        digest=digest,
        due_at=due_at,
        defaults={
            "snapshot": rendered.snapshot,
            "recipient": digest.email,
            "subject": rendered.subject,
            "text": rendered.text,
            "html": rendered.html,
            "pictures": encoded(rendered.pictures),
            "message_id": make_msgid(domain=sender_domain()),
            "not_before": now,
            "created_at": now,
        },
    )
    return message


def sender_domain() -> str:
    """Return the domain of the sender's address, for message ids."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "truelift.localhost"


def _claim(primary_key: int, now: datetime) -> OutboxMessage | None:
    # Columns of this row alone: a condition on another table becomes a subquery, which PostgreSQL does not evaluate
    # again for a worker that waited for the row, and then two workers both get it.
    # While a row is being sent, not_before is when its sender counts as lost.
    claimed = OutboxMessage.objects.filter(pk=primary_key, state=State.WAITING, not_before__lte=now).update(
        state=State.SENDING, attempts=F("attempts") + 1, not_before=now + CLAIM_HOLDS
    )
    return OutboxMessage.objects.select_related("digest").get(pk=primary_key) if claimed else None


def _put_back(message: OutboxMessage, error: str, now: datetime) -> None:
    if message.attempts >= MOST_ATTEMPTS:
        _finish(message, State.FAILED, error=f"Given up after {message.attempts} attempts. {error}")
        return
    _finish(message, State.WAITING, error=error, not_before=now + back_off(message.attempts))


def back_off(attempts: int) -> timedelta:
    """Return how long to wait after this many attempts: one minute, four, sixteen, up to six hours."""
    return min(FIRST_WAIT * int(4 ** (attempts - 1)), LONGEST_WAIT)


def _finish(message: OutboxMessage, state: OutboxMessage.State, **columns: object) -> None:
    columns = {"error": "", **columns}
    columns["error"] = str(columns["error"])[:500]
    OutboxMessage.objects.filter(pk=message.pk, state=State.SENDING).update(state=state, **columns)
