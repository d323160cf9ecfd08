import re

import pytest
from django.urls import reverse

from experiments.domain.lifecycle import Status
from tests import builders


def home(client) -> str:
    response = client.get(reverse("project_home", args=["shop"]))
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().split("<main")[1]))


def test_home__each_experiment__says_status_verdict_and_primary_change(client_of_bob, shop, purchase):
    ranker = builders.experiment(shop, primary=purchase)
    builders.snapshot(ranker, builders.results(ranker, verdict=builders.verdict(headline="Early days.")))
    builders.snapshot(ranker)
    said = home(client_of_bob)
    assert builders.verdict().headline in said
    assert "Early days." not in said
    assert "+5.6% Click-through rate, +2.1% to +9.2%" in said
    assert "Running, day " in said


def test_home__a_change_without_a_relative_one__is_given_in_its_own_unit(client_of_alice, shop):
    refunds = builders.experiment(shop)
    only_absolute = builders.comparison(lift=None, lift_interval=None, difference=2.05)
    metric = builders.metric_result("revenue-per-user", only_absolute, display_unit="currency")
    builders.snapshot(refunds, builders.results(refunds, metrics=[metric]))
    said = home(client_of_alice)
    assert "+€2.05 Revenue per user" in said
    assert "Revenue per user," not in said


def test_home__a_broken_split__shows_no_change(client_of_alice, shop):
    ranker = builders.experiment(shop)
    builders.snapshot(ranker, builders.broken_results(ranker))
    said = home(client_of_alice)
    assert "withheld" in said
    assert "+5.6%" not in said


def test_home__running_comes_first_then_drafts_then_stopped(client_of_alice, shop):
    builders.experiment(shop, "a-stopped", status=Status.STOPPED)
    builders.experiment(shop, "a-running")
    builders.experiment(shop, "a-draft", status=Status.DRAFT)
    said = home(client_of_alice)
    assert said.index("A running") < said.index("A draft") < said.index("A stopped")


def test_home__an_empty_project__says_how_to_begin(client_of_alice, client_of_bob, shop):
    assert "Create an experiment" in home(client_of_alice)
    assert "Ask an editor to create an experiment" in home(client_of_bob)


@pytest.mark.parametrize("count", [1, 15])
def test_home__more_experiments__cost_no_more_queries(client_of_alice, shop, count: int, django_assert_max_num_queries):
    for i in range(count):
        ranker = builders.experiment(shop, f"experiment-{i}")
        builders.snapshot(ranker)
        builders.snapshot(ranker)
    with django_assert_max_num_queries(6):
        home(client_of_alice)


def test_home__other_projects_experiments__stay_out(client_of_alice, shop):
    builders.experiment(builders.project("foreign"), "secret-plan")
    assert "Secret plan" not in home(client_of_alice)


def test_styleguide__shows_every_part_without_a_sign_in(client, db):
    page = client.get(reverse("styleguide"))
    assert page.status_code == 200
    assert page.content.decode().count("<table") >= 4
