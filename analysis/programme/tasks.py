"""The programme's tasks; each may be delivered twice, or run in two workers at once."""

import logging

from celery import shared_task
from django.utils import timezone

from analysis.models import ProgrammeReading
from analysis.programme import holdbacks, interactions, readings
from analysis.refreshing import TRANSIENT
from experiments.domain.kinds import ExperimentKind
from experiments.models import Project

logger = logging.getLogger(__name__)
SOFT_LIMIT, HARD_LIMIT = 540, 600


@shared_task(name=readings.TASK, soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def renew_reading(project_id: int, word: str, topic: str = readings.PROXIES) -> None:
    """Answer one question anew, if it is still about older data."""
    project = Project.objects.select_related("north_star").filter(pk=project_id).first()
    if project is not None:
        readings.renew_one(project, topic, word, timezone.now())


@shared_task(name="analysis.scan_interactions", soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def scan_interactions() -> None:
    """Scan the pairs of experiments that are due, project by project; what is left over waits for the next turn."""
    for project in Project.objects.filter(experiments__started_at__isnull=False).distinct():
        try:
            interactions.scan(project, timezone.now())
        except TRANSIENT:
            raise
        except Exception:
            logger.exception("the interactions of project %s could not be scanned", project.slug)


@shared_task(name="analysis.watch_holdbacks", soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def watch_holdbacks() -> None:
    """Hold every holdback to what its launch promised, once another block of time is over."""
    for project in Project.objects.filter(experiments__kind=ExperimentKind.HOLDBACK.value).distinct():
        try:
            holdbacks.watch(project, timezone.now())
        except TRANSIENT:
            raise
        except Exception:
            logger.exception("the holdbacks of project %s could not be read", project.slug)


@shared_task(name="analysis.renew_readings", soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def renew_readings() -> None:
    """Answer anew every question that people have asked lately and that newer data is there for."""
    asked = ProgrammeReading.objects.values("project").distinct()
    for project in Project.objects.filter(pk__in=asked).select_related("north_star"):
        readings.renew(project, timezone.now())
