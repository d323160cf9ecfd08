from datetime import datetime, timedelta

from analysis.models import Alert, FoldedProject
from analysis.notices.silence import watch
from tests import builders
from tests.builders import T0

NOW = T0 + timedelta(days=4)


def busy_days(shop, days=range(4), *, events: int = 25, until: datetime = NOW) -> None:
    """So many events in the hour up to the same time of each day, none of them today."""
    for day in days:
        for number in range(events):
            at = until - timedelta(days=day + 1) - timedelta(minutes=2 * number + 1)
            builders.log(shop, "Order Completed", at=at, message=f"{day}/{number}")


def folded(shop, last: datetime) -> None:
    FoldedProject.objects.update_or_create(project=shop, defaults={"data_up_to": last, "newest_at": last, "events": 1})


def test_watch__an_hour_that_is_always_busy__rings_when_it_is_empty(shop, ranker):
    busy_days(shop)
    folded(shop, NOW - timedelta(minutes=61))
    assert watch(NOW) == 1
    alert = Alert.objects.get()
    assert alert.sentence == (
        "No event of Shop for an hour or more; in the same hour of the days before at least 25 came."
    )
    assert watch(NOW + timedelta(minutes=10)) == 1
    assert Alert.objects.count() == 1


def test_watch__events_that_arrive_again__end_it(shop, ranker):
    busy_days(shop)
    folded(shop, NOW - timedelta(minutes=61))
    watch(NOW)
    builders.log(shop, "Order Completed", at=NOW)
    folded(shop, NOW)
    watch(NOW + timedelta(minutes=1))
    assert Alert.objects.get().closed_because == "Events arrive again."


def test_watch__events_that_wait_to_be_folded__are_no_silence(shop, ranker):
    busy_days(shop)
    folded(shop, NOW - timedelta(minutes=61))
    builders.log(shop, "Order Completed", at=NOW - timedelta(minutes=5))
    assert watch(NOW) == 0


def test_watch__a_night_that_is_always_empty__does_not_ring(shop, ranker):
    busy_days(shop, until=NOW - timedelta(hours=8))
    folded(shop, NOW - timedelta(hours=2))
    assert watch(NOW) == 0


def test_watch__a_small_shop__rings_after_a_day(shop, ranker):
    for hours in (0, 6, 12, 18):
        busy_days(shop, events=6, until=NOW - timedelta(hours=hours))
    folded(shop, NOW - timedelta(hours=7))
    assert watch(NOW) == 0
    folded(shop, NOW - timedelta(hours=25))
    assert watch(NOW) == 1


def test_watch__one_day_before_alone__says_nothing(shop, ranker):
    busy_days(shop, days=range(1))
    folded(shop, NOW - timedelta(minutes=61))
    assert watch(NOW) == 0


def test_watch__exposures_of_one_experiment_stop__rings_for_it_alone(shop, ranker):
    other = builders.experiment(shop, "other")
    for tested in (ranker, other):
        for day in range(1, 4):
            for number in range(25):
                at = NOW - timedelta(days=day, minutes=2 * number + 1)
                builders.expose(tested, f"u{number}", "control", at=at, message=f"{tested.key}{day}{number}")
    builders.expose(other, "u", "control", at=NOW - timedelta(minutes=1))
    folded(shop, NOW)
    assert watch(NOW) == 1
    assert Alert.objects.get().experiment == ranker
    builders.expose(ranker, "u", "control", at=NOW)
    watch(NOW + timedelta(minutes=1))
    assert Alert.objects.get().closed_at is not None


def test_watch__without_any_event_ever__says_nothing(shop, ranker):
    assert watch(NOW) == 0
