"""Digests and portfolios over the API."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from analysis.api.deliveries import DeliveryAnswer, answer_of
from analysis.mail import digests, portfolios, queueing, tasks
from analysis.mail.schedule import Cadence, Rhythm
from analysis.models import Digest, Portfolio
from experiments.api.answers import bad_value
from experiments.api.fields import Taken
from experiments.api.finding import experiment_by_key, missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation, link
from experiments.models import User

Label = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]
Hour = Annotated[int, Meta(ge=0, le=23)]
Email = Annotated[str, Meta(min_length=3, max_length=254)]


class DigestAnswer(Struct, frozen=True, kw_only=True):
    """One recipient's schedule: of an experiment, a portfolio, or with neither the whole project."""

    id: int
    email: str
    experiment: str | None
    portfolio: int | None
    cadence: str
    weekday: int
    day_of_month: int
    hour: int
    time_zone: str
    next_due_at: datetime | None
    created_at: datetime
    links: dict[str, str]


class DigestList(Struct, frozen=True, kw_only=True):
    """A page of digests, newest first."""

    digests: list[DigestAnswer]
    next: str | None


class DigestPage(Page, frozen=True, kw_only=True):
    """Whose, and of which experiment."""

    email: str = ""
    experiment: str = ""


class Schedule(Taken, frozen=True, kw_only=True):
    """When, on the clock of ``time_zone``: ``weekday`` (0 is Monday) for weekly ones, ``day_of_month`` for monthly."""

    cadence: Cadence
    hour: Hour = 8
    time_zone: Annotated[str, Meta(min_length=1, max_length=60)] = "UTC"
    weekday: Annotated[int, Meta(ge=0, le=6)] = 0
    day_of_month: Annotated[int, Meta(ge=1, le=31)] = 1


class NewDigest(Schedule, frozen=True, kw_only=True):
    """Send results to an address; one that gets them already changes its schedule."""

    email: Email
    experiment: str | None = None
    portfolio: int | None = None


class PortfolioAnswer(Struct, frozen=True, kw_only=True):
    """A set of experiments: ``chosen`` ones, all of an ``owner``, or all with a ``tag``."""

    id: int
    name: str
    kind: str
    experiments: list[str]
    owner: str | None
    tag: str
    created_at: datetime
    links: dict[str, str]


class PortfolioList(Struct, frozen=True, kw_only=True):
    """A page of portfolios, newest first."""

    portfolios: list[PortfolioAnswer]
    next: str | None


class PortfolioBody(Taken, frozen=True, kw_only=True):
    """Of ``experiments`` (keys), ``owner`` (an e-mail address) and ``tag`` exactly one."""

    name: Label
    experiments: Annotated[list[str], Meta(max_length=portfolios.MOST_CHOSEN)] = []
    owner: str | None = None
    tag: Annotated[str, Meta(max_length=40)] = ""


def _digest(row: Digest) -> DigestAnswer:
    return DigestAnswer(
        id=row.pk,
        email=row.email,
        experiment=row.experiment.key if row.experiment else None,
        portfolio=row.portfolio_id,
        cadence=row.cadence,
        weekday=row.weekday,
        day_of_month=row.day_of_month,
        hour=row.hour,
        time_zone=row.time_zone,
        next_due_at=row.next_due_at,
        created_at=row.created_at,
        links={"self": link("/digests/{id}", id=row.pk)},
    )


def index(call: Call) -> DigestList:
    """List digests."""
    query: DigestPage = call.query
    found = Digest.objects.filter(project=call.project, unsubscribed_at=None).select_related("experiment")
    if query.email:
        found = found.filter(email=query.email.lower())
    if query.experiment:
        found = found.filter(experiment=experiment_by_key(call.project, query.experiment))
    rows, following = page(call, found)
    return DigestList(digests=[_digest(row) for row in rows], next=following)


def show(call: Call) -> DigestAnswer:
    """Return one digest."""
    return _digest(_found(call))


def subscribe(call: Call, body: NewDigest) -> DigestAnswer:
    """Send results to an address."""
    if body.experiment and body.portfolio is not None:
        raise bad_value("A digest is about one thing: give an experiment or a portfolio.", "portfolio")
    experiment = experiment_by_key(call.project, body.experiment) if body.experiment else None
    portfolio = _portfolio_of(call, body.portfolio) if body.portfolio is not None else None
    rhythm = _rhythm(body)
    try:
        made = digests.subscribe(call.project, experiment, body.email, rhythm, None, timezone.now(), portfolio)
    except ValueError as error:
        raise bad_value(str(error), "email") from error
    return _digest(made)


def change(call: Call, body: Schedule) -> DigestAnswer:
    """Give a digest another schedule."""
    return _digest(digests.change(_found(call), _rhythm(body), None, timezone.now()))


def stop(call: Call) -> None:
    """End a digest."""
    digests.stop(_found(call), None, "", timezone.now())


def send(call: Call) -> DeliveryAnswer:
    """Send what a digest would say now."""
    message = queueing.queue_now(_found(call), timezone.now())
    tasks.deliver_soon()
    return answer_of(message)


def portfolio_list(call: Call) -> PortfolioList:
    """List portfolios."""
    found = Portfolio.objects.filter(project=call.project).select_related("owner").prefetch_related("experiments")
    rows, following = page(call, found)
    return PortfolioList(portfolios=[_portfolio(row) for row in rows], next=following)


