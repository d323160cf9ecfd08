"""Subscriptions: who gets which results when. Anyone with an e-mail address can be a recipient."""

from datetime import datetime
from typing import cast

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet

from analysis.mail.schedule import Cadence, Rhythm, next_due
from analysis.models import Digest, OutboxMessage, Portfolio, Recipient
from experiments import audit
from experiments.models import Experiment, Project, User

STOPPED = "Not sent: the digest was stopped before the message left."
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def rhythm_of(digest: Digest) -> Rhythm:
    """Return the schedule of a stored digest."""
    return Rhythm(
        cadence=cast("Cadence", digest.cadence),
        weekday=digest.weekday,
        day_of_month=digest.day_of_month,
        hour=digest.hour,
        time_zone=digest.time_zone,
    )


def describe(rhythm: Rhythm) -> str:
    """Say a schedule in words."""
    match rhythm.cadence:
        case "milestones":
            return "at milestones: a start, an answer, an end, a shipment"
        case "monthly":
            last = rhythm.day_of_month > 28
            day = f"month on day {rhythm.day_of_month}{' (or the last)' if last else ''}"
        case "weekly":
            day = WEEKDAYS[rhythm.weekday]
        case _:
            day = "day"
    return f"every {day} at {rhythm.hour:02d}:00 ({rhythm.time_zone})"


def active(
    project: Project, experiment: Experiment | None, portfolio: Portfolio | None = None
) -> "QuerySet[Digest, Digest]":
    """Return the digests that still go out: the experiment's, the portfolio's, or with None the whole project's."""
    about = {"experiment": experiment, "portfolio": portfolio}
    return Digest.objects.filter(project=project, unsubscribed_at__isnull=True, **about).order_by("email")


def normalised(email: str) -> str:
    """Return the address in lower case, or refuse what cannot be an address."""
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError as error:
        raise ValueError(f"The e-mail address is {email!r}; it must look like ada@example.com.") from error
    return address


@transaction.atomic
def subscribe(
    project: Project,
    experiment: Experiment | None,
    email: str,
    rhythm: Rhythm,
    user: User | None,
    now: datetime,
    portfolio: Portfolio | None = None,
) -> Digest:
    """Send results to this address from now on; an address that already gets them changes its schedule."""
    address = normalised(email)
    Recipient.objects.get_or_create(project=project, email=address, defaults={"time_zone": rhythm.time_zone})
    # One insert and no look before it: of two people who add an address at once, the second changes the first's row.
    digest, created = active(project, experiment, portfolio).get_or_create(
        email=address,
        defaults={
            "project": project,
            "experiment": experiment,
            "portfolio": portfolio,
            "next_due_at": next_due(rhythm, now),
            "told_up_to": now,
            "created_by": user,
            **_columns(rhythm),
        },
    )
    if created:
        audit.record(project, user, "digest.subscribe", _subject(digest), after=_facts(digest))
        return digest
    return change(digest, rhythm, user, now)


@transaction.atomic
def change(digest: Digest, rhythm: Rhythm, user: User | None, now: datetime) -> Digest:
    """Give a digest another schedule; the same schedule again changes nothing."""
    before = _facts(digest)
    if rhythm_of(digest) == rhythm:
        return digest
    for column, value in _columns(rhythm).items():
        setattr(digest, column, value)
    digest.next_due_at = next_due(rhythm, now)
    digest.save(update_fields=[*_columns(rhythm), "next_due_at"])
    audit.record(digest.project, user, "digest.change", _subject(digest), before=before, after=_facts(digest))
    return digest


@transaction.atomic
def stop(digest: Digest, user: User | None, why: str, now: datetime) -> bool:
    """End a digest for good, with what waits in the outbox. Return whether this call did it."""
    stopped = Digest.objects.filter(pk=digest.pk, unsubscribed_at__isnull=True).update(unsubscribed_at=now)
    if not stopped:
        return False
    OutboxMessage.objects.filter(digest=digest, state=OutboxMessage.State.WAITING).update(
        state=OutboxMessage.State.FAILED, error=STOPPED
    )
    audit.record(digest.project, user, "digest.stop", _subject(digest), before=_facts(digest), why=why)
    return True


def _columns(rhythm: Rhythm) -> dict[str, str | int]:
    return {
        "cadence": rhythm.cadence,
        "weekday": rhythm.weekday,
        "day_of_month": rhythm.day_of_month,
        "hour": rhythm.hour,
        "time_zone": rhythm.time_zone,
    }


def _facts(digest: Digest) -> dict[str, object]:
    about = {"portfolio": digest.portfolio.name} if digest.portfolio else {}
    return {"email": digest.email, "schedule": describe(rhythm_of(digest)), **about}


def _subject(digest: Digest) -> str:
    return f"experiment:{digest.experiment.key}" if digest.experiment else "project"
