"""Refresh runs: asked for by a person or an API, worked off by a worker, watched while they go."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from billiard.exceptions import SoftTimeLimitExceeded
from celery import current_app
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from analysis import pipeline
from analysis.designed import readers
from analysis.models import RefreshRun
from analysis.rollup import sql
from analysis.rollup.watermark import RestoredError
from experiments.models import Experiment, User

logger = logging.getLogger(__name__)

TASK = "analysis.refresh_experiment"
SOFT_LIMIT, HARD_LIMIT = 540, 600
"""Seconds a refresh may take. Shorter than the broker's visibility timeout, or a long run would be handed out twice."""

GIVEN_UP_AFTER = timedelta(minutes=15)
"""A run that is not done by then never will be: its worker is gone and its task was handed out again in vain."""

LEFT_LYING_AFTER = timedelta(minutes=1)
"""From then on the schedule takes over a run that no worker holds."""

TRANSIENT = (OperationalError, InterfaceError)
"""What may be gone at the next attempt: a lost connection, a deadlock, a server that restarts."""

UNDER_WAY = [RefreshRun.State.QUEUED, RefreshRun.State.RUNNING]
LOCKS = 0x7472  # keeps our advisory locks apart from anybody else's in the same database


def request_refresh(experiment: Experiment, user: User | None) -> RefreshRun:
    """Return a refresh of the experiment: a new one, or the one that is under way."""
    with transaction.atomic():
        give_up_old(experiment, timezone.now())
        try:
            with transaction.atomic():
                run = RefreshRun.objects.create(experiment=experiment, requested_by=user, step="Waiting for a worker")
        except IntegrityError:
            return RefreshRun.objects.filter(experiment=experiment, state__in=UNDER_WAY).latest("pk")
        transaction.on_commit(lambda: _enqueue(run.pk))
    return run


def perform(run_id: int) -> None:
    """Do one run, unless it is done or another worker holds it.

    Raises:
        OperationalError, InterfaceError: the database may answer at the next attempt; the run stays under way.
    """
    with _held(run_id) as is_ours:
        if is_ours and RefreshRun.objects.filter(pk=run_id, state__in=UNDER_WAY).update(state=RefreshRun.State.RUNNING):
            run = RefreshRun.objects.select_related("experiment__project").get(pk=run_id)
            # A run that takes its worker down with it would otherwise be handed out for ever.
            give_up_old(run.experiment, timezone.now())
            if RefreshRun.objects.filter(pk=run_id, state=RefreshRun.State.RUNNING).exists():
                _refresh(run)


def fail(run_id: int, why: str) -> None:
    """End a run under way with a plain sentence; the last good result stays."""
    RefreshRun.objects.filter(pk=run_id, state__in=UNDER_WAY).update(
        state=RefreshRun.State.FAILED, error=f"{why} The last good result still stands.", finished_at=timezone.now()
    )


def give_up_old(experiment: Experiment, now: datetime) -> None:
    """Fail runs that were asked for so long ago that nobody works on them any more."""
    for run in RefreshRun.objects.filter(
        experiment=experiment, state__in=UNDER_WAY, created_at__lt=now - GIVEN_UP_AFTER
    ):
        fail(run.pk, f"The refresh did not finish within {GIVEN_UP_AFTER.seconds // 60} minutes.")


def take_over_left_lying(now: datetime) -> None:
    """Do the runs whose worker died or whose task was lost; give up on those too old."""
    for run in RefreshRun.objects.filter(state__in=UNDER_WAY, created_at__lt=now - LEFT_LYING_AFTER):
        perform(run.pk)


def record_failure(experiment: Experiment, why: str) -> None:
    """Keep that a scheduled refresh failed; the same failure minute after minute is kept once."""
    error = f"{why} The last good result still stands."
    newest = RefreshRun.objects.filter(experiment=experiment).order_by("-pk").first()
    if newest is None or newest.error != error:
        RefreshRun.objects.create(
            experiment=experiment, state=RefreshRun.State.FAILED, error=error, finished_at=timezone.now()
        )


def in_plain_words(error: Exception, what: str) -> str:
    """Return what people read about an error that nobody foresaw."""
    return f"The refresh stopped on an unexpected error ({type(error).__name__}); the server's log has it under {what}."


def _refresh(run: RefreshRun) -> None:
    try:
        readers.refresh(run.experiment, lambda percent, step: _say(run.pk, percent, step))
    except TRANSIENT:
        raise
    except SoftTimeLimitExceeded:
        fail(run.pk, f"The refresh took longer than {SOFT_LIMIT // 60} minutes and was stopped; what it read is kept.")
    except (pipeline.NotStartedError, RestoredError) as error:
        fail(run.pk, str(error))
    except Exception as error:
        logger.exception("refresh run %s of experiment %s failed", run.pk, run.experiment_id)
        fail(run.pk, in_plain_words(error, f"refresh run {run.pk}"))
    else:
        RefreshRun.objects.filter(pk=run.pk, state=RefreshRun.State.RUNNING).update(
            state=RefreshRun.State.DONE, step="Done", percent=100, finished_at=timezone.now()
        )


def _say(run_id: int, percent: int, step: str) -> None:
    RefreshRun.objects.filter(pk=run_id).update(percent=percent, step=step)


def _enqueue(run_id: int) -> None:
    try:
        current_app.send_task(TASK, [run_id], retry=False)
    except BrokerError:
        logger.exception("refresh run %s could not be queued", run_id)
        fail(run_id, "The refresh could not be queued: the task broker (REDIS_URL) does not answer.")


@contextmanager
def _held(run_id: int) -> Iterator[bool]:
    """Hold a run for this worker, and say whether that worked; a dead worker's connection lets go by itself."""
    parameters: dict[str, sql.Parameter] = {"kind": LOCKS, "run": run_id % 2**31}
    is_ours = bool(sql.number("SELECT pg_try_advisory_lock(%(kind)s, %(run)s)::int", parameters))
    try:
        yield is_ours
    finally:
        if is_ours:
            sql.number("SELECT pg_advisory_unlock(%(kind)s, %(run)s)::int", parameters)


@contextmanager
def only_schedule() -> Iterator[bool]:
    """Hold the scheduled refresh, so that a slow one and the next do not do the same work twice."""
    with _held(0) as is_ours:
        yield is_ours
