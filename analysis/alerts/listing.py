"""Which alerts a project has: those that ask for somebody, those taken on, muted, and lately over."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from analysis.alerts.kinds import SEVERITY_RANK, Severity
from analysis.models import Alert, AlertMute
from experiments.models import Experiment, Project

RECENT = timedelta(days=14)
MOST_RECENT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A project's alerts by what they ask for."""

    asking: list[Alert] = field(default_factory=list)
    taken: list[Alert] = field(default_factory=list)
    muted: list[Alert] = field(default_factory=list)
    over: list[Alert] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        """Say whether nothing at all is wrong, and nothing was lately."""
        return not (self.asking or self.taken or self.muted or self.over)


def asking(project: Project, now: datetime, experiment: Experiment | None = None) -> "QuerySet[Alert, Alert]":
    """Return the open alerts that nobody has taken on and nobody muted."""
    mute = _in_force(now).filter(project=OuterRef("project"), kind=OuterRef("kind"), key=OuterRef("key"))
    found = _of(project, experiment).filter(closed_at__isnull=True, acknowledged_at__isnull=True)
    return found.filter(~Exists(mute))


def is_muted(alert: Alert, now: datetime) -> bool:
    """Say whether nobody wants to hear of this alert now."""
    return _in_force(now).filter(project=alert.project_id, kind=alert.kind, key=alert.key).exists()


def listed(project: Project, now: datetime, experiment: Experiment | None = None) -> Listed:
    """Return the open alerts, the most severe first, and those that ended lately."""
    found = _of(project, experiment)
    mutes = set(_in_force(now).filter(project=project).values_list("kind", "key"))
    opened = sorted(found.filter(closed_at__isnull=True), key=_rank)
    heard = [one for one in opened if (one.kind, one.key) not in mutes]
    return Listed(
        asking=[one for one in heard if one.acknowledged_at is None],
        taken=[one for one in heard if one.acknowledged_at is not None],
        muted=[one for one in opened if (one.kind, one.key) in mutes],
        over=list(found.filter(closed_at__gt=now - RECENT).order_by("-closed_at")[:MOST_RECENT]),
    )


def _of(project: Project, experiment: Experiment | None) -> "QuerySet[Alert, Alert]":
    found = Alert.objects.filter(project=project).select_related("experiment", "acknowledged_by")
    return found if experiment is None else found.filter(experiment=experiment)


def _in_force(now: datetime) -> "QuerySet[AlertMute, AlertMute]":
    return AlertMute.objects.filter(Q(until__isnull=True) | Q(until__gt=now))


def _rank(alert: Alert) -> tuple[int, float]:
    return -SEVERITY_RANK[Severity(alert.severity)], -alert.opened_at.timestamp()
