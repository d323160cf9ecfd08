"""The forecast's page: as typed or as saved, lenient with what is half typed, and only for members."""

import pytest
from django.urls import reverse

from analysis import outlook
from analysis.history import Source
from analysis.outlook import Past
from analysis.stats.planning import proportion_baseline
from experiments.domain.lifecycle import Status
from tests import builders


@pytest.fixture
def draft(shop, purchase):
    return builders.experiment(shop, "draft", status=Status.DRAFT, primary=purchase)


@pytest.fixture
def known(monkeypatch, shop, purchase):
    """Let the primary metric have a past, without folding a log for it."""
    source = Source(experiment=builders.experiment(shop, "earlier"), units=14_000)
    days = tuple(1000.0 * day for day in range(1, 15))

    def past(metric, source):
        return Past(metric=metric, source=source, value=0.12, baseline=proportion_baseline(0.12), cumulative=days)

    monkeypatch.setattr(outlook, "sources", lambda metrics: {one.pk: source for one in metrics})
    monkeypatch.setattr(outlook, "past", past)


AT = "/p/shop/experiments/draft/forecast/"


def words(client, **query) -> str:
    return client.get(AT, query, headers={"HX-Request": "true"}).content.decode()


def test_forecast__as_saved__is_a_page_of_its_own(client_of_alice, draft, known):
    page = client_of_alice.get(AT).content.decode()
    assert "14 days can see a change of" in page
    assert "<main" in page


def test_forecast__as_typed__follows_the_form_and_offers_what_would_do(client_of_alice, draft, known, purchase):
    page = words(client_of_alice, planned_days="7", primary=str(purchase.pk), matters="8")
    assert "7 days are too short for a change of 8%: that takes 42 days" in page
    assert 'data-fill="id_planned_days" data-value="42"' in page
    early = words(client_of_alice, planned_days="7", primary=str(purchase.pk), reading="always_valid")
    assert 'data-fill="id_planned_units" data-value="7000"' in early
    assert 'data-fill="id_matters"' in early


def test_forecast__guardrails__are_read_from_their_rows(client_of_alice, draft, known, shop, purchase):
    latency = builders.metric(shop, "latency", direction="decrease")
    rows = {"guardrails-0-metric": str(latency.pk), "guardrails-0-margin": "20", "guardrails-1-metric": ""}
    page = words(client_of_alice, planned_days="14", primary=str(purchase.pk), **rows)
    assert "Latency: if nothing changes, its margin of 20% is shown to hold" in page


@pytest.mark.parametrize(
    "query",
    [
        {"planned_days": ""}, {"planned_days": "1e9"}, {"planned_days": "NaN"}, {"planned_days": "14", "primary": "x"},
        {"planned_days": "14", "primary": "9" * 30}, {"planned_days": "14", "matters": "-3", "reading": "often"},
        {"planned_days": "14", "guardrails-0-metric": "1", "guardrails-0-margin": "inf"},
        {"planned_days": "14", "planned_units": "-1"},
    ],
)  # fmt: skip
def test_forecast__half_typed_or_wild__answers_in_words(client_of_alice, draft, known, query, purchase):
    query = {"primary": str(purchase.pk), **query}
    assert client_of_alice.get(AT, query, headers={"HX-Request": "true"}).status_code == 200


def test_forecast__without_a_past__says_why_and_what_to_do(client_of_alice, draft, purchase):
    assert "no experiment has units for it" in words(client_of_alice, planned_days="14", primary=str(purchase.pk))
    assert "Choose a primary metric" in words(client_of_alice, planned_days="14", primary="")


def test_forecast__another_projects_metric__is_not_told(client_of_alice, draft, known):
    foreign = builders.metric(builders.project("foreign"))
    assert "Choose a primary metric" in words(client_of_alice, planned_days="14", primary=str(foreign.pk))


def test_forecast__a_stranger__gets_404(client_of_charlie, client_of_bob, draft):
    assert client_of_charlie.get(AT).status_code == 404
    assert client_of_bob.get(AT).status_code == 200


def test_forecast__more_of_everything__costs_no_more_queries(
    client_of_alice, draft, shop, django_assert_max_num_queries
):
    for i in range(10):
        builders.experiment(shop, f"e{i}", primary=builders.metric(shop, f"m{i}"))
    with django_assert_max_num_queries(12):
        client_of_alice.get(reverse("experiment_forecast", args=["shop", "draft"]))
