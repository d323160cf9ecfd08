"""Long lists come page by page, and a link to another page keeps what else was asked."""

import pytest
from django.test import RequestFactory
from django.urls import reverse

from analysis.models import Recipient
from events.models import SeenEvent
from experiments.domain.access import Role
from experiments.models import Membership, User
from experiments.pages.paging import PAGE, page_of
from tests.builders import T0

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("asked", "first"), [("", 0), ("2", 3), ("9", 6), ("0", 6), ("x", 0)])
def test_page_of__what_there_is_not__is_the_first_or_the_last(asked, first):
    found = page_of(RequestFactory().get("/", {"page": asked} if asked else {}), list(range(8)), 3)
    assert found[0] == first


def people(home) -> None:
    made = User.objects.bulk_create(User(email=f"p{n:03}@example.com", name=f"P{n:03}") for n in range(PAGE))
    Membership.objects.bulk_create(Membership(project=home, user=one, role=Role.VIEWER) for one in made)


def recipients(home) -> None:
    Recipient.objects.bulk_create(Recipient(project=home, email=f"p{n:03}@example.com") for n in range(PAGE + 1))


def seen(home) -> None:
    SeenEvent.objects.bulk_create(
        SeenEvent(project=home, name=f"Event {n:03}", first_at=T0, last_at=T0, events=1) for n in range(PAGE + 1)
    )


@pytest.mark.parametrize(
    ("route", "fill", "last"),
    [
        ("member_list", people, f"P{PAGE - 1:03}"),
        ("notification_people", recipients, f"p{PAGE:03}@"),
        ("event_catalogue", seen, f"Event {PAGE:03}"),
    ],
)
def test_list__of_more_than_a_page__goes_on_and_asks_no_more(
    client_of_alice, shop, route, fill, last, django_assert_max_num_queries
):
    fill(shop)
    address = reverse(route, args=[shop.slug])
    with django_assert_max_num_queries(9):
        first = client_of_alice.get(address, {"sort": "name"}).content.decode()
    assert "Page 1 of 2" in first
    assert 'href="?sort=name&amp;page=2"' in first
    second = client_of_alice.get(address, {"page": 2}).content.decode()
    assert last in second
    assert 'rel="next"' not in second
    assert last not in first.split("<main")[1]
