"""Changes told relative, absolute and over a year: one difference and one interval, whatever they are told in."""

import re

import pytest
from django.urls import reverse

from experiments.models import Experiment
from tests import builders


@pytest.fixture
def ranker(shop, purchase) -> Experiment:
    made = builders.experiment(shop, primary=purchase, monthly_units=100_000)
    builders.snapshot(made)
    return made


def rows(client, **query: str) -> str:
    html = client.get(reverse("experiment_results", args=["shop", "new-ranker"]), query).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.split('id="metrics"')[1].split("</section>")[0]))


def test_changes__are_relative_unless_told_otherwise(client_of_bob, ranker):
    for query in ({}, {"change": "nonsense"}):
        assert "+5.6% +2.1% to +9.2%" in rows(client_of_bob, **query)


def test_changes__absolute__are_in_the_metrics_own_unit(client_of_bob, ranker):
    said = rows(client_of_bob, change="absolute")
    assert "+0.67 pt +0.25 pt to +1.09 pt" in said
    assert "−€0.27 −€0.90 to +€0.36" in said
    assert "+5.6%" not in said


def test_changes__over_a_year__are_totals_for_everyone_and_none_of_a_ratio(client_of_bob, ranker):
    said = rows(client_of_bob, change="yearly")
    assert "+8.0k +3.0k to +13k" in said  # .0067 of 1.2 million users
    assert "−€324k −€1.1M to +€432k" in said
    assert "no total" in said  # latency
    assert "twelve months of 100,000 users, as the plan says" in said


def test_changes__of_a_broken_split__cannot_be_told_in_any_way(client_of_bob, ranker):
    builders.snapshot(ranker, builders.broken_results(ranker))
    said = rows(client_of_bob, change="absolute")
    assert "Withheld" in said
    assert "+0.67" not in said
