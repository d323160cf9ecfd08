"""The Celery application knows every task that the schedule names, and hands none out twice while it runs."""

import pytest
from celery import current_app

from config import clock
from config.celery import app
from config.schedule import SCHEDULE


@pytest.fixture(scope="module", autouse=True)
def tasks_loaded():
    app.loader.import_default_modules()


@pytest.mark.parametrize("entry", SCHEDULE)
def test_schedule__every_task_it_names__exists(entry):
    assert SCHEDULE[entry]["task"] in app.tasks


def test_schedule__is_kept_by_beat_alone_and_goes_where_the_workers_listen():
    assert clock.app.conf.beat_schedule == SCHEDULE
    assert not app.conf.beat_schedule
    queues = [(one.conf.broker_url, one.conf.task_default_queue) for one in (clock.app, app)]
    assert queues[0] == queues[1]


def test_tasks__pages_and_workers__speak_to_the_same_application():
    assert current_app.conf.broker_url == app.conf.broker_url
    assert "analysis.refresh_experiment" in current_app.tasks


def test_tasks__none_may_run_longer_than_the_broker_waits_for_it():
    limits = {name: task.time_limit for name, task in app.tasks.items() if not name.startswith("celery.")}
    assert limits
    assert all(limit and limit < app.conf.broker_transport_options["visibility_timeout"] for limit in limits.values())
