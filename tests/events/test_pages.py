from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from events import catalogue
from events.watch import Refusal, Watch
from experiments.domain.access import Role
from experiments.models import Membership
from tests import builders
from tests.builders import T0
from tests.events.builders import arrive

pytestmark = pytest.mark.usefixtures("address")
PAGES = ("event_list", "event_arrivals", "event_catalogue", "event_names", "event_properties")


@pytest.fixture(autouse=True)
def empty_valkey():
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield
    client.flushdb()
    client.close()


@pytest.fixture
def bob(address):
    return builders.user("bob@example.com")


@pytest.fixture
def home(bob):
    return builders.project("shop", owner=bob, role=Role.VIEWER)


@pytest.fixture
def viewer(client, bob):
    client.force_login(bob)
    return client


def address_of(page, home, query=""):
    return reverse(page, args=[home.slug]) + query


def text(client, home, query="", page="event_list"):
    answer = client.get(address_of(page, home, query))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_page__viewer_sees_it_stranger_gets_404_and_visitor_signs_in(page, viewer, home, client):
    assert viewer.get(address_of(page, home)).status_code == 200
    client.logout()
    assert client.get(address_of(page, home)).status_code == 302
    client.force_login(builders.user("charlie@example.com"))
    assert client.get(address_of(page, home)).status_code == 404


def test_live__nothing_yet__shows_how_to_send_a_first_event(viewer, home):
    page = text(viewer, home)
    assert "Send your first event" in page
    assert f"curl {settings.BASE_URL}/v1/track" in page


def test_live__events__are_shown_newest_first_with_units_and_where_they_came_in(viewer, home):
    arrive(home, "First", "u-1", q="shoes")
    arrive(home, "Second", None, anonymous_id="d-1", account_id="acme", environment=1)
    arrive(home, "$identify", "u-1", anonymous_id="d-2")
    page = text(viewer, home)
    assert "links d-2 to u-1" in page
    assert "Send your first event" not in page
    assert page.index("Second") < page.index("First")
    for said in ("u-1", "d-1", "acme", "staging: not analysed", "Segment", "shoes"):
        assert said in page


def test_live__events_of_another_project__are_not_shown(viewer, home):
    arrive(builders.project(), "Secret", "u-secret")
    assert "Secret" not in text(viewer, home)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?name=Search", {"a", "b"}),
        ("?unit=u-1", {"a", "c"}),
        ("?unit=d-2", {"b"}),
        ("?unit=s-3", {"c"}),
        ("?name=Search&unit=u-1", {"a"}),
        ("?name=Nothing", set()),
        ("?name=%00&unit=%00", set()),
        ("?unit=" + "x" * 3000, set()),
    ],
)
def test_live__filters__by_name_and_unit(viewer, home, query, shown):
    arrive(home, "Search", "u-1", mark="mark-a")
    arrive(home, "Search", "u-2", anonymous_id="d-2", mark="mark-b")
    arrive(home, "Order", "u-1", session_id="s-3", mark="mark-c")
    page = text(viewer, home, query)
    assert {letter for letter in "abc" if f"mark-{letter}" in page} == shown


def test_live__refused__are_shown_with_reason_and_without_markup_of_their_own(viewer, home):
    watch = Watch(settings.REDIS_URL)
    watch.refused(
        home.pk,
        Refusal(
            at=T0, door=2, environment=0, code="missing_unit", message="It names no unit.", message_id=None,
            snippet=b"<script>alert(1)</script>",
        ),
    )  # fmt: skip
    watch._pass_on(watch._counts, watch._refusals)
    page = text(viewer, home)
    assert "missing_unit" in page
    assert "It names no unit." in page
    assert "PostHog" in page
    assert "<script>alert" not in page


def test_live__valkey_away__still_shows_the_log(viewer, home, settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    arrive(home, "Search")
    page = text(viewer, home)
    assert "Search" in page
    assert "does not answer" in page


def test_live__event_of_long_ago__is_not_listed_but_counted(viewer, home):
    builders.log(home, "Long ago", at=timezone.now() - timedelta(days=60))
    assert "Long ago" not in text(viewer, home)
    catalogue.bring_up_to_date()
    assert "Long ago" in text(viewer, home, page="event_catalogue")


def test_arrivals__unchanged__says_nothing_and_changed_says_it(viewer, home):
    arrive(home, "Search")
    state = viewer.get(address_of("event_list", home)).context["state"]
    poll = address_of("event_arrivals", home, f"?state={state}")
    assert viewer.get(poll).status_code == 204
    arrive(home, "Order")
    answer = viewer.get(poll)
    assert "Order" in answer.content.decode()
    assert answer.context["state"] != state


def test_live__paused__asks_for_nothing_more(viewer, home):
    arrive(home, "Search")
    assert 'hx-trigger="every' in text(viewer, home)
    paused = text(viewer, home, "?paused=1&name=Search")
    assert 'hx-trigger="every' not in paused
    assert 'href="?name=Search"' in paused


@pytest.mark.parametrize("page", PAGES)
def test_page__asks_as_much_of_many_events_as_of_few(page, viewer, home, django_assert_num_queries):
    def counted():
        with connection.execute_wrapper(counter := Counter()):
            viewer.get(address_of(page, home))
        return counter.queries

    arrive(home, "Event", n=1)
    catalogue.bring_up_to_date()
    few = counted()
    for number in range(30):
        arrive(home, f"Event {number}", f"u-{number}", **{f"k{number}": number})
    catalogue.bring_up_to_date()
    assert counted() == few <= 10


class Counter:
    def __init__(self):
        self.queries = 0

    def __call__(self, execute, sql, params, many, context):
        self.queries += 1
        return execute(sql, params, many, context)


def test_catalogue__lists_events_with_volume_and_properties(viewer, home):
    assert "Nothing counted yet" in text(viewer, home, page="event_catalogue")
    arrive(home, "Search", q="shoes")
    catalogue.bring_up_to_date()
    page = text(viewer, home, page="event_catalogue")
    for said in ("Search", "1 property", "shoes", "string"):
        assert said in page


def test_metric_form__offers_what_has_been_seen(viewer, home):
    Membership.objects.update(role=Role.EDITOR)
    page = viewer.get(reverse("metric_new", args=[home.slug])).content.decode()
    for said in ('list="event-names"', 'list="event-properties"', address_of("event_names", home)):
        assert said in page


def test_names__suggest_events_and_the_properties_of_one(viewer, home):
    arrive(home, "Search <b>", q="shoes")
    catalogue.bring_up_to_date()
    assert text(viewer, home, page="event_names") == '<option value="Search &lt;b&gt;"></option>\n'
    assert 'value="q" label="string"' in text(viewer, home, "?event=Search+%3Cb%3E", page="event_properties")
