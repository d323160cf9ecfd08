"""Write down that something happened: once, whoever notices it and however often."""

from datetime import datetime

from django.utils import timezone

from analysis.alerts.kinds import Severity
from analysis.models import Alert, Occurrence, ResultSnapshot
from analysis.notices.kinds import OccurrenceKind
from experiments.models import Experiment, Project

TONES = {Severity.URGENT: "bad", Severity.WARNING: "warn", Severity.NOTE: "flat"}
Facts = list[tuple[str, str]]


def occurred(
    project: Project,
    kind: OccurrenceKind,
    key: str,
    sentence: str,
    *,
    happened_at: datetime,
    experiment: Experiment | None = None,
    severity: Severity = Severity.NOTE,
    tone: str = "flat",
    explanation: str = "",
    next_step: str = "",
    facts: Facts | None = None,
    alert: Alert | None = None,
    snapshot: ResultSnapshot | None = None,
    now: datetime | None = None,
) -> Occurrence:
    """Return the occurrence of this key, written down now unless it was before."""
    made, _ = Occurrence.objects.get_or_create(
        project=project,
        kind=kind.value,
        key=key[:200],
        defaults={
            "experiment": experiment,
            "severity": severity.value,
            "tone": tone,
            "sentence": sentence[:300],
            "explanation": explanation[:1000],
            "next_step": next_step[:500],
            "facts": [[label, text] for label, text in facts or []],
            "alert": alert,
            "snapshot": snapshot,
            "happened_at": happened_at,
            "noticed_at": now or timezone.now(),
        },
    )
    return made


def of_alert(alert: Alert, now: datetime) -> Occurrence:
    """Write down that an alert opened or grew more severe, for those who want to hear of it."""
    severity = Severity(alert.severity)
    return occurred(
        alert.project,
        OccurrenceKind(alert.kind),
        f"alert:{alert.pk}:{severity.value}",
        alert.sentence,
        happened_at=now,
        experiment=alert.experiment,
        severity=severity,
        tone=TONES[severity],
        next_step=alert.what_to_do,
        alert=alert,
        now=now,
    )
