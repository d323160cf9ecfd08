from datetime import timedelta

import pytest
from celery.exceptions import Retry
from django.db import OperationalError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from analysis import pipeline, refreshing, tasks
from analysis.models import RefreshRun, ResultSnapshot
from analysis.refreshing import perform, request_refresh, take_over_left_lying
from experiments.domain.lifecycle import Status
from tests import builders
from tests.analysis.pipeline.test_races import connect
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
State = RefreshRun.State


@pytest.fixture
def sent(monkeypatch):
    """What went to the broker."""
    names = []
    monkeypatch.setattr(refreshing.current_app, "send_task", lambda name, args, **_: names.append((name, *args)))
    return names


@pytest.fixture
def experiment():
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home))
    builders.expose(made, "u1", "control")
    return made


def queued(experiment, *, minutes_ago=0, state=State.QUEUED):
    created = timezone.now() - timedelta(minutes=minutes_ago)
    return RefreshRun.objects.create(experiment=experiment, created_at=created, state=state)


def fresh(run):
    run.refresh_from_db()
    return run


def break_with(monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr(pipeline, "refresh", broken)


def test_request__is_queued_once_it_is_committed(experiment, sent):
    run = request_refresh(experiment, None)
    assert (run.state, sent) == (State.QUEUED, [("analysis.refresh_experiment", run.pk)])


def test_request__a_second_click__joins_the_run_under_way(experiment, sent):
    assert request_refresh(experiment, None) == request_refresh(experiment, None)
    assert len(sent) == 1


def test_request__a_run_that_never_ended__is_given_up_and_a_new_one_starts(experiment, sent):
    old = queued(experiment, minutes_ago=16, state=State.RUNNING)
    new = request_refresh(experiment, None)
    assert new != old
    assert fresh(old).state == State.FAILED
    assert old.error.startswith("The refresh did not finish within 15 minutes.")


def test_request__without_a_broker__fails_in_plain_words(experiment, monkeypatch):
    def unreachable(*_, **__):
        raise BrokerError("connection refused")

    monkeypatch.setattr(refreshing.current_app, "send_task", unreachable)
    run = request_refresh(experiment, None)
    assert fresh(run).state == State.FAILED
    assert "REDIS_URL" in run.error


def test_task__writes_a_snapshot_and_ends_at_100_percent(experiment):
    run = queued(experiment)
    tasks.refresh_experiment.run(run.pk)
    assert (fresh(run).state, run.percent, run.error) == (State.DONE, 100, "")
    assert ResultSnapshot.objects.filter(experiment=experiment).count() == 1


def test_task__delivered_twice__refreshes_once(experiment):
    run = queued(experiment)
    for _ in range(2):
        tasks.refresh_experiment.run(run.pk)
    assert ResultSnapshot.objects.filter(experiment=experiment).count() == 1


def test_task__a_run_that_another_worker_holds__is_left_to_it(experiment):
    run = queued(experiment, state=State.RUNNING)
    with connect() as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", [refreshing.LOCKS, run.pk])
        perform(run.pk)
        # Given back before the line goes: the server may take a while to see that nobody is there any more.
        other.execute("SELECT pg_advisory_unlock(%s, %s)", [refreshing.LOCKS, run.pk])
    assert not ResultSnapshot.objects.exists()
    perform(run.pk)
    assert fresh(run).state == State.DONE


def test_task__tells_how_far_it_is(experiment, monkeypatch):
    said = []
    monkeypatch.setattr(refreshing, "_say", lambda run_id, percent, step: said.append((percent, step)))
    perform(queued(experiment).pk)
    assert [percent for percent, _ in said] == sorted(percent for percent, _ in said)
    assert said[0] == (0, "Reading new events")
    assert "Reading new events (1 of 1)" in [step for _, step in said]


def test_task__an_unforeseen_error__keeps_the_last_result_and_says_so_without_a_trace(experiment, monkeypatch):
    before = pipeline.refresh(experiment)
    break_with(monkeypatch, ZeroDivisionError("secret details"))
    run = queued(experiment)
    tasks.refresh_experiment.run(run.pk)
    assert fresh(run).state == State.FAILED
    assert run.error.endswith("The last good result still stands.")
    assert "secret" not in run.error
    assert ResultSnapshot.objects.get() == before


def test_task__a_draft__fails_with_what_to_do():
    experiment = builders.experiment(builders.project(), status=Status.DRAFT)
    run = queued(experiment)
    tasks.refresh_experiment.run(run.pk)
    assert fresh(run).error.startswith("New ranker is a draft and has no results; start it first.")


def test_task__a_database_that_goes_away__is_tried_again_and_then_given_up(experiment, monkeypatch):
    break_with(monkeypatch, OperationalError("server closed the connection"))
    run = queued(experiment)
    monkeypatch.setattr(tasks.refresh_experiment, "retry", lambda exc, countdown: Retry(exc=exc, when=countdown))
    with pytest.raises(Retry) as retried:
        tasks.refresh_experiment.run(run.pk)
    assert retried.value.when == 2
    assert fresh(run).state == State.RUNNING
    tasks.refresh_experiment.push_request(retries=3)
    tasks.refresh_experiment.run(run.pk)
    tasks.refresh_experiment.pop_request()
    assert fresh(run).error.startswith("The database did not answer")


def test_schedule__a_run_whose_worker_died__is_taken_over(experiment):
    run = queued(experiment, minutes_ago=2, state=State.RUNNING)
    take_over_left_lying(timezone.now())
    assert fresh(run).state == State.DONE


def test_schedule__a_run_that_takes_every_worker_down__is_given_up(experiment):
    run = queued(experiment, minutes_ago=16, state=State.RUNNING)
    take_over_left_lying(timezone.now())
    assert fresh(run).state == State.FAILED
    assert not ResultSnapshot.objects.exists()


def test_schedule__a_run_just_queued__is_left_to_its_worker(experiment):
    run = queued(experiment)
    take_over_left_lying(timezone.now())
    assert fresh(run).state == State.QUEUED


def test_schedule__run_twice_without_new_events__writes_one_snapshot(experiment):
    for _ in range(2):
        tasks.refresh_running()
    assert ResultSnapshot.objects.filter(experiment=experiment).count() == 1


def test_schedule__new_events__write_a_new_snapshot_when_it_is_due(experiment):
    tasks.refresh_running()
    builders.expose(experiment, "u2", "treatment")
    later = timezone.now() + timedelta(minutes=6)
    pipeline.fold()
    assert pipeline.refresh_if_due(experiment, timezone.now()) is None
    assert pipeline.refresh_if_due(experiment, later) is not None


def test_schedule__an_hour_without_events__looks_again(experiment):
    tasks.refresh_running()
    first = ResultSnapshot.objects.get()
    soon, later = first.as_of + timedelta(minutes=59), first.as_of + timedelta(minutes=61)
    assert not pipeline.is_due(experiment, first, soon)
    assert pipeline.is_due(experiment, first, later)


def test_schedule__a_stopped_experiment__gets_its_last_result_at_once(experiment):
    tasks.refresh_running()
    experiment.status, experiment.stopped_at = Status.STOPPED, T0 + timedelta(days=1)
    experiment.save()
    tasks.refresh_running()
    newest = ResultSnapshot.objects.filter(experiment=experiment).first()
    assert newest.payload["experiment"]["status"] == "stopped"
    tasks.refresh_running()
    assert ResultSnapshot.objects.filter(experiment=experiment).count() == 2


def test_schedule__one_experiment_that_fails__keeps_no_other_waiting(experiment, monkeypatch):
    broken = builders.experiment(experiment.project, "broken")
    true_refresh = pipeline.refresh_if_due

    def refresh(each, now):
        if each == broken:
            raise ZeroDivisionError
        return true_refresh(each, now)

    monkeypatch.setattr(pipeline, "refresh_if_due", refresh)
    for _ in range(2):
        tasks.refresh_running()
    assert ResultSnapshot.objects.filter(experiment=experiment).exists()
    (failure,) = RefreshRun.objects.filter(experiment=broken)
    assert (failure.state, failure.finished_at is not None) == (State.FAILED, True)


def test_schedule__while_the_last_one_still_runs__does_nothing(experiment):
    with connect() as other:
        other.execute("SELECT pg_advisory_lock(%s, 0)", [refreshing.LOCKS])
        tasks.refresh_running()
    assert not ResultSnapshot.objects.exists()


def test_locks__are_let_go(experiment):
    perform(queued(experiment).pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone() == (0,)
