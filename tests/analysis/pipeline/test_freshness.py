from datetime import timedelta

import pytest
from django.utils import timezone

from analysis.freshness import freshness, strays
from analysis.rollup.fold import fold
from config.metrics_of_data import of_data
from events import catalogue
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)


def test_freshness__everything_folded__has_no_lag():
    home = builders.project()
    builders.log(home, "Page", at=T0)
    builders.log(builders.project(), "Page", at=T0 + HOUR)
    fold()
    found = freshness(home, now=T0 + 2 * HOUR)
    assert (found.data_up_to, found.lag_seconds, found.is_late) == (T0, 0, False)
    assert freshness().data_up_to == T0 + HOUR


def test_freshness__an_event_that_waits__is_as_late_as_it_arrived_long_ago():
    home = builders.project()
    fold()
    builders.log(home, "Page", at=T0 - HOUR, received_at=T0)
    builders.log(home, "Page", at=T0, received_at=T0 + HOUR)
    found = freshness(home, now=T0 + timedelta(seconds=301))
    assert (found.lag_seconds, found.is_late) == (301, True)


def test_freshness__before_any_fold__is_empty():
    found = freshness(builders.project())
    assert (found.data_up_to, found.folded_at, found.lag_seconds) == (None, None, 0)


def test_freshness__of_one_project__takes_three_queries(django_assert_num_queries):
    home = builders.project()
    with django_assert_num_queries(3):
        freshness(home)


def test_strays__of_another_project__are_not_shown():
    mine, other = builders.project(), builders.project()
    for home in (mine, other):
        builders.expose(builders.experiment(home), "u1", "typo")
    fold()
    assert [stray.project_id for stray in strays(mine)] == [mine.pk]


def test_metrics__of_data__say_how_long_events_wait_and_by_what_clocks_they_came():
    home, now = builders.project(), timezone.now().replace(microsecond=0)
    builders.log(home, "Page", at=now - 2 * HOUR, received_at=now - 2 * HOUR)
    builders.log(home, "Page", at=now - 5 * HOUR, ts=now - 6 * HOUR, received_at=now)
    catalogue.bring_up_to_date()
    told = {(family.name, *labels): value for family in of_data() for _, labels, value in family.samples}
    assert told["truelift_fold_lag_seconds",] >= 7200
    assert told["truelift_worst_clock_seconds",] == 3600
    assert told["truelift_arrivals_today", ("how", "corrected")] == 1
    fold()
    told = {family.name: [value for *_, value in family.samples] for family in of_data()}
    assert told["truelift_fold_lag_seconds"] == [0]
    assert told["truelift_folded_up_to_seconds"] == [(now - 2 * HOUR).timestamp()]
