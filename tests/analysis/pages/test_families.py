"""A model's page: lineage, offline metrics, and how its experiments ended."""

import re

import pytest
from django.urls import reverse

from analysis.pages.families import lineage
from analysis.pages.sample_chains import STOPPED
from experiments.domain.offline import OfflineValue
from experiments.model_versions import Registration, register
from experiments.models import ModelVersion
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def ranker(shop, alice) -> list[ModelVersion]:
    def made(version: str, value: float, parent: str = "") -> ModelVersion:
        ndcg = OfflineValue(name="ndcg_at_10", value=value, low=value - 0.004, high=value + 0.004, evaluation_set="set")
        return register(
            shop, alice, Registration(name="search/ranker", version=version, parent=parent, metrics=(ndcg,))
        )

    return [made("v7", 0.412), made("v8", 0.431, "v7"), made("v8-clicks", 0.447, "v7"), made("v9", 0.452, "v8")]


def page(client, name: str = "search/ranker", **query: str) -> str:
    response = client.get(reverse("model_family", args=["shop", name]), query)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().split("<main")[1]))


def test_lineage__reads_from_top_to_bottom__each_after_its_parent(ranker):
    found = [(branch.version.version, branch.depth) for branch in lineage(ranker)]
    assert found == [("v7", 0), ("v8", 1), ("v9", 2), ("v8-clicks", 1)]


def test_family__each_experiment__says_how_far_the_gain_came(client_of_bob, shop, purchase, ranker):
    tested = builders.experiment(shop, primary=purchase)
    for variant, version in zip(tested.variants.all(), ranker, strict=False):
        variant.model_version = version
        variant.save()
    builders.snapshot(tested, builders.results(tested, chains=[STOPPED]))
    said = page(client_of_bob)
    assert "v8 search/ranker v7 New ranker ! Stopped at clicks" in said
    assert (
        "NDCG@10, set. From v7, 0.4120 (0.4080 to 0.4160), to v9, 0.4520 (0.4480 to 0.4560); higher is better." in said
    )


def test_family__results_without_a_chain__give_their_verdict_instead_of_none(client_of_bob, shop, purchase, ranker):
    tested = builders.experiment(shop, primary=purchase)
    tested.variants.filter(position=1).update(model_version=ranker[1])
    assert "v8 no model New ranker No results yet" in page(client_of_bob)
    results = builders.results(tested, chains=[])
    builders.snapshot(tested, results)
    said = page(client_of_bob)
    assert f"v8 no model New ranker Not followed {results.verdict.headline}" in said
    assert "No results yet" not in said


def test_family__without_experiments_or_metrics__says_what_is_missing(client_of_alice, shop, alice):
    register(shop, alice, Registration(name="new", version="1"))
    said = page(client_of_alice, "new")
    assert "No experiment serves a version of it yet" in said
    assert "Offline, version by version" not in said


def test_family__queries__do_not_grow_with_versions_and_experiments(
    client_of_alice, shop, alice, purchase, ranker, django_assert_max_num_queries
):
    for number in range(6):
        tested = builders.experiment(shop, f"test-{number}", primary=purchase)
        tested.variants.filter(position=1).update(model_version=ranker[number % 4])
        builders.snapshot(tested, builders.results(tested, chains=[STOPPED]))
    with django_assert_max_num_queries(11):
        assert page(client_of_alice).count("Stopped at clicks") == 6
