"""Tell those who follow an experiment that its scores have moved for two days in a row, and when that is over."""

import logging
from datetime import datetime

from django.db.models import Exists, OuterRef

from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.raising import close_alert, raise_alert
from analysis.drifting.reading import OfVariant, Reading, read
from analysis.drifting.wording import alert_sentence, finding
from analysis.models import Alert, UnitScore
from analysis.refreshing import TRANSIENT
from analysis.stats.drift import DriftSize
from experiments.domain.lifecycle import LIVE
from experiments.models import Experiment

logger = logging.getLogger(__name__)
PREFIX = "drift/"


def watch(now: datetime) -> int:
    """Look at every live experiment with scores. Return how many variants have drifted."""
    scores = UnitScore.objects.filter(experiment=OuterRef("pk"))
    live = Experiment.objects.filter(Exists(scores), status__in=[status.value for status in LIVE])
    drifted = 0
    for experiment in live.select_related("project").order_by("pk"):
        try:
            drifted += _look(experiment, now)
        except TRANSIENT:
            raise
        except Exception:
            logger.exception("the scores of experiment %s could not be compared", experiment.pk)
    _close_ended(now)
    return drifted


def told(experiment: Experiment) -> list[Alert]:
    """Return what is said of an experiment's scores right now, the worst first."""
    opened = Alert.objects.filter(experiment=experiment, kind=AlertKind.DATA_QUALITY, closed_at__isnull=True)
    found = list(opened.filter(key__startswith=PREFIX).order_by("pk"))
    return sorted(found, key=lambda one: one.severity == Severity.NOTE)


def _look(experiment: Experiment, now: datetime) -> int:
    found = read(experiment, now)
    moved = {_key(experiment, one): one for one in found.drifted} if isinstance(found, Reading) else {}
    opened = Alert.objects.filter(experiment=experiment, kind=AlertKind.DATA_QUALITY, closed_at__isnull=True)
    for key in set(opened.filter(key__startswith=PREFIX).values_list("key", flat=True)) - moved.keys():
        because = "Scores spread as in the launch week again, or too few come to say."
        close_alert(experiment.project, AlertKind.DATA_QUALITY, key, because=because, now=now)
    if not isinstance(found, Reading):
        return 0
    for key, one in moved.items():
        raise_alert(
            experiment.project,
            AlertKind.DATA_QUALITY,
            key,
            alert_sentence(experiment.name, one),
            what_to_do=finding(found).what_to_do,
            severity=Severity.WARNING if one.lasting is DriftSize.LARGE else Severity.NOTE,
            experiment=experiment,
            now=now,
        )
    return len(moved)


def _close_ended(now: datetime) -> None:
    """Close what was open of experiments that no longer run."""
    opened = Alert.objects.filter(kind=AlertKind.DATA_QUALITY, key__startswith=PREFIX, closed_at__isnull=True)
    ended = opened.exclude(experiment__status__in=[status.value for status in LIVE])
    ended.update(closed_at=now, closed_because="The experiment ended.")


def _key(experiment: Experiment, one: OfVariant) -> str:
    return f"{PREFIX}{experiment.key}/{experiment.phase}/{one.variant.key}"
