from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from analysis.alerts import quality_page, volume
from analysis.alerts.kinds import AlertKind, Severity
from analysis.api import quality
from analysis.models import Alert, StrayExposure
from events.models import ArrivalDay, DuplicateDay, SeenEvent, SeenHour
from experiments.domain.access import Scope
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.keys import issue_key
from experiments.models import ExperimentMetric
from tests import builders
from tests.experiments.api.asking import Api

NOW = datetime(2026, 3, 13, 15, 20, tzinfo=UTC)
LAST = datetime(2026, 3, 13, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.django_db


def seen(shop, name: str = "Order Completed", a_day: int = 24_000, weeks: int = 6, until: datetime = LAST) -> SeenEvent:
    """An event with the same volume every hour of some weeks, up to and with the hour ``until``."""
    begins = until - timedelta(weeks=weeks) + HOUR
    event = SeenEvent.objects.create(project=shop, name=name, first_at=begins, last_at=until, events=1)
    hours = [begins + number * HOUR for number in range(weeks * 168)]
    SeenHour.objects.bulk_create(SeenHour(event=event, hour=hour, events=a_day // 24) for hour in hours)
    return event


def came(event: SeenEvent, *events: int, until: datetime = LAST) -> None:
    """So many events in the last hours."""
    for back, count in enumerate(reversed(events)):
        SeenHour.objects.filter(event=event, hour=until - back * HOUR).update(events=count)


def test_watch__half_of_the_events_for_two_hours__rings_in_words(shop):
    came(seen(shop), 480, 500)
    assert volume.watch(NOW) == 1
    alert = Alert.objects.get()
    assert (alert.kind, alert.key, alert.severity) == (
        AlertKind.DATA_QUALITY, "volume/Order Completed", Severity.NOTE
    )  # fmt: skip
    assert alert.sentence.startswith("Order Completed: 500 events between 14:00 and 15:00 UTC; ")
    assert alert.sentence.endswith(" are usual at this time of the week.")
    assert "refused" in alert.what_to_do
    assert volume.watch(NOW + HOUR / 2) == 1
    assert Alert.objects.count() == 1


@pytest.mark.parametrize("last", [(1000, 500), (500, 1000), (500, 2000), (950, 1040)])
def test_watch__what_does_not_last_or_is_small__does_not_ring(shop, last):
    came(seen(shop), *last)
    assert volume.watch(NOW) == 0
    assert not Alert.objects.exists()


def test_watch__as_many_as_usual_again__ends_it(shop):
    event = seen(shop)
    came(event, 480, 500)
    volume.watch(NOW)
    SeenHour.objects.create(event=event, hour=LAST + HOUR, events=1_010)
    assert volume.watch(NOW + HOUR) == 0
    assert Alert.objects.get().closed_because == "As many events arrive as usual again."


def test_watch__a_drop_that_an_experiment_counts__warns_and_names_it(shop):
    metric = builders.metric(shop, event="Order Completed")
    ranker = builders.experiment(shop, "new-ranker", status=Status.RUNNING)
    ExperimentMetric.objects.create(experiment=ranker, metric=metric, role=MetricRole.PRIMARY.value)
    came(seen(shop), 480, 500)
    volume.watch(NOW)
    alert = Alert.objects.get()
    assert alert.severity == Severity.WARNING
    assert "new-ranker" in alert.what_to_do


def test_watch__a_spike__is_a_note(shop):
    came(seen(shop), 5_000, 5_000)
    volume.watch(NOW)
    alert = Alert.objects.get()
    assert alert.severity == Severity.NOTE
    assert "campaign" in alert.what_to_do


def test_watch__few_events_an_hour__are_judged_by_the_day(shop):
    event = seen(shop, a_day=480)
    before = datetime(2026, 3, 12, tzinfo=UTC)
    SeenHour.objects.filter(event=event, hour__gte=before, hour__lt=before + 24 * HOUR).update(events=5)
    assert volume.watch(NOW) == 1
    assert Alert.objects.get().sentence.startswith("Order Completed: 120 events on 12 March UTC; ")


def test_watch__where_nothing_arrives_at_all__leaves_it_to_that_alarm(shop):
    came(seen(shop), 0, 0)
    builders.alert(shop, AlertKind.DATA_STOPPED, key="events")
    assert volume.watch(NOW) == 0
    assert Alert.objects.filter(kind=AlertKind.DATA_QUALITY).count() == 0


def test_watch__a_young_project__is_not_judged(shop):
    came(seen(shop, weeks=2), 10, 10)
    assert volume.watch(NOW) == 0


def test_watch__another_projects_events__say_nothing_of_this_one(shop):
    other = builders.project("other")
    came(seen(other), 480, 500)
    volume.watch(NOW)
    assert [alert.project for alert in Alert.objects.all()] == [other]


@pytest.fixture
def at_now(monkeypatch):
    monkeypatch.setattr(quality_page.timezone, "now", lambda: NOW)


def page(client) -> str:
    return client.get(reverse("event_quality", args=["shop"])).content.decode()


def test_page__says_what_is_wrong_first(client_of_bob, shop, at_now):
    seen(shop, "Add to cart")
    came(seen(shop), 480, 500)
    StrayExposure.objects.create(
        project=shop, experiment="new-rankr", variant="b", reason="no experiment", exposures=12, newest_at=NOW
    )
    builders.log(shop, "Order Completed", at=NOW - 3 * HOUR, received_at=NOW)
    found = page(client_of_bob)
    assert found.index("Unusual volumes") < found.index("new-rankr") < found.index("came more than an hour late")
    assert "Of the newest 1 event, 1 came more than an hour late" in found
    assert found.index('<th scope="row">Order Completed') < found.index('<th scope="row">Add to cart')
    assert "Nothing is wrong" not in found


def test_api__says_what_the_page_says(shop, at_now, monkeypatch):
    monkeypatch.setattr(quality.timezone, "now", lambda: NOW)
    came(seen(shop), 480, 500)
    seen(shop, "Young", weeks=2)
    first, second = Api(issue_key(shop, "reader", [Scope.READ], None)[1]).ok("GET", "/data-quality")["volumes"]
    assert (first["event"], first["events"], first["departure"], first["rings"]) == (
        "Order Completed",
        500,
        "drop",
        True,
    )
    assert first["usual_low"] < 1_000 < first["usual_high"]
    assert (second["event"], second["events"]) == ("Young", None)
    assert "past weeks" in second["not_known"]


def test_page_and_api__how_events_arrive__is_said_by_door_and_day(client_of_bob, shop, at_now, monkeypatch):
    monkeypatch.setattr(quality.timezone, "now", lambda: NOW)
    event = seen(shop)
    for back, again in ((0, 10), (2, 0), (9, 90)):
        ArrivalDay.objects.create(
            event=event, door=2, day=(NOW - timedelta(days=back)).date(), events=90, late=9, corrected=3, farthest=300,
            missing=1,
        )  # fmt: skip
        DuplicateDay.objects.create(event=event, door=2, day=(NOW - timedelta(days=back)).date(), events=again)
    found = page(client_of_bob)
    row = found[found.index("How events arrive") :]
    assert '<td data-label="Door">PostHog</td><td class="n" data-label="Events">180</td>' in row
    assert '<td class="n" data-label="Came again">5.3%</td><td class="n" data-label="Late">10.0%</td>' in row
    answer = Api(issue_key(shop, "reader", [Scope.READ], None)[1]).ok("GET", "/data-quality")["arrivals"]
    assert [(one["door"], one["day"], one["again"], one["farthest_seconds"]) for one in answer] == [
        ("posthog", "2026-03-13", 10, 300), ("posthog", "2026-03-11", 0, 300)
    ]  # fmt: skip


def test_page__all_as_usual__says_so(client_of_bob, shop, at_now):
    seen(shop)
    assert "Nothing is wrong" in page(client_of_bob)


def test_page__an_experiment_whose_data_ask_for_somebody__is_no_quiet_page(client_of_bob, shop, ranker, at_now):
    seen(shop)
    builders.alert(
        shop, AlertKind.DATA_QUALITY, key="joining/new-ranker/1/uneven", experiment=ranker, sentence="Lost events."
    )
    found = page(client_of_bob)
    assert "Lost events." in found
    assert "Nothing is wrong" not in found


def test_page__a_young_project__does_not_say_that_volumes_are_usual(client_of_bob, shop, at_now):
    seen(shop, weeks=2)
    found = page(client_of_bob)
    assert "cannot be said before the third week" in found
    assert "As many events arrive as usual" not in found


def test_page__valkey_out_of_reach__does_not_say_that_nothing_is_wrong(client_of_bob, shop, at_now, settings):
    seen(shop)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    found = page(client_of_bob)
    assert "Valkey is out of reach" in found
    assert "Nothing is wrong" not in found


def test_page__without_events__says_where_they_appear(client_of_bob, shop):
    found = page(client_of_bob)
    assert "No event has been counted" in found
    assert "Nothing is wrong" not in found


def test_page__a_stranger__finds_nothing(client_of_charlie, shop):
    assert client_of_charlie.get(reverse("event_quality", args=["shop"])).status_code == 404


def test_page__asks_as_often_for_many_events_as_for_one(client_of_bob, shop, at_now, django_assert_max_num_queries):
    for number in range(6):
        came(seen(shop, f"Event {number}"), 480, 500)
    with django_assert_max_num_queries(18):
        page(client_of_bob)
