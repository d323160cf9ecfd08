"""Tell those who follow an experiment that its exposures and events do not meet, and when that is over."""

import logging
from datetime import datetime

from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.raising import close_alert, raise_alert
from analysis.joining.reading import read
from analysis.joining.wording import findings
from analysis.models import Alert
from analysis.refreshing import TRANSIENT
from analysis.stats.unavailable import NotComputable
from experiments.domain.lifecycle import LIVE
from experiments.models import Experiment

logger = logging.getLogger(__name__)
PREFIX = "joining/"
OVER = "Exposures and events meet again."


def watch(now: datetime) -> int:
    """Look at every live experiment. Return how many things are wrong."""
    live = Experiment.objects.filter(status__in=[status.value for status in LIVE], design={}, folded__isnull=False)
    wrong = 0
    for experiment in live.select_related("project").order_by("pk"):
        try:
            wrong += _look(experiment, now)
        except TRANSIENT:
            raise
        except Exception:
            logger.exception("exposures and events of experiment %s could not be compared", experiment.pk)
    opened = Alert.objects.filter(kind=AlertKind.DATA_QUALITY, key__startswith=PREFIX, closed_at__isnull=True)
    ended = opened.exclude(experiment__status__in=[status.value for status in LIVE])
    ended.update(closed_at=now, closed_because="The experiment ended.")
    return wrong


def _look(experiment: Experiment, now: datetime) -> int:
    joining = read(experiment, now)
    found = [] if isinstance(joining, NotComputable) else findings(joining)
    wrong = {f"{PREFIX}{experiment.key}/{experiment.phase}/{one.key}": one for one in found}
    opened = Alert.objects.filter(experiment=experiment, key__startswith=PREFIX, closed_at__isnull=True)
    for key in set(opened.values_list("key", flat=True)) - wrong.keys():
        close_alert(experiment.project, AlertKind.DATA_QUALITY, key, because=OVER, now=now)
    for key, one in wrong.items():
        raise_alert(
            experiment.project,
            AlertKind.DATA_QUALITY,
            key,
            f"{experiment.name}: {one.sentence}",
            what_to_do=one.what_to_do,
            severity=Severity.WARNING,
            experiment=experiment,
            now=now,
        )
    return len(wrong)
