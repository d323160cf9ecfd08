"""Webhooks over the API. The address and the secret are taken and never given back, but for a new secret, once."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from analysis.api.deliveries import DeliveryAnswer, answer_of
from analysis.mail import tasks
from analysis.models import Webhook
from analysis.notices import testing
from analysis.notices.kinds import OccurrenceKind
from analysis.webhooks import keeping
from experiments.api.answers import bad_value
from experiments.api.fields import Taken
from experiments.api.finding import experiment_by_key, missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation, link
from experiments.domain.access import Scope

Label = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]
Address = Annotated[str, Meta(min_length=1, max_length=2000)]


class WebhookAnswer(Struct, frozen=True, kw_only=True):
    """A webhook. ``address`` shows the host alone: the path is a secret. ``kinds`` empty is every kind."""

    id: int
    name: str
    kind: str
    address: str
    kinds: list[str]
    experiment: str | None
    personal: bool
    failures: int
    disabled_at: datetime | None
    disabled_because: str
    old_secret_until: datetime | None
    created_at: datetime
    links: dict[str, str]


class MadeWebhook(WebhookAnswer, frozen=True, kw_only=True):
    """A webhook with its new secret, which is given this once; null where it is not signed."""

    secret: str | None


class WebhookList(Struct, frozen=True, kw_only=True):
    """A page of webhooks, newest first."""

    webhooks: list[WebhookAnswer]
    next: str | None


class WebhookBody(Taken, frozen=True, kw_only=True):
    """A webhook; without ``url`` a change keeps the address."""

    name: Label
    url: Address | None = None
    kinds: list[OccurrenceKind] = []
    experiment: str | None = None
    personal: bool = False


class NewWebhook(WebhookBody, frozen=True, kw_only=True):
    """A webhook: ``slack`` for Block Kit, ``teams`` for an Adaptive Card, ``generic`` for signed JSON."""

    kind: Annotated[str, Meta(pattern="^(slack|teams|generic)$")]


def _fields(row: Webhook) -> dict[str, object]:
    return {
        "id": row.pk,
        "name": row.name,
        "kind": row.kind,
        "address": row.shown,
        "kinds": row.kinds,
        "experiment": row.experiment.key if row.experiment else None,
        "personal": row.is_personal,
        "failures": row.failures,
        "disabled_at": row.disabled_at,
        "disabled_because": row.disabled_because,
        "old_secret_until": row.old_secret_until,
        "created_at": row.created_at,
        "links": {"self": link("/webhooks/{id}", id=row.pk)},
    }


def _answer(row: Webhook) -> WebhookAnswer:
    return WebhookAnswer(**_fields(row))  # type: ignore[arg-type]


def _made(row: Webhook, secret: str) -> MadeWebhook:
    return MadeWebhook(**_fields(row), secret=secret or None)  # type: ignore[arg-type]


def index(call: Call) -> WebhookList:
    """List webhooks."""
    found = Webhook.objects.filter(project=call.project, removed_at=None).select_related("experiment")
    rows, following = page(call, found)
    return WebhookList(webhooks=[_answer(row) for row in rows], next=following)


def show(call: Call) -> WebhookAnswer:
    """Return one webhook."""
    return _answer(_found(call))


def create(call: Call, body: NewWebhook) -> MadeWebhook:
    """Make a webhook."""
    if body.url is None:
        raise bad_value("Give the address to which messages go.", "url")
    return _made(*keeping.make(call.project, Webhook.Kind(body.kind), _wanted(call, body), None))


def replace(call: Call, body: WebhookBody) -> WebhookAnswer:
    """Change a webhook."""
    keeping.change(_found(call), _wanted(call, body), None)
    return _answer(_found(call))


def rotate(call: Call) -> MadeWebhook:
    """Give a webhook a new secret."""
    secret = keeping.rotate(_found(call), None, timezone.now())
    return _made(_found(call), secret)


def enable(call: Call) -> WebhookAnswer:
    """Send to a webhook again."""
    keeping.enable(_found(call), None)
    return _answer(_found(call))


def test(call: Call) -> DeliveryAnswer:
    """Send a test."""
    message = testing.post(_found(call), timezone.now())
    tasks.deliver_soon()
    return answer_of(message)


def remove(call: Call) -> None:
    """End a webhook for good."""
    keeping.remove(_found(call), None, timezone.now())


def _wanted(call: Call, body: WebhookBody) -> keeping.Wanted:
    return keeping.Wanted(
        name=body.name.strip(),
        url=body.url or "",
        kinds=[kind.value for kind in body.kinds],
        experiment=experiment_by_key(call.project, body.experiment) if body.experiment else None,
        is_personal=body.personal,
    )


def _found(call: Call) -> Webhook:
    rows = Webhook.objects.filter(project=call.project, removed_at=None).select_related("project", "experiment")
    row = rows.filter(pk=call.args["id"]).first()
    if row is None:
        raise missing(call.project, "webhook with the id", call.args["id"])
    return row


MANY, ONE = "/webhooks", "/webhooks/{id}"
OPERATIONS = [
    Operation(method="GET", path=MANY, summary="List webhooks", handle=index, query=Page, answers=WebhookList),
    Operation(
        method="POST", path=MANY, summary="Make a webhook", handle=create, takes=NewWebhook, answers=MadeWebhook,
        status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path=ONE, summary="Read one", handle=show, answers=WebhookAnswer),
    Operation(
        method="PUT", path=ONE, summary="Change a webhook", handle=replace, takes=WebhookBody, answers=WebhookAnswer,
        current=show,
    ),
    Operation(
        method="DELETE", path=ONE, summary="End a webhook for good", handle=remove, answers=None,
        status=HTTPStatus.NO_CONTENT, current=show,
    ),
    Operation(
        method="POST", path=ONE + "/rotate", summary="Give a webhook a new secret", handle=rotate, answers=MadeWebhook
    ),
    Operation(
        method="POST", path=ONE + "/enable", summary="Send to a webhook again", handle=enable, answers=WebhookAnswer
    ),
    Operation(
        method="POST", path=ONE + "/test", summary="Send a test", handle=test, answers=DeliveryAnswer,
        status=HTTPStatus.ACCEPTED, scope=Scope.WRITE,
    ),
]  # fmt: skip
