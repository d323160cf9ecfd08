import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.overview.seeking import marked, words_of
from experiments.domain.conclusions import Choice, ConclusionState
from experiments.domain.lifecycle import Status
from experiments.models import Conclusion, Experiment, ModelVersion, Project
from tests import builders

LIBRARY = "/p/shop/library/"
SEARCH = "/p/shop/search/"


def concluded(shop: Project, key: str, learned: str = "Nothing new.", **fields) -> Experiment:
    said = {"decision": Choice.ITERATE, "reason": "So.", "tags": fields.pop("lessons", []), **fields.pop("said", {})}
    made = builders.experiment(shop, key, status=Status.STOPPED, **fields)
    builders.standing(made)
    Conclusion.objects.create(experiment=made, state=ConclusionState.MADE, learned=learned, **said)
    return made


def html(client: Client, address: str, **query: str) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode().split("<main")[1]


def names(client: Client, **query: str) -> list[str]:
    return re.findall(r'<h2><a href="[^"]+">([^<]+)<', html(client, LIBRARY, **query))


def test_library__holds_what_is_concluded_and_no_more(client_of_bob, shop):
    concluded(shop, "taught", "People read prices first.")
    concluded(shop, "archived", archived_at=builders.T0)
    builders.standing(builders.experiment(shop, "ready", status=Status.STOPPED))
    builders.experiment(shop, "running")
    shipped = builders.experiment(shop, "shipped", status=Status.STOPPED)
    Experiment.objects.filter(pk=shipped.pk).update(shipped_variant=shipped.variants.last(), shipped_at=builders.T0)
    assert set(names(client_of_bob)) == {"Taught", "Archived", "Shipped"}
    assert "People read prices first." in html(client_of_bob, LIBRARY)


@pytest.mark.parametrize(
    "query",
    [{"q": "price"}, {"q": "PRICES read"}, {"q": "reading"}, {"q": "faster"}, {"q": "season prices"}, {"tag": "copy"},
     {"tag": "trust"}, {"metric": "purchase-rate"}, {"decision": "ship"}],
)  # fmt: skip
def test_library__each_search_and_filter__finds_the_one_and_not_the_other(client_of_bob, shop, purchase, query):
    concluded(
        shop, "faster-checkout", "People read prices first.", hypothesis="It knows the season.", tags=["copy"],
        lessons=["trust"], primary=purchase, said={"decision": Choice.SHIP},
    )  # fmt: skip
    concluded(shop, "other", "Pictures sell.")
    assert names(client_of_bob, **query) == ["Faster checkout"]


def test_library__best_matches__come_first_and_words_are_marked(client_of_bob, shop):
    concluded(shop, "delivery-promise", said={"decided_at": builders.T0})
    concluded(shop, "newer", "A delivery is a promise.", said={"decided_at": builders.T0 + timedelta(days=9)})
    assert names(client_of_bob, q="delivery") == ["Delivery promise", "Newer"]
    assert "A <mark>delivery</mark> is" in html(client_of_bob, LIBRARY, q="deliver")


@pytest.mark.parametrize("q", ["!&|:*<>()'\"\\", "the", "%", "a & b | !c", "\0", "é" * 300, "x " * 100])
def test_library__odd_searches__fail_nowhere(client_of_bob, shop, q: str):
    concluded(shop, "taught")
    html(client_of_bob, LIBRARY, q=q)
    html(client_of_bob, SEARCH, q=q)


def test_library__nothing_found__and_nothing_there__say_what_to_do(client_of_bob, shop):
    assert "The library is empty" in html(client_of_bob, LIBRARY)
    assert "Nothing like that was learned yet" in html(client_of_bob, LIBRARY, q="unicorn")


def test_library__twenty_a_page__leads_on_with_what_was_asked(client_of_bob, shop):
    for number in range(22):
        concluded(shop, f"lesson-{number}")
    assert len(names(client_of_bob, q="lesson")) == 20
    assert len(names(client_of_bob, q="lesson", page="2")) == 2
    assert 'href="?q=lesson&amp;page=2"' in html(client_of_bob, LIBRARY, q="lesson")
    assert names(client_of_bob, page="99999") == []


def test_library__a_replaced_conclusion__is_not_shown(client_of_bob, shop):
    one = concluded(shop, "one", "Newest words.")
    Conclusion.objects.create(
        experiment=one, state=ConclusionState.REPLACED, decision=Choice.SHIP, reason="So.", learned="Stale words."
    )
    assert names(client_of_bob, q="stale") == []
    assert "Newest words." in html(client_of_bob, LIBRARY)


@pytest.mark.parametrize("count", [1, 12])
def test_library__more_lessons__cost_no_more_queries(client_of_bob, shop, count, django_assert_max_num_queries):
    for number in range(count):
        concluded(shop, f"lesson-{number}", tags=["a"])
    with django_assert_max_num_queries(11):
        html(client_of_bob, LIBRARY, q="lesson")


def test_related__has_words_in_common__and_is_concluded(client_of_bob, client_of_charlie, shop):
    concluded(shop, "delivery-promise")
    concluded(shop, "bigger-pictures")
    builders.experiment(shop, "delivery-draft", status=Status.DRAFT)
    address = reverse("programme_related", args=["shop", "delivery-draft"])
    said = client_of_bob.get(address).content.decode()
    assert "Delivery promise" in said
    assert "Bigger pictures" not in said
    assert client_of_charlie.get(address).status_code == 404


def test_search__finds_each_kind_of_thing_by_a_part_of_its_name(client_of_bob, shop):
    builders.experiment(shop, "search-ranker")
    builders.a_flag(shop, "search-flag")
    builders.metric(shop, "search-clicks")
    ModelVersion.objects.create(project=shop, name="search model", version="v7")
    builders.a_layer(shop, "search")
    builders.a_segment(shop, "searchers")
    found = html(client_of_bob, SEARCH, q="search")
    for title in ("Experiments", "Flags", "Metrics", "Model versions", "Layers", "Segments"):
        assert f">{title}</h2>" in found
    assert "SRM" in html(client_of_bob, SEARCH, q="mismatch")
    assert "Nothing in Shop has “unicorn” in it." in html(client_of_bob, SEARCH, q="unicorn")


def test_search__a_key__leads_to_its_experiment(client_of_bob, shop):
    builders.experiment(shop, "xk-42", name="Bigger pictures")
    assert "Bigger pictures" in html(client_of_bob, SEARCH, q="xk-42")


def test_search__other_projects_and_strangers__stay_out(client_of_bob, client_of_charlie, shop):
    builders.experiment(builders.project("foreign"), "search-secret", name="Search secret")
    assert "secret" not in html(client_of_bob, SEARCH, q="search").replace("“search”", "")
    for address in (LIBRARY, SEARCH):
        assert client_of_charlie.get(address).status_code == 404


def test_search__costs_a_constant_number_of_queries(client_of_bob, shop, django_assert_max_num_queries):
    for number in range(12):
        builders.experiment(shop, f"search-{number}")
    with django_assert_max_num_queries(12):
        html(client_of_bob, SEARCH, q="search")


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(st.text("ab<>&\"' ", max_size=30), st.text("ab <", max_size=6))
def test_marked__whatever_the_text__is_escaped_and_complete(text: str, asked: str):
    shown = str(marked(text, words_of(asked)))
    plain = shown.replace("<mark>", "").replace("</mark>", "")
    assert "<" not in plain
    for sign, code in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#x27;", "'"), ("&amp;", "&")):
        plain = plain.replace(sign, code)
    assert plain == text
