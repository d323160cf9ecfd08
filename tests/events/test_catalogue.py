from collections import Counter
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from events import catalogue, log
from events.models import (
    ArrivalDay,
    CatalogueMark,
    DuplicateDay,
    LoggedEvent,
    SeenDay,
    SeenEvent,
    SeenHour,
    SeenProperty,
)
from events.row import encode
from events.segment.message import accept
from experiments.domain.metrics import MetricKind
from tests import builders
from tests.builders import T0
from tests.events.builders import arrival

pytestmark = pytest.mark.usefixtures("address")
DAY = timedelta(days=1)


@pytest.fixture
def home(address):
    return builders.project()


def seen(home):
    return {e.name: (e.events, e.first_at, e.last_at) for e in SeenEvent.objects.filter(project=home)}


def kinds(home, name):
    rows = SeenProperty.objects.filter(event__project=home, event__name=name).order_by("key", "type")
    return [(row.key, row.type, row.example) for row in rows]


def test_catalogue__what_arrived__is_counted_with_its_days_and_properties(home):
    builders.log(home, "Search", at=T0, q="shoes", results=3)
    builders.log(home, "Search", at=T0 + DAY, q="hats", cached=True, nothing=None)
    builders.log(home, "Order", at=T0, environment=1)
    catalogue.bring_up_to_date()
    assert seen(home) == {"Search": (2, T0, T0 + DAY), "Order": (1, T0, T0)}
    assert kinds(home, "Search") == [
        ("cached", "boolean", "true"), ("q", "string", "hats"), ("results", "number", "3"),
    ]  # fmt: skip
    days = SeenDay.objects.filter(event__project=home).order_by("event__name", "day")
    assert [(d.event.name, d.environment, d.day, d.events) for d in days] == [
        ("Order", 1, T0.date(), 1), ("Search", 0, T0.date(), 1), ("Search", 0, T0.date() + DAY, 1),
    ]  # fmt: skip


def test_catalogue__hours__are_productions_of_the_last_weeks(home):
    now = timezone.now()
    for back in (timedelta(), timedelta(minutes=1), timedelta(days=3), timedelta(weeks=7)):
        builders.log(home, "Order", at=now - back)
    builders.log(home, "Order", at=now, environment=1)
    catalogue.bring_up_to_date()
    catalogue.bring_up_to_date()
    hours = SeenHour.objects.filter(event__project=home)
    assert sum(hours.values_list("events", flat=True)) == 3
    assert {one.hour.minute for one in hours} == {0}
    assert catalogue.drop_old_hours(now + timedelta(weeks=5, days=5)) >= 1
    assert sum(hours.values_list("events", flat=True)) == 2


def test_catalogue__arrivals__say_what_came_late_by_a_wrong_clock_or_without_a_number(home):
    builders.metric(home, kind=MetricKind.SUM, event="Order", property="revenue")
    builders.log(home, "Order", at=T0, revenue=5)
    builders.log(home, "Order", at=T0, received_at=T0 + timedelta(hours=2), revenue="4.5")
    builders.log(home, "Order", at=T0, revenue="free")
    builders.log(home, "Order", at=T0, environment=1)
    LoggedEvent.objects.filter(props={"revenue": 5}).update(at=T0 - timedelta(minutes=5))
    catalogue.bring_up_to_date()
    builders.log(home, "Order", at=T0, revenue=None)
    catalogue.bring_up_to_date()
    (one,) = ArrivalDay.objects.filter(event__project=home)
    assert (one.door, one.day, one.events, one.late) == (0, T0.date(), 4, 1)
    assert (one.corrected, one.farthest, one.missing) == (1, 300, 2)


def test_note__events_that_came_again__are_added_up_by_day_and_unknown_names_left_out(home, address):
    builders.log(home, "Order")
    catalogue.bring_up_to_date()
    with psycopg.connect(address, autocommit=True) as connection:
        for _ in range(2):
            log.note(connection, Counter({(home.pk, 0, "Order"): 3, (home.pk, 2, "Order"): 1, (home.pk, 0, "New"): 9}))
    found = DuplicateDay.objects.filter(event__project=home).order_by("door").values_list("door", "events")
    assert list(found) == [(0, 6), (2, 2)]


