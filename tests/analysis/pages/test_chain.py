"""The strip: stations, rails between them, and what adds up."""

import re

import pytest
from django.urls import reverse
from msgspec import structs

from analysis.pages.chain import strips
from analysis.pages.sample_chains import CHAINS, STOPPED
from analysis.results.chain import ChainEnd
from analysis.results.schema import VariantFact
from tests import builders


def variant(key: str, value: float | None, **fields) -> VariantFact:
    defaults = {
        "name": key.capitalize(), "is_control": key == "control", "weight": 5000, "units": 9, "expected_share": 0.5,
        "share": 0.5, "model_version": f"ranker {key}", "offline_metric": "NDCG@10", "offline_value": value,
    }  # fmt: skip
    return VariantFact(key=key, **{**defaults, **fields})


def strip_of(chain):
    return strips(builders.results(chains=[chain]))[0]


def test_strip__a_gain_that_stopped__shows_the_rail_that_broke():
    strip = strip_of(STOPPED)
    assert [(s.stage, s.change, s.rail) for s in strip.stations] == [
        ("Offline", "+4.6%", ""),
        ("What people do", "+14.2%", "held"),
        ("The business", "−1.2%", "broken"),
    ]
    assert strip.stations[2].rail_said == "stopped here"


@pytest.mark.parametrize(
    ("end", "rails"),
    [
        (ChainEnd.REACHED, ["", "held", "held"]),
        (ChainEnd.HURT, ["", "held", "reversed"]),
        (ChainEnd.TOO_EARLY, ["", "open", "open"]),
    ],
)
def test_strip__each_verdict__has_its_own_rails(end, rails):
    chain = next(one for one in CHAINS if one.verdict is end)
    assert [station.rail for station in strip_of(chain).stations] == rails


def test_strip__a_broken_split__shows_no_change_online_and_an_open_way():
    links = [STOPPED.links[0], *(structs.replace(one, lift=None, lift_interval=None, said="Not trustworthy",
                                                 arrived=None) for one in STOPPED.links[1:])]  # fmt: skip
    strip = strip_of(structs.replace(STOPPED, verdict=ChainEnd.NOT_TRUSTWORTHY, links=links, funnel=None))
    assert [(s.change, s.rail) for s in strip.stations[1:]] == [("withheld", "open"), ("withheld", "open")]
    assert strip.stations[0].change == "+4.6%"


def test_funnel__points_as_written__add_up_to_the_whole():
    table = strip_of(STOPPED).funnel
    points = [float(row.points.replace("−", "-")) for row in table.rows]
    assert round(sum(points), 1) == float(table.whole.points.replace("−", "-"))


def test_strips__without_chains__are_none():
    assert strips(builders.results()) == []


@pytest.mark.django_db
def test_results__of_a_model_experiment__say_how_far_the_gain_came_and_what_to_look_at(client_of_bob, shop, purchase):
    ranker = builders.experiment(shop, primary=purchase)
    builders.snapshot(ranker, builders.results(ranker, chains=[STOPPED]))
    page = client_of_bob.get(reverse("experiment_results", args=["shop", ranker.key])).content.decode()
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for text in ("Stopped at clicks", STOPPED.sentence, "More clicks, not more orders", "It pays from +0.11% on"):
        assert text in said
    assert "Say what they stand for" not in said  # Bob may only look


@pytest.mark.django_db
def test_results__written_before_there_were_chains__are_shown_without_one(client_of_alice, shop, purchase):
    ranker = builders.experiment(shop, primary=purchase)
    kept = builders.snapshot(ranker)
    kept.payload.pop("chains")
    type(kept).objects.filter(pk=kept.pk).delete()
    kept.pk = None
    kept.save(force_insert=True)
    response = client_of_alice.get(reverse("experiment_results", args=["shop", ranker.key]))
    assert response.status_code == 200
    assert "Did the model’s gain reach the business?" not in response.content.decode()
