"""Raise and close alerts. Whoever finds that something is wrong calls ``raise_alert`` as often as it finds it.

A thing is named by its kind and a key such as ``"new-ranker/page-latency/treatment"``. The same thing found again
changes its words alone; people are told of news. A thing that comes back within ``SAME_EPISODE`` of its end is the
same episode, so that a value that swings around a threshold does not ring the bell at every swing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from analysis.alerts.kinds import SEVERITY_RANK, AlertKind, Severity
from analysis.models import Alert
from analysis.notices.occurring import of_alert
from experiments.models import Experiment, Project

SAME_EPISODE = timedelta(hours=6)
"""A working day's half: whoever was told in the morning knows it still, and needs no second bell before noon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An open alert, and whether this call is news: opened now, or grown more severe."""

    alert: Alert
    is_news: bool


@transaction.atomic
def raise_alert(
    project: Project,
    kind: AlertKind,
    key: str,
    sentence: str,
    *,
    what_to_do: str = "",
    severity: Severity = Severity.WARNING,
    experiment: Experiment | None = None,
    now: datetime | None = None,
) -> Raised:
    """Say that something is wrong; the same thing again, also from two workers at once, keeps one open alert."""
    at = now or timezone.now()
    words = {"sentence": sentence[:300], "what_to_do": what_to_do[:500], "severity": severity.value}
    thing = {"project": project, "kind": kind.value, "key": key[:200]}
    _reopen_recent(thing, at)
    alert, made = Alert.objects.get_or_create(
        **thing, closed_at=None, defaults={**words, "experiment": experiment, "opened_at": at, "seen_at": at}
    )
    if made:
        of_alert(alert, at)
        return Raised(alert=alert, is_news=True)
    worse = SEVERITY_RANK[severity] > SEVERITY_RANK[Severity(alert.severity)]
    _say_again(alert, words, at, worse=worse)
    if worse:
        of_alert(alert, at)
    return Raised(alert=alert, is_news=worse)


@transaction.atomic
def close_alert(project: Project, kind: AlertKind, key: str, *, because: str = "", now: datetime | None = None) -> bool:
    """Say that it is over. Return whether this call ended it: False where nothing was open."""
    opened = Alert.objects.filter(project=project, kind=kind.value, key=key[:200], closed_at__isnull=True)
    return bool(opened.update(closed_at=now or timezone.now(), closed_because=because[:300]))


def close_others(
    project: Project,
    kind: AlertKind,
    still_wrong: set[str],
    *,
    experiment: Experiment | None = None,
    because: str = "",
    now: datetime | None = None,
) -> int:
    """Close every open alert of this kind (of the experiment, if given) whose key is not among those still wrong."""
    opened = Alert.objects.filter(project=project, kind=kind.value, closed_at__isnull=True)
    if experiment is not None:
        opened = opened.filter(experiment=experiment)
    over = opened.exclude(key__in=[key[:200] for key in still_wrong])
    return over.update(closed_at=now or timezone.now(), closed_because=because[:300])


def _reopen_recent(thing: Mapping[str, Project | str], at: datetime) -> None:
    """Open the newest alert of this thing again, if it ended a short while ago and none is open."""
    if Alert.objects.filter(**thing, closed_at__isnull=True).exists():
        return
    recent = Alert.objects.filter(**thing, closed_at__gt=at - SAME_EPISODE).order_by("-closed_at")
    last = recent.select_for_update().first()
    # Whoever waited for the row finds it open: the condition is looked at once more.
    if last is not None and last.closed_at is not None:
        Alert.objects.filter(pk=last.pk, closed_at__isnull=False).update(
            closed_at=None, closed_because="", reopened=last.reopened + 1
        )


def _say_again(alert: Alert, words: dict[str, str], at: datetime, *, worse: bool) -> None:
    columns: dict[str, object] = {**words, "seen_at": at}
    if worse:  # what was taken on was less than this
        columns |= {"acknowledged_at": None, "acknowledged_by": None, "acknowledged_why": ""}
    for name, value in columns.items():
        setattr(alert, name, value)
    alert.save(update_fields=list(columns))
