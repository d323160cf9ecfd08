"""Links that show one experiment's results to people without an account: made, found by their token, ended."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from analysis.models import ResultSnapshot, ShareLink
from experiments import audit
from experiments.models import Experiment, User

LONGEST_DAYS = 366


@transaction.atomic
def share(
    experiment: Experiment, user: User | None, purpose: str, days: int, now: datetime, snapshot: ResultSnapshot | None
) -> tuple[ShareLink, str]:
    """Make a link and return it with its token, which is kept nowhere; ``snapshot`` None shows the newest results.

    Raises
    ------
    ValueError
        When it would last less than a day or more than a year.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise ValueError(f"a link lasts 1 to {LONGEST_DAYS} days; got {days}")
    token = secrets.token_urlsafe(32)
    link = ShareLink.objects.create(
        experiment=experiment, snapshot=snapshot, digest=digest_of(token), purpose=purpose, created_by=user,
        created_at=now, expires_at=now + timedelta(days=days),
    )  # fmt: skip
    shown = "the newest results" if snapshot is None else f"result {snapshot.pk}"
    after = {"link": link.pk, "for": purpose, "shows": shown, "until": link.expires_at.isoformat()}
    audit.record(experiment.project, user, "experiment.share", f"experiment:{experiment.key}", after=after)
    return link, token


def digest_of(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def found(token: str) -> ShareLink | None:
    """Return the link with this token, ended ones included."""
    links = ShareLink.objects.select_related("experiment__project", "snapshot")
    return links.filter(digest=digest_of(token)).first()


def is_open(link: ShareLink, now: datetime) -> bool:
    """Say whether the link still shows anything."""
    return link.revoked_at is None and now < link.expires_at


def note_opening(link: ShareLink, now: datetime) -> None:
    """Count that somebody opened it."""
    ShareLink.objects.filter(pk=link.pk).update(opened=F("opened") + 1, opened_at=now)


@transaction.atomic
def revoke(link: ShareLink, user: User | None, now: datetime) -> bool:
    """End a link at once; return whether it was open to the caller's knowledge."""
    if not ShareLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=now):
        return False
    experiment = link.experiment
    audit.record(
        experiment.project, user, "experiment.unshare", f"experiment:{experiment.key}",
        after={"link": link.pk, "for": link.purpose},
    )  # fmt: skip
    return True