def portfolio_one(call: Call) -> PortfolioAnswer:
    """Return one portfolio."""
    return _portfolio(_portfolio_of(call, call.args["id"]))


def make_portfolio(call: Call, body: PortfolioBody) -> PortfolioAnswer:
    """Make a portfolio."""
    return _portfolio(portfolios.make(call.project, _wanted(call, body), None))


def change_portfolio(call: Call, body: PortfolioBody) -> PortfolioAnswer:
    """Change a portfolio; what it is made of stays of the same kind."""
    portfolio = _portfolio_of(call, call.args["id"])
    wanted = _wanted(call, body)
    if wanted.kind != portfolio.kind:
        raise bad_value(f"The portfolio is one by {portfolio.kind} and stays so; make another one.", "experiments")
    portfolios.change(portfolio, wanted, None)
    return _portfolio(_portfolio_of(call, portfolio.pk))


def remove_portfolio(call: Call) -> None:
    """Remove a portfolio with its digests."""
    portfolios.remove(_portfolio_of(call, call.args["id"]), None)


def _rhythm(body: Schedule) -> Rhythm:
    try:
        return Rhythm(
            cadence=body.cadence,
            weekday=body.weekday if body.cadence == "weekly" else 0,
            day_of_month=body.day_of_month if body.cadence == "monthly" else 1,
            hour=body.hour,
            time_zone=body.time_zone,
        )
    except ValueError as error:
        raise bad_value(str(error), "time_zone") from error


def _wanted(call: Call, body: PortfolioBody) -> portfolios.Wanted:
    given = [name for name in ("experiments", "owner", "tag") if getattr(body, name)]
    if len(given) != 1:
        raise bad_value(f"Give exactly one of experiments, owner and tag; got {', '.join(given) or 'none'}.", "tag")
    kinds = {"experiments": Portfolio.Kind.CHOSEN, "owner": Portfolio.Kind.OWNER, "tag": Portfolio.Kind.TAG}
    return portfolios.Wanted(
        name=body.name.strip(),
        kind=kinds[given[0]],
        experiments=[experiment_by_key(call.project, key) for key in body.experiments],
        owner=_member(call, body.owner) if body.owner else None,
        tag=body.tag.strip().lower(),
    )


def _member(call: Call, email: str) -> User:
    found = User.objects.filter(email=email.lower(), memberships__project=call.project).first()
    if found is None:
        raise bad_value(f"Project {call.project.slug} has no member {email[:80]!r}.", "owner")
    return found


def _portfolio(row: Portfolio) -> PortfolioAnswer:
    return PortfolioAnswer(
        id=row.pk,
        name=row.name,
        kind=row.kind,
        experiments=sorted(one.key for one in row.experiments.all()),
        owner=row.owner.email if row.owner else None,
        tag=row.tag,
        created_at=row.created_at,
        links={"self": link("/portfolios/{id}", id=row.pk)},
    )


def _portfolio_of(call: Call, primary_key: int) -> Portfolio:
    rows = Portfolio.objects.filter(project=call.project).select_related("project", "owner")
    row = rows.filter(pk=primary_key).first()
    if row is None:
        raise missing(call.project, "portfolio with the id", primary_key)
    return row


def _found(call: Call) -> Digest:
    rows = Digest.objects.filter(project=call.project, unsubscribed_at=None)
    row = rows.select_related("project", "experiment__project", "portfolio").filter(pk=call.args["id"]).first()
    if row is None:
        raise missing(call.project, "digest with the id", call.args["id"])
    return row


ONE, SET = "/digests/{id}", "/portfolios/{id}"
OPERATIONS = [
    Operation(
        method="GET", path="/digests", summary="List digests", handle=index, query=DigestPage, answers=DigestList
    ),
    Operation(
        method="POST", path="/digests", summary="Send results to an address", handle=subscribe, takes=NewDigest,
        answers=DigestAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path=ONE, summary="Read one", handle=show, answers=DigestAnswer),
    Operation(
        method="PUT", path=ONE, summary="Give a digest another schedule", handle=change, takes=Schedule,
        answers=DigestAnswer, current=show,
    ),
    Operation(
        method="DELETE", path=ONE, summary="End a digest", handle=stop, answers=None, status=HTTPStatus.NO_CONTENT,
        current=show,
    ),
    Operation(
        method="POST", path=ONE + "/send", summary="Send one now", handle=send, answers=DeliveryAnswer,
        status=HTTPStatus.ACCEPTED,
    ),
    Operation(
        method="GET", path="/portfolios", summary="List portfolios", handle=portfolio_list, query=Page,
        answers=PortfolioList,
    ),
    Operation(
        method="POST", path="/portfolios", summary="Make a portfolio", handle=make_portfolio, takes=PortfolioBody,
        answers=PortfolioAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path=SET, summary="Read one", handle=portfolio_one, answers=PortfolioAnswer),
    Operation(
        method="PUT", path=SET, summary="Change a portfolio", handle=change_portfolio, takes=PortfolioBody,
        answers=PortfolioAnswer, current=portfolio_one,
    ),
    Operation(
        method="DELETE", path=SET, summary="Remove a portfolio with its digests", handle=remove_portfolio,
        answers=None, status=HTTPStatus.NO_CONTENT, current=portfolio_one,
    ),
]  # fmt: skip
