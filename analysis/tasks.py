"""The analysis tasks that Celery runs; each may be delivered twice, or run in two workers at once."""

import logging

from celery import Task, shared_task
from django.db.models import F, Q
from django.utils import timezone

from analysis import certifying, refreshing
from analysis.bandits import moving
from analysis.bots import flagging
from analysis.designed import readers
from analysis.models import FoldedExperiment
from analysis.refreshing import HARD_LIMIT, SOFT_LIMIT, TRANSIENT
from analysis.rollup import retention
from analysis.rollup.fold import fold
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Project

logger = logging.getLogger(__name__)


@shared_task(name="analysis.refresh_running", soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def refresh_running() -> None:
    """Fold what has arrived, then look at every experiment that may have something new to say."""
    with refreshing.only_schedule() as is_ours:
        if not is_ours:
            return
        fold()
        for experiment in _candidates():
            _refresh_one(experiment)
        refreshing.take_over_left_lying(timezone.now())


@shared_task(name=refreshing.TASK, bind=True, max_retries=3, soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def refresh_experiment(self: Task, run_id: int) -> None:  # type: ignore[type-arg]
    """Do one refresh run; a database that does not answer is asked again after 2, 4 and 8 seconds."""
    try:
        refreshing.perform(run_id)
    except TRANSIENT as error:
        if self.request.retries < 3:
            raise self.retry(exc=error, countdown=2 ** (self.request.retries + 1)) from error
        refreshing.fail(run_id, "The database did not answer, four times in a row.")


@shared_task(name="analysis.move_bandits", soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def move_bandits() -> None:
    """Fold what has arrived and move the shares of bandits whose batch is over; run twice, each moves once."""
    if moving.any_due(timezone.now()):
        fold()
        moving.move_due()


@shared_task(name="analysis.drop_old_events", soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def drop_old_events() -> None:
    """Drop the days of the log that are past their retention and that nothing can need any more."""
    for partition in retention.drop_expired(timezone.now()):
        logger.info("dropped %s: %s events past their retention", partition.name, partition.rows)


@shared_task(name="analysis.flag_bots", soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def flag_bots() -> None:
    """Count units' events on the days that are over; run twice, the second finds nothing new."""
    flagging.flag(timezone.now())


@shared_task(name="analysis.certify_metrics", soft_time_limit=SOFT_LIMIT, time_limit=HARD_LIMIT)
def certify_metrics(project_id: int, metric_ids: list[int]) -> None:
    """Replay metrics that have no certificate yet; run twice, the second finds them certified."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        return
    known = certifying.newest(project)
    wanted = [metric for metric in project.metrics.filter(pk__in=metric_ids) if metric.pk not in known]
    certifying.certify(project, wanted)


def _candidates() -> list[Experiment]:
    """Return running experiments, and stopped ones with late events that no result shows yet."""
    unshown = FoldedExperiment.objects.filter(Q(shown_changes__isnull=True) | ~Q(shown_changes=F("changes"))).values(
        "pk"
    )
    candidates = Experiment.objects.filter(Q(status=Status.RUNNING.value) | Q(pk__in=unshown), started_at__isnull=False)
    return list(candidates.select_related("project"))


def _refresh_one(experiment: Experiment) -> None:
    """Refresh one experiment; its failure must not keep the others waiting."""
    try:
        readers.refresh_if_due(experiment, timezone.now())
    except TRANSIENT:
        raise
    except Exception as error:
        logger.exception("the scheduled refresh of experiment %s failed", experiment.pk)
        refreshing.record_failure(experiment, refreshing.in_plain_words(error, f"experiment {experiment.pk}"))
