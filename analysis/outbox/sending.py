"""The outbox: a message is a row before it is sent, so that it is sent once.

At most once, and that is meant: a row is committed as *sending* before the other side sees it. A worker that dies
between the other side's "accepted" and our "sent" leaves the row in *sending*; nobody can tell whether it arrived, so
it is not sent again but after a while marked failed, in words that say so. A second copy would cost more trust than a
missing one: the next digest carries the newer result anyway. Signed JSON is the exception: its receiver knows a message
that comes twice by its id, so it is sent again (``webhooks.posting``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, QuerySet

from analysis.mail import smtp
from analysis.mail.digests import STOPPED
from analysis.models import OutboxMessage, Webhook
from analysis.notices import bounces, gathering
from analysis.outbox.failures import DeliveryError, Lost, Refused, TryLater
from analysis.webhooks import posting

State = OutboxMessage.State
Channel = OutboxMessage.Channel

MOST_ATTEMPTS = 8
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
# Longer than a task may run (analysis.mail.tasks.TIME_LIMIT): whoever held the row is gone by then.
CLAIM_HOLDS = timedelta(minutes=20)
FATE_UNKNOWN = (
    "It is not known whether this message arrived: the connection or the worker was lost while it was being handed "
    "over. It is not sent again."
)
UNWANTED = "Not sent: the recipient has unsubscribed, or the address or webhook was turned off, before it left."


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The lines over which messages leave."""

    email: smtp.Line
    posts: posting.Line

    def send(self, message: OutboxMessage) -> int | None:
        """Send one message and return what the other side answered, or raise what became of it."""
        return self.posts.send(message) if message.channel == Channel.WEBHOOK else self.email.send(message)

    def is_dead(self, hook: int | None) -> bool:
        """Say whether the mail server, or this webhook, was out of reach in this pass."""
        return self.email.dead if hook is None else hook in self.posts.tired


@contextmanager
def open_lines() -> Iterator[Lines]:
    """Open nothing yet; close at the end whatever was opened."""
    with smtp.Line() as email, posting.Line() as posts:
        yield Lines(email=email, posts=posts)


def deliver_waiting(now: datetime) -> int:
    """Send what waits and may be sent by now. Return how many messages left."""
    give_up_lost(now)
    waiting = OutboxMessage.objects.filter(state=State.WAITING, not_before__lte=now).order_by("not_before", "pk")
    if not settings.EMAIL_URL:
        waiting.filter(channel=Channel.EMAIL).update(state=State.KEPT)
    rows = list(waiting.values_list("pk", "webhook"))
    if not rows:
        return 0
    sent = 0
    with open_lines() as lines:
        for primary_key, hook in rows:
            # One message found the server out of reach; the others need not wait for their own time-outs.
            if not lines.is_dead(hook):
                sent += deliver(primary_key, lines, now)
    return sent


def deliver(primary_key: int, lines: Lines, now: datetime) -> bool:
    """Claim one message and send it. Return whether it left; False too when another worker has it."""
    message = _claim(primary_key, now)
    if message is None:
        return False
    why = _unwanted(message) or ("" if gathering.refresh(message, now) else gathering.OVER)
    if why:
        _finish(message, State.FAILED, error=why)
        return False
    try:
        code = lines.send(message)
    except DeliveryError as error:
        _failed(message, error, now)
        return False
    _finish(message, State.SENT, sent_at=now, answered=code)
    bounces.accepted(message)
    return True


def give_up_lost(now: datetime) -> int:
    """Mark as failed what a worker began to send and never finished; signed JSON is tried again."""
    lost = OutboxMessage.objects.filter(state=State.SENDING, not_before__lte=now)
    repeatable = lost.filter(webhook__kind=Webhook.Kind.GENERIC, attempts__lt=MOST_ATTEMPTS)
    ids = list(repeatable.values_list("pk", flat=True))
    OutboxMessage.objects.filter(pk__in=ids, state=State.SENDING).update(state=State.WAITING)
    return lost.update(state=State.FAILED, error=FATE_UNKNOWN)


def sendable(found: "QuerySet[OutboxMessage, OutboxMessage]") -> "QuerySet[OutboxMessage, OutboxMessage]":
    """Return the messages with what sending them looks at."""
    return found.select_related("digest", "reader", "webhook", "project")


def back_off(attempts: int) -> timedelta:
    """Return how long to wait after this many attempts: one minute, four, sixteen, up to six hours."""
    return min(FIRST_WAIT * int(4 ** (attempts - 1)), LONGEST_WAIT)


def _unwanted(message: OutboxMessage) -> str:
    """Return why nobody wants this message any more, or nothing."""
    if message.digest is not None and message.digest.unsubscribed_at is not None:
        return STOPPED
    hook, reader = message.webhook, message.reader
    if hook is not None and (hook.disabled_at is not None or hook.removed_at is not None):
        return UNWANTED
    if reader is not None and message.kind != OutboxMessage.Kind.TEST:
        gone = reader.disabled_at is not None or (message.digest is None and reader.unsubscribed_at is not None)
        return UNWANTED if gone else ""
    return ""


def _failed(message: OutboxMessage, error: DeliveryError, now: datetime) -> None:
    match error:
        case TryLater():
            _put_back(message, error, now)
        case Lost() if posting.may_repeat(message):
            _put_back(message, error, now)
        case Lost():
            _finish(message, State.FAILED, error=f"{FATE_UNKNOWN} ({error})", answered=error.code)
        case Refused():
            _finish(message, State.FAILED, error=str(error), answered=error.code)
            bounces.refused(message, error, now)
        case _:
            raise error


def _claim(primary_key: int, now: datetime) -> OutboxMessage | None:
    # Columns of this row alone: a condition on another table becomes a subquery, which PostgreSQL does not evaluate
    # again for a worker that waited for the row, and then two workers both get it.
    # While a row is being sent, not_before is when its sender counts as lost.
    claimed = OutboxMessage.objects.filter(pk=primary_key, state=State.WAITING, not_before__lte=now).update(
        state=State.SENDING, attempts=F("attempts") + 1, not_before=now + CLAIM_HOLDS
    )
    return sendable(OutboxMessage.objects.all()).get(pk=primary_key) if claimed else None


def _put_back(message: OutboxMessage, error: DeliveryError, now: datetime) -> None:
    if message.attempts >= MOST_ATTEMPTS:
        said = f"Given up after {message.attempts} attempts. {error}"
        _finish(message, State.FAILED, error=said, answered=error.code)
        return
    wait = back_off(message.attempts)
    if isinstance(error, TryLater) and error.after is not None:
        wait = min(max(wait, error.after), LONGEST_WAIT)
    _finish(message, State.WAITING, error=str(error), answered=error.code, not_before=now + wait)


def _finish(message: OutboxMessage, state: OutboxMessage.State, **columns: object) -> None:
    columns = {"error": "", **columns}
    columns["error"] = str(columns["error"])[:500]
    OutboxMessage.objects.filter(pk=message.pk, state=State.SENDING).update(state=state, **columns)
