"""What people do with an alert: take it on, or say that they do not want to hear of it. Both are audited."""

from datetime import datetime

from django.db import transaction

from analysis.models import Alert, AlertMute
from experiments import audit
from experiments.models import User


@transaction.atomic
def acknowledge(alert: Alert, user: User | None, why: str, now: datetime) -> bool:
    """Take an open alert on. Return whether this call did it: False when somebody has, or it is over."""
    columns = {"acknowledged_at": now, "acknowledged_by": user, "acknowledged_why": why[:300]}
    mine = Alert.objects.filter(pk=alert.pk, closed_at__isnull=True, acknowledged_at__isnull=True).update(**columns)
    if mine:
        audit.record(alert.project, user, "alert.acknowledge", subject(alert), after=_facts(alert), why=why)
    return bool(mine)


@transaction.atomic
def hand_back(alert: Alert, user: User | None, why: str) -> bool:
    """Undo an acknowledgement: the alert asks for somebody again."""
    columns = {"acknowledged_at": None, "acknowledged_by": None, "acknowledged_why": ""}
    undone = Alert.objects.filter(pk=alert.pk, acknowledged_at__isnull=False).update(**columns)
    if undone:
        audit.record(alert.project, user, "alert.hand_back", subject(alert), before=_facts(alert), why=why)
    return bool(undone)


@transaction.atomic
def mute(alert: Alert, user: User | None, until: datetime | None, why: str, now: datetime) -> AlertMute:
    """Hear nothing of this thing until then, or with None at all, also when it comes back as another alert."""
    made, _ = AlertMute.objects.update_or_create(
        project=alert.project,
        kind=alert.kind,
        key=alert.key,
        defaults={"until": until, "why": why[:300], "muted_by": user, "muted_at": now},
    )
    after = {**_facts(alert), "until": until.isoformat() if until else "for good"}
    audit.record(alert.project, user, "alert.mute", subject(alert), after=after, why=why)
    return made


@transaction.atomic
def unmute(alert: Alert, user: User | None) -> bool:
    """Hear of this thing again. Return whether it was muted."""
    gone, _ = AlertMute.objects.filter(project=alert.project, kind=alert.kind, key=alert.key).delete()
    if gone:
        audit.record(alert.project, user, "alert.unmute", subject(alert), before=_facts(alert))
    return bool(gone)


def subject(alert: Alert) -> str:
    """Return what the audit calls the alert's subject: its experiment, so that it stands in that one's history."""
    return f"experiment:{alert.experiment.key}" if alert.experiment else f"alert:{alert.kind}"[:120]


def _facts(alert: Alert) -> dict[str, object]:
    return {"kind": alert.kind, "key": alert.key, "sentence": alert.sentence}