def test_catalogue__run_twice__adds_nothing(home):
    builders.log(home, "Search")
    catalogue.bring_up_to_date()
    before = seen(home)
    catalogue.bring_up_to_date()
    assert seen(home) == before


def test_catalogue__in_small_chunks_and_out_of_order__counts_each_row_once(home):
    for number in range(60):
        builders.log(home, f"Event {number % 7}", at=T0 + timedelta(hours=(number * 37) % 100), n=number)
        if number % 13 == 0:
            catalogue.bring_up_to_date(chunk_events=3)
    catalogue.bring_up_to_date(chunk_events=3)
    while LoggedEvent.objects.count() > sum(count for count, _, _ in seen(home).values()):
        assert catalogue.bring_up_to_date(chunk_events=3) > 0
    assert sum(count for count, _, _ in seen(home).values()) == 60
    assert sum(SeenDay.objects.values_list("events", flat=True)) == 60


def test_catalogue__row_of_a_transaction_under_way__is_counted_when_it_ends(home, address):
    with psycopg.connect(address) as slow:
        raw = b'{"type":"track","event":"Slow","userId":"u","messageId":"m","timestamp":"2026-03-02T09:00:00Z"}'
        with slow.transaction():
            log.store(slow, [encode(accept(raw, arrival(project_id=home.pk)))], [], again=False)
            builders.log(home, "Quick")
            catalogue.bring_up_to_date()
            assert "Slow" not in seen(home)
    catalogue.bring_up_to_date()
    assert {name: count for name, (count, _, _) in seen(home).items()} == {"Slow": 1, "Quick": 1}


def test_catalogue__project_that_is_gone__is_passed_over(home):
    builders.log(home, "Search")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_log SET project_id = 2000000000")
    catalogue.bring_up_to_date()
    assert SeenEvent.objects.count() == 0
    assert CatalogueMark.objects.get().xid > 0


def test_catalogue__names_without_end__fill_it_no_further_than_its_bound(home, monkeypatch):
    monkeypatch.setattr(catalogue, "SEEN", catalogue.SEEN.replace(f"{catalogue.MOST_EVENTS} - count", "5 - count"))
    for number in range(4):
        builders.log(home, f"made-up-{number}")
    catalogue.bring_up_to_date()
    for number in range(2, 9):
        builders.log(home, f"made-up-{number}")
    catalogue.bring_up_to_date()
    found = seen(home)
    assert len(found) == 5
    assert found["made-up-2"][0] == found["made-up-3"][0] == 2


def test_catalogue__properties_without_end__are_bounded(home):
    bound = catalogue.MOST_PROPERTIES
    for start in (0, bound - 50):
        builders.log(home, "Search", **{f"k{number}": number for number in range(start, start + bound - 20)})
        catalogue.bring_up_to_date()
    assert SeenProperty.objects.filter(event__project=home).count() == bound


def test_begin_anew__counts_everything_again(home):
    builders.log(home, "Search")
    catalogue.bring_up_to_date()
    catalogue.begin_anew()
    assert seen(home) == {}
    catalogue.bring_up_to_date()
    assert seen(home)["Search"][0] == 1


def test_events_of__gives_volume_by_day_of_production_alone(home):
    builders.log(home, "Search", at=T0, q="x")
    builders.log(home, "Search", at=T0 - DAY)
    builders.log(home, "Search", at=T0, environment=2)
    catalogue.bring_up_to_date()
    (event,) = found = list(catalogue.events_of(home.pk))
    catalogue.describe(found, T0.date(), 3)
    assert event.volume == [0, 1, 1]
    assert list(event.kinds) == ["q"]


def test_names__are_those_that_metrics_can_count(home):
    for name in ("Search", "$identify", "Experiment Viewed"):
        builders.log(home, name)
    builders.log(builders.project(), "Elsewhere")
    catalogue.bring_up_to_date()
    assert catalogue.names(home.pk) == ["Search"]
