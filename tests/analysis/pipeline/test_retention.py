import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from analysis.models import Enrolment, UnitDay, Watermark
from analysis.rollup import retention
from analysis.rollup.check import check
from analysis.rollup.fold import fold, rebuild
from analysis.tasks import drop_old_events
from events import catalogue, partitions
from events.models import LoggedEvent
from experiments.domain.lifecycle import Status
from experiments.models import Experiment
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log", "days")
DAY = timedelta(days=1)
KEPT = 30
NOW = T0 + 40 * DAY
"""Days before T0 + 10 are old."""


@pytest.fixture
def days(settings, transactional_db):
    """Make the daily partitions around T0, and take them away again."""
    settings.RETENTION_DAYS = KEPT
    made = partitions.ensure(T0.date(), (T0 + 12 * DAY).date())
    yield
    with connection.cursor() as cursor:
        for name in made:
            cursor.execute(f"DROP TABLE IF EXISTS {name}")


def stopped(home, key="old", *, at=T0 + 5 * DAY):
    return builders.experiment(home, key, primary=builders.metric(home), status=Status.STOPPED, stopped_at=at)


def there(day):
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [partitions.partition_name(day.date())])
        return cursor.fetchone()[0]


def read_all():
    fold()
    catalogue.bring_up_to_date()


def reasons():
    return {each.partition.day: each.kept_because for each in retention.plan(NOW).planned}


def test_retention__old_days_that_are_read__are_dropped_and_newer_ones_stay():
    home = builders.project()
    for day in (0, 3, 9, 10, 12):
        builders.log(home, "Search", at=T0 + day * DAY)
    read_all()
    dropped = retention.drop_expired(NOW)
    assert [partition.day for partition in dropped] == [(T0 + day * DAY).date() for day in range(10)]
    assert sum(partition.rows for partition in dropped) == 3
    assert [there(T0 + day * DAY) for day in (0, 9, 10, 12)] == [False, False, True, True]
    assert LoggedEvent.objects.count() == 2
    assert retention.drop_expired(NOW) == []


def test_retention__day_that_is_not_folded__stays_until_it_is():
    home = builders.project()
    read_all()
    builders.log(home, "Search", at=T0)
    assert reasons()[T0.date()] == "not everything in it is folded yet"
    retention.drop_expired(NOW)
    assert LoggedEvent.objects.count() == 1
    fold()
    assert reasons()[T0.date()] == "not everything in it is folded yet"
    catalogue.bring_up_to_date()
    retention.drop_expired(NOW)
    assert LoggedEvent.objects.count() == 0


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
def test_retention__day_of_a_live_experiment__stays(status):
    home = builders.project()
    builders.experiment(home, status=status, started_at=T0 + 4 * DAY)
    builders.log(home, "Search", at=T0 + 5 * DAY)
    read_all()
    assert "still runs" in reasons()[(T0 + 4 * DAY).date()]
    retention.drop_expired(NOW)
    assert [there(T0 + day * DAY) for day in (3, 4, 5)] == [False, True, True]
    assert LoggedEvent.objects.count() == 1


def test_retention__zero_days__keeps_everything(settings):
    settings.RETENTION_DAYS = 0
    builders.log(builders.project(), "Search", at=T0)
    read_all()
    assert retention.plan(NOW) is None
    assert retention.drop_expired(NOW) == []
    assert LoggedEvent.objects.count() == 1


def test_retention__event_of_a_client_with_a_wrong_clock__keeps_its_day():
    home = builders.project()
    builders.log(home, "Search", at=T0)
    LoggedEvent.objects.update(at=NOW)
    read_all()
    assert "clock was wrong" in reasons()[T0.date()]
    retention.drop_expired(NOW)
    assert LoggedEvent.objects.count() == 1


def test_retention__old_rows_outside_of_daily_partitions__go_too():
    home = builders.project()
    builders.log(home, "Search", at=T0 - 300 * DAY)
    builders.log(home, "Search", at=NOW)
    read_all()
    assert retention.plan(NOW).others == 1
    retention.drop_expired(NOW)
    assert LoggedEvent.objects.get().at == NOW


def test_retention__stopped_experiment__keeps_its_state_whatever_comes_later():
    home = builders.project()
    experiment = stopped(home)
    builders.expose(experiment, "u1", "control")
    builders.log(home, "Order Completed", "u1", at=T0 + DAY)
    read_all()
    retention.drop_expired(NOW)
    before = list(Enrolment.objects.values()), list(UnitDay.objects.values())
    assert len(before[0]) == len(before[1]) == 1
    experiment.plan.all().delete()  # under another plan its state would be rebuilt, from a log that lacks its days
    builders.log(home, "Order Completed", "u1", at=T0 + 2 * DAY)
    fold()
    rebuild([experiment])
    assert check([experiment]).differences == []
    assert (list(Enrolment.objects.values()), list(UnitDay.objects.values())) == before


def test_retention__experiment_that_began_later__is_folded_as_ever():
    home = builders.project()
    stopped(home)
    read_all()
    retention.drop_expired(NOW)
    assert Watermark.objects.get(name="retention").data_up_to.date() == (T0 + 10 * DAY).date()
    newer = builders.experiment(home, "newer", started_at=T0 + 11 * DAY)
    builders.expose(newer, "u1", "control", at=T0 + 11 * DAY)
    fold()
    assert Enrolment.objects.get().experiment_id == newer.pk
    assert check(Experiment.objects.all()).differences == []


def test_retention__somebody_reads_the_log__the_day_stays_and_goes_next_time(monkeypatch):
    home = builders.project()
    builders.log(home, "Search", at=T0)
    read_all()
    (first, *_) = retention.plan(NOW).to_drop
    builders.log(home, "Search", at=T0 + timedelta(hours=1))
    fresh = next(iter(retention.plan(NOW).planned)).partition
    assert retention._drop(fresh, retention.plan(NOW).cutoff) is False
    assert there(T0)
    assert first.rows == 1


def test_task_and_command__say_and_do_it(monkeypatch):
    home = builders.project()
    builders.log(home, "Search", at=T0)
    read_all()
    said = io.StringIO()
    call_command("drop_old_events", stdout=said)
    assert "nothing was (--now does)" in said.getvalue()
    assert f"{T0.date()}             1 events" in said.getvalue()
    assert LoggedEvent.objects.count() == 1
    drop_old_events()
    assert LoggedEvent.objects.count() == 0
    said = io.StringIO()
    call_command("drop_old_events", "--now", stdout=said)
    assert "0 days with 0 events were dropped" in said.getvalue()


def test_command__events_kept_for_good__says_so(settings):
    settings.RETENTION_DAYS = 0
    said = io.StringIO()
    call_command("drop_old_events", stdout=said)
    assert "kept for good" in said.getvalue()
