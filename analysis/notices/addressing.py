"""Who hears of an occurrence, by which way, and not before when."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from analysis.alerts.kinds import Severity
from analysis.alerts.listing import is_muted
from analysis.models import Follow, Notice, Occurrence, Recipient, Webhook
from analysis.notices import agreeing
from analysis.notices.kinds import ALARMS, Channel, OccurrenceKind, channel_of
from analysis.notices.quiet import QuietHours, next_allowed
from experiments.domain.access import Role
from experiments.models import Experiment, Membership, Project, User

GATHER = timedelta(minutes=2)
"""What follows from one click (an end, its result, a loss avoided) is noticed within two runs of the schedule."""


def address_new(now: datetime) -> int:
    """Give every new occurrence to those who want to hear of it. Return how many notices were made."""
    made = 0
    for primary_key in list(Occurrence.objects.filter(addressed_at=None).order_by("pk").values_list("pk", flat=True)):
        made += _address(primary_key, now)
    return made


def owner_of(experiment: Experiment) -> User | None:
    """Return who answers for an experiment: its owner, else whoever created it, if still in the project."""
    person = experiment.owner or experiment.created_by
    if person is None or not person.is_active:
        return None
    member = Membership.objects.filter(project=experiment.project_id, user=person).exists()
    return person if member else None


def recipient_for(project: Project, email: str) -> Recipient:
    """Return the recipient of an address, made where there is none."""
    return Recipient.objects.get_or_create(project=project, email=email.lower())[0]


def quiet_hours(recipient: Recipient) -> QuietHours:
    """Return when not to ring at this recipient's."""
    return QuietHours(
        time_zone=recipient.time_zone,
        start=recipient.quiet_from,
        end=recipient.quiet_until,
        weekends=recipient.quiet_weekends,
    )


def earliest(recipient: Recipient, severity: Severity, now: datetime) -> datetime:
    """Return when a recipient may be told of something: gathered a little, and outside of quiet hours."""
    urgent = severity is Severity.URGENT
    at = now if urgent else now + GATHER
    return at if urgent and recipient.alarms_at_any_hour else next_allowed(quiet_hours(recipient), at)


@transaction.atomic
def _address(primary_key: int, now: datetime) -> int:
    # Another worker has a locked row in hand.
    mine = Occurrence.objects.select_for_update(skip_locked=True, of=("self",)).filter(addressed_at=None)
    occurrence = mine.select_related("project", "alert", "experiment").filter(pk=primary_key).first()
    if occurrence is None:
        return 0
    notices = (
        [] if occurrence.alert is not None and is_muted(occurrence.alert, now) else list(_notices(occurrence, now))
    )
    Notice.objects.bulk_create(notices, ignore_conflicts=True)
    Occurrence.objects.filter(pk=primary_key).update(addressed_at=now)
    return len(notices)


def _notices(occurrence: Occurrence, now: datetime) -> Iterator[Notice]:
    kind, severity = OccurrenceKind(occurrence.kind), Severity(occurrence.severity)
    soon = now if severity is Severity.URGENT else now + GATHER
    for hook in _webhooks(occurrence):
        yield Notice(occurrence=occurrence, webhook=hook, not_before=soon, created_at=now)
    for recipient in _recipients(occurrence):
        match channel_of(recipient.channels, kind):
            case Channel.EMAIL if not recipient.digest_only and recipient.disabled_at is None:
                at = earliest(recipient, severity, now)
                yield Notice(occurrence=occurrence, recipient=recipient, not_before=at, created_at=now)
            case Channel.WEBHOOK if recipient.webhook is not None and recipient.webhook.disabled_at is None:
                at = earliest(recipient, severity, now)
                yield Notice(occurrence=occurrence, webhook=recipient.webhook, not_before=at, created_at=now)


def _webhooks(occurrence: Occurrence) -> list[Webhook]:
    about = Q(experiment__isnull=True)
    if occurrence.experiment_id is not None:
        about |= Q(experiment=occurrence.experiment_id)
    wanted = Q(kinds=[]) | Q(kinds__contains=[occurrence.kind])
    in_force = Webhook.objects.filter(disabled_at=None, removed_at=None, is_personal=False)
    return list(in_force.filter(about, wanted, project=occurrence.project_id))


def _recipients(occurrence: Occurrence) -> list[Recipient]:
    """Return who follows the experiment or everything, and its owner; of what has no experiment at least the admins.

    Whom somebody needs for a decision is told of it although they follow nothing, and who asks is not.
    """
    follows = Follow.objects.filter(
        Q(experiment=occurrence.experiment_id) | Q(experiment__isnull=True), recipient__project=occurrence.project_id
    ).select_related("recipient__webhook")
    # What was said of the experiment itself counts before what was said of everything.
    said = {follow.recipient_id: follow for follow in sorted(follows, key=lambda one: one.experiment_id is not None)}
    found = {pk: follow.recipient for pk, follow in said.items() if not follow.is_muted}
    for person in _answering(occurrence, anybody=bool(found)):
        recipient = recipient_for(occurrence.project, person.email)
        if recipient.pk not in said:
            found[recipient.pk] = recipient
    asked_by = agreeing.asked_by(occurrence) if occurrence.kind == OccurrenceKind.AGREEMENT else ""
    return [one for one in found.values() if one.unsubscribed_at is None and one.email != asked_by]


def _answering(occurrence: Occurrence, *, anybody: bool) -> list[User]:
    if occurrence.kind == OccurrenceKind.AGREEMENT:
        return agreeing.reviewers(occurrence)
    if occurrence.experiment is not None:
        owner = owner_of(occurrence.experiment)
        return [owner] if owner else []
    if anybody or OccurrenceKind(occurrence.kind) not in ALARMS:
        return []
    admins = Membership.objects.filter(project=occurrence.project_id, role=Role.ADMIN.value, user__is_active=True)
    return [membership.user for membership in admins.select_related("user")]
