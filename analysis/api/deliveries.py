"""Deliveries over the API: what became of each message, and sending one again."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from analysis.mail import tasks
from analysis.models import OutboxMessage
from analysis.outbox import repeating
from experiments.api.answers import conflict
from experiments.api.finding import missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation, link

State = Annotated[str, Meta(pattern="^(waiting|sending|sent|kept|failed)$")]
Channel = Annotated[str, Meta(pattern="^(email|webhook)$")]


class DeliveryAnswer(Struct, frozen=True, kw_only=True):
    """A message and what became of it. ``answered`` is the SMTP or HTTP code of the last answer."""

    id: int
    kind: str
    channel: str
    to: str
    subject: str
    state: str
    attempts: int
    answered: int | None
    error: str
    not_before: datetime
    created_at: datetime
    sent_at: datetime | None
    digest: int | None
    webhook: int | None
    sent_again: int | None
    message_id: str
    links: dict[str, str]


class DeliveryList(Struct, frozen=True, kw_only=True):
    """A page of messages, newest first."""

    deliveries: list[DeliveryAnswer]
    next: str | None


class DeliveryPage(Page, frozen=True, kw_only=True):
    """Which messages; ``to`` looks into recipients."""

    state: State | None = None
    channel: Channel | None = None
    to: str = ""


def answer_of(row: OutboxMessage) -> DeliveryAnswer:
    """Return a message as the API shows it."""
    return DeliveryAnswer(
        id=row.pk,
        kind=row.kind,
        channel=row.channel,
        to=row.recipient,
        subject=row.subject,
        state=row.state,
        attempts=row.attempts,
        answered=row.answered,
        error=row.error,
        not_before=row.not_before,
        created_at=row.created_at,
        sent_at=row.sent_at,
        digest=row.digest_id,
        webhook=row.webhook_id,
        sent_again=row.sent_again_id,
        message_id=row.message_id,
        links={"self": link("/deliveries/{id}", id=row.pk)},
    )


def index(call: Call) -> DeliveryList:
    """List messages."""
    query: DeliveryPage = call.query
    found = OutboxMessage.objects.filter(project=call.project).defer("text", "html", "pictures", "payload")
    for name in ("state", "channel"):
        if value := getattr(query, name):
            found = found.filter(**{name: value})
    if query.to:
        found = found.filter(recipient__icontains=query.to)
    rows, following = page(call, found)
    return DeliveryList(deliveries=[answer_of(row) for row in rows], next=following)


def show(call: Call) -> DeliveryAnswer:
    """Return one message."""
    return answer_of(_found(call))


def send_again(call: Call) -> DeliveryAnswer:
    """Send what failed again, as a new message."""
    message = _found(call)
    if why := repeating.refusal(message):
        raise conflict(why)
    again = repeating.send_again(message, None, timezone.now())
    tasks.deliver_soon()
    return answer_of(again)


def _found(call: Call) -> OutboxMessage:
    rows = OutboxMessage.objects.select_related("digest", "reader", "webhook", "project")
    row = rows.filter(project=call.project, pk=call.args["id"]).first()
    if row is None:
        raise missing(call.project, "message with the id", call.args["id"])
    return row


ONE = "/deliveries/{id}"
OPERATIONS = [
    Operation(
        method="GET", path="/deliveries", summary="List messages and what became of them", handle=index,
        query=DeliveryPage, answers=DeliveryList,
    ),
    Operation(method="GET", path=ONE, summary="Read one", handle=show, answers=DeliveryAnswer),
    Operation(
        method="POST", path=ONE + "/send-again", summary="Send what failed again", handle=send_again,
        answers=DeliveryAnswer, status=HTTPStatus.ACCEPTED,
    ),
]  # fmt: skip
