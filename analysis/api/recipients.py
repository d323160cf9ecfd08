"""Recipients over the API: what each wants to hear and how, and what each follows."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from analysis.mail.schedule import find_zone
from analysis.models import Follow, Recipient, Webhook
from analysis.notices import preferences
from analysis.notices.kinds import Channel, OccurrenceKind
from analysis.notices.preferences import Wishes
from analysis.notices.quiet import QuietHours
from experiments.api.answers import bad_value
from experiments.api.fields import Taken
from experiments.api.finding import experiment_by_key, missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation, link
from experiments.models import Project

Hour = Annotated[int, Meta(ge=0, le=23)]
Email = Annotated[str, Meta(min_length=3, max_length=254)]


class RecipientAnswer(Struct, frozen=True, kw_only=True):
    """An address and how whoever reads it wants to hear of things. A kind that ``channels`` leaves out is an e-mail."""

    id: int
    email: str
    time_zone: str
    quiet_from: int
    quiet_until: int
    quiet_weekends: bool
    alarms_at_any_hour: bool
    digest_only: bool
    channels: dict[str, str]
    webhook: int | None
    refusals: int
    disabled_at: datetime | None
    disabled_because: str
    unsubscribed_at: datetime | None
    links: dict[str, str]


class RecipientList(Struct, frozen=True, kw_only=True):
    """A page of recipients, newest first."""

    recipients: list[RecipientAnswer]
    next: str | None


class RecipientPage(Page, frozen=True, kw_only=True):
    """Which recipients."""

    email: str = ""


class WishesBody(Taken, frozen=True, kw_only=True):
    """How a recipient wants to hear of things; the same hour twice is no quiet at all."""

    time_zone: Annotated[str, Meta(min_length=1, max_length=60)] = "UTC"
    quiet_from: Hour = 0
    quiet_until: Hour = 0
    quiet_weekends: bool = False
    alarms_at_any_hour: bool = False
    digest_only: bool = False
    channels: dict[OccurrenceKind, Channel] = {}
    webhook: int | None = None


class FollowAnswer(Struct, frozen=True, kw_only=True):
    """An address hears of an experiment, or with null of everything; ``muted`` is the contrary."""

    id: int
    email: str
    experiment: str | None
    muted: bool
    created_at: datetime


class FollowList(Struct, frozen=True, kw_only=True):
    """A page of who hears of what, newest first."""

    follows: list[FollowAnswer]
    next: str | None


class FollowPage(Page, frozen=True, kw_only=True):
    """Whose, and of which experiment."""

    email: str = ""
    experiment: str = ""


class NewFollow(Taken, frozen=True, kw_only=True):
    """Have an address hear of an experiment, or without one of everything."""

    email: Email
    experiment: str | None = None
    muted: bool = False


def _answer(row: Recipient) -> RecipientAnswer:
    return RecipientAnswer(
        id=row.pk,
        email=row.email,
        time_zone=row.time_zone,
        quiet_from=row.quiet_from,
        quiet_until=row.quiet_until,
        quiet_weekends=row.quiet_weekends,
        alarms_at_any_hour=row.alarms_at_any_hour,
        digest_only=row.digest_only,
        channels=row.channels,
        webhook=row.webhook_id,
        refusals=row.refusals,
        disabled_at=row.disabled_at,
        disabled_because=row.disabled_because,
        unsubscribed_at=row.unsubscribed_at,
        links={"self": link("/recipients/{id}", id=row.pk)},
    )


def index(call: Call) -> RecipientList:
    """List recipients."""
    query: RecipientPage = call.query
    found = Recipient.objects.filter(project=call.project)
    rows, following = page(call, found.filter(email=query.email.lower()) if query.email else found)
    return RecipientList(recipients=[_answer(row) for row in rows], next=following)


def show(call: Call) -> RecipientAnswer:
    """Return one recipient."""
    return _answer(_found(call))


def wish(call: Call, body: WishesBody) -> RecipientAnswer:
    """Say how a recipient wants to hear of things."""
    recipient = _found(call)
    try:
        find_zone(body.time_zone)
    except ValueError as error:
        raise bad_value(str(error), "time_zone") from error
    hook = _webhook(call.project, body)
    quiet = QuietHours(
        time_zone=body.time_zone, start=body.quiet_from, end=body.quiet_until, weekends=body.quiet_weekends
    )
    wishes = Wishes(
        quiet=quiet,
        alarms_at_any_hour=body.alarms_at_any_hour,
        digest_only=body.digest_only,
        channels={kind.value: way.value for kind, way in body.channels.items() if way is not Channel.EMAIL},
        webhook=hook,
    )
    preferences.wish(recipient, wishes, None)
    return _answer(_found(call))


def enable(call: Call) -> RecipientAnswer:
    """Send to an address again that had refused messages."""
    preferences.enable(_found(call), None)
    return _answer(_found(call))


def silence(call: Call) -> RecipientAnswer:
    """End every message but digests."""
    preferences.silence(_found(call), None, "", timezone.now())
    return _answer(_found(call))


def hear(call: Call) -> RecipientAnswer:
    """Undo that."""
    preferences.hear_again(_found(call), None)
    return _answer(_found(call))


def follow_list(call: Call) -> FollowList:
    """List who hears of what."""
    query: FollowPage = call.query
    found = Follow.objects.filter(recipient__project=call.project).select_related("recipient", "experiment")
    if query.email:
        found = found.filter(recipient__email=query.email.lower())
    if query.experiment:
        found = found.filter(experiment=experiment_by_key(call.project, query.experiment))
    rows, following = page(call, found)
    return FollowList(follows=[_follow(row) for row in rows], next=following)


def follow(call: Call, body: NewFollow) -> FollowAnswer:
    """Have an address hear of something, or not."""
    experiment = experiment_by_key(call.project, body.experiment) if body.experiment else None
    act = preferences.mute if body.muted else preferences.follow
    try:
        return _follow(act(call.project, body.email, experiment, None))
    except ValueError as error:
        raise bad_value(str(error), "email") from error


def unfollow(call: Call) -> None:
    """Forget that."""
    rows = Follow.objects.filter(recipient__project=call.project).select_related("recipient__project", "experiment")
    row = rows.filter(pk=call.args["id"]).first()
    if row is None:
        raise missing(call.project, "follow with the id", call.args["id"])
    preferences.unfollow(row, None)


def _follow(row: Follow) -> FollowAnswer:
    return FollowAnswer(
        id=row.pk,
        email=row.recipient.email,
        experiment=row.experiment.key if row.experiment else None,
        muted=row.is_muted,
        created_at=row.created_at,
    )


def _webhook(project: Project, body: WishesBody) -> Webhook | None:
    wants = Channel.WEBHOOK in body.channels.values()
    if body.webhook is None:
        if wants:
            raise bad_value("Name the webhook to which these go.", "webhook")
        return None
    found = Webhook.objects.filter(project=project, pk=body.webhook, removed_at=None, is_personal=True).first()
    if found is None:
        raise bad_value(f"The project has no personal webhook {body.webhook}.", "webhook")
    return found


def _found(call: Call) -> Recipient:
    rows = Recipient.objects.filter(project=call.project).select_related("project", "webhook")
    row = rows.filter(pk=call.args["id"]).first()
    if row is None:
        raise missing(call.project, "recipient with the id", call.args["id"])
    return row


MANY, ONE = "/recipients", "/recipients/{id}"
OPERATIONS = [
    Operation(
        method="GET", path=MANY, summary="List recipients", handle=index, query=RecipientPage, answers=RecipientList
    ),
    Operation(method="GET", path=ONE, summary="Read one", handle=show, answers=RecipientAnswer),
    Operation(
        method="PUT", path=ONE, summary="Say how a recipient wants to hear of things", handle=wish, takes=WishesBody,
        answers=RecipientAnswer, current=show,
    ),
    Operation(
        method="POST", path=ONE + "/enable", summary="Send to an address again", handle=enable,
        answers=RecipientAnswer,
    ),
    Operation(
        method="POST", path=ONE + "/silence", summary="End every message but digests", handle=silence,
        answers=RecipientAnswer,
    ),
    Operation(
        method="DELETE", path=ONE + "/silence", summary="Hear again", handle=hear, answers=RecipientAnswer
    ),
    Operation(
        method="GET", path="/follows", summary="List who hears of what", handle=follow_list, query=FollowPage,
        answers=FollowList,
    ),
    Operation(
        method="POST", path="/follows", summary="Have an address hear of something", handle=follow, takes=NewFollow,
        answers=FollowAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(
        method="DELETE", path="/follows/{id}", summary="Forget that", handle=unfollow, answers=None,
        status=HTTPStatus.NO_CONTENT,
    ),
]  # fmt: skip
