"""Alerts over the API: list, take on, hand back, mute; and everything that happened."""

from datetime import datetime, timedelta
from typing import Annotated

from django.utils import timezone
from msgspec import Meta, Struct

from analysis.alerts import answering
from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.listing import is_muted
from analysis.models import Alert, Occurrence
from analysis.notices.kinds import OccurrenceKind
from experiments.api.answers import conflict
from experiments.api.fields import Taken, Why, WhyOnly
from experiments.api.finding import experiment_by_key, missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation, link


class AlertAnswer(Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or was. ``closed_at`` None is still wrong."""

    id: int
    kind: AlertKind
    key: str
    severity: Severity
    sentence: str
    what_to_do: str
    experiment: str | None
    opened_at: datetime
    seen_at: datetime
    closed_at: datetime | None
    closed_because: str
    reopened: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_why: str
    muted: bool
    links: dict[str, str]


class AlertList(Struct, frozen=True, kw_only=True):
    """A page of alerts, newest first."""

    alerts: list[AlertAnswer]
    next: str | None


class AlertPage(Page, frozen=True, kw_only=True):
    """Which alerts: open ones unless ``open`` is false."""

    open: bool | None = None
    kind: AlertKind | None = None
    experiment: str = ""


class Mute(Taken, frozen=True, kw_only=True):
    """For how many days nobody wants to hear of it; 0 is for good."""

    days: Annotated[int, Meta(ge=0, le=366)] = 7
    why: Why = ""


class OccurrenceAnswer(Struct, frozen=True, kw_only=True):
    """Something that happened, once."""

    id: int
    kind: OccurrenceKind
    sentence: str
    explanation: str
    next_step: str
    severity: Severity
    tone: str
    experiment: str | None
    alert: int | None
    snapshot: int | None
    happened_at: datetime
    noticed_at: datetime


class OccurrenceList(Struct, frozen=True, kw_only=True):
    """A page of what happened, what was noticed last first."""

    occurrences: list[OccurrenceAnswer]
    next: str | None


class OccurrencePage(Page, frozen=True, kw_only=True):
    """Which occurrences."""

    kind: OccurrenceKind | None = None
    experiment: str = ""


def _alert(row: Alert) -> AlertAnswer:
    return AlertAnswer(
        id=row.pk,
        kind=AlertKind(row.kind),
        key=row.key,
        severity=Severity(row.severity),
        sentence=row.sentence,
        what_to_do=row.what_to_do,
        experiment=row.experiment.key if row.experiment else None,
        opened_at=row.opened_at,
        seen_at=row.seen_at,
        closed_at=row.closed_at,
        closed_because=row.closed_because,
        reopened=row.reopened,
        acknowledged_at=row.acknowledged_at,
        acknowledged_by=row.acknowledged_by.email if row.acknowledged_by else None,
        acknowledged_why=row.acknowledged_why,
        muted=is_muted(row, timezone.now()),
        links={"self": link("/alerts/{id}", id=row.pk)},
    )


def alert_list(call: Call) -> AlertList:
    """List alerts."""
    query: AlertPage = call.query
    found = Alert.objects.filter(project=call.project).select_related("experiment", "acknowledged_by", "project")
    if query.open is not None:
        found = found.filter(closed_at__isnull=query.open)
    if query.kind is not None:
        found = found.filter(kind=query.kind.value)
    if query.experiment:
        found = found.filter(experiment=experiment_by_key(call.project, query.experiment))
    rows, following = page(call, found)
    return AlertList(alerts=[_alert(row) for row in rows], next=following)


def alert_one(call: Call) -> AlertAnswer:
    """Return one alert."""
    return _alert(_found(call))


def acknowledge(call: Call, body: WhyOnly) -> AlertAnswer:
    """Take an alert on."""
    if not answering.acknowledge(_found(call), None, body.why, timezone.now()):
        raise conflict("It is over, or somebody has taken it on already.")
    return _alert(_found(call))


def hand_back(call: Call, body: WhyOnly) -> AlertAnswer:
    """Give an alert back to everyone."""
    if not answering.hand_back(_found(call), None, body.why):
        raise conflict("Nobody has taken it on.")
    return _alert(_found(call))


def mute(call: Call, body: Mute) -> AlertAnswer:
    """Hear nothing of it for a while."""
    now = timezone.now()
    until = now + timedelta(days=body.days) if body.days else None
    answering.mute(_found(call), None, until, body.why, now)
    return _alert(_found(call))


def unmute(call: Call) -> AlertAnswer:
    """Hear of it again."""
    answering.unmute(_found(call), None)
    return _alert(_found(call))


def occurrence_list(call: Call) -> OccurrenceList:
    """List what happened."""
    query: OccurrencePage = call.query
    found = Occurrence.objects.filter(project=call.project).select_related("experiment")
    if query.kind is not None:
        found = found.filter(kind=query.kind.value)
    if query.experiment:
        found = found.filter(experiment=experiment_by_key(call.project, query.experiment))
    rows, following = page(call, found)
    return OccurrenceList(occurrences=[_occurrence(row) for row in rows], next=following)


def _occurrence(row: Occurrence) -> OccurrenceAnswer:
    return OccurrenceAnswer(
        id=row.pk,
        kind=OccurrenceKind(row.kind),
        sentence=row.sentence,
        explanation=row.explanation,
        next_step=row.next_step,
        severity=Severity(row.severity),
        tone=row.tone,
        experiment=row.experiment.key if row.experiment else None,
        alert=row.alert_id,
        snapshot=row.snapshot_id,
        happened_at=row.happened_at,
        noticed_at=row.noticed_at,
    )


def _found(call: Call) -> Alert:
    rows = Alert.objects.filter(project=call.project).select_related("project", "experiment", "acknowledged_by")
    row = rows.filter(pk=call.args["id"]).first()
    if row is None:
        raise missing(call.project, "alert with the id", call.args["id"])
    return row


ONE = "/alerts/{id}"
OPERATIONS = [
    Operation(
        method="GET", path="/alerts", summary="List alerts", handle=alert_list, query=AlertPage, answers=AlertList
    ),
    Operation(method="GET", path=ONE, summary="Read one", handle=alert_one, answers=AlertAnswer),
    Operation(
        method="POST", path=ONE + "/acknowledge", summary="Take an alert on", handle=acknowledge, takes=WhyOnly,
        answers=AlertAnswer,
    ),
    Operation(
        method="POST", path=ONE + "/hand-back", summary="Give an alert back", handle=hand_back, takes=WhyOnly,
        answers=AlertAnswer,
    ),
    Operation(
        method="PUT", path=ONE + "/mute", summary="Hear nothing of it for a while", handle=mute, takes=Mute,
        answers=AlertAnswer,
    ),
    Operation(method="DELETE", path=ONE + "/mute", summary="Hear of it again", handle=unmute, answers=AlertAnswer),
    Operation(
        method="GET", path="/occurrences", summary="List what happened", handle=occurrence_list, query=OccurrencePage,
        answers=OccurrenceList,
    ),
]  # fmt: skip
