"""What to look at: found in the data, the strongest first, nothing where there is nothing."""

from dataclasses import replace

import pytest
from msgspec import structs

from analysis.decisions.chain import follow
from analysis.decisions.inputs import OfflineFact, PairedFact
from analysis.decisions.look_at import disagreement, look_at
from analysis.decisions.offline import offline_gain
from analysis.decisions.way import Way, way
from analysis.pages.sample_chains import FUNNEL
from analysis.results.schema import TriggeredEffect, TriggeredShare
from experiments.domain.metrics import MetricRole
from tests.analysis.decisions.scenes import Scene, clicks, latency, revenue
from tests.analysis.decisions.test_chain import NEW, OLD, flat_revenue

INTERVALS = (replace(OLD, low=0.41, high=0.414), replace(NEW, low=0.429, high=0.433))


def way_of(*metrics, old: OfflineFact = INTERVALS[0], new: OfflineFact = INTERVALS[1], paired=(), **scene) -> Way:
    readout = Scene(metrics=list(metrics), **scene).read()
    return way(
        readout.evidence[0], offline_gain([old], [new], paired), readout.horizon,
        trustworthy=readout.health.trustworthy, currency="EUR", unit_type="user",
    )  # fmt: skip


def keys(at: Way, funnel=None, triggered=None) -> list[str]:
    return [one.key for one in look_at(at, follow(at).verdict, funnel, triggered, {})]


def stopped(**fields) -> Way:
    return way_of(clicks(role=MetricRole.PRIMARY), flat_revenue(), **fields)


def effect(**fields) -> TriggeredEffect:
    defaults = {
        "metric": "ctr", "name": "Clicks", "display_unit": "percent", "variant": "treatment", "alpha": 0.05,
        "difference": 0.018, "lift": 0.06, "lift_interval": (0.03, 0.09), "p_value": 0.001,
        "diluted_difference": 0.0002, "diluted_interval": (0.0001, 0.0003), "diluted_lift": 0.0005,
        "untouched_p_value": 0.5, "split_p_value": 0.5, "trustworthy": True,
    }  # fmt: skip
    return TriggeredEffect(**{**defaults, **fields})


def share(*effects: TriggeredEffect, units: int = 900, total: int = 100_000) -> TriggeredShare:
    return TriggeredShare(units=units, total=total, effects=list(effects))


def test_look_at__more_clicks_and_fewer_orders_for_each__are_cannibalised():
    found = look_at(stopped(), follow(stopped()).verdict, FUNNEL, None, {})
    assert (found[0].key, found[0].title) == ("cannibalised", "More clicks, not more orders")
    assert found[0].finding == "Orders per click fell 13.6% (−16% to −11.1%)."


@pytest.mark.parametrize("key", ["impressions", "clicks", "value"])
def test_look_at__another_step_that_fell__is_named(key: str):
    step = structs.replace(FUNNEL.steps[2], key=key, name=f"{key} per unit")
    assert keys(stopped(), structs.replace(FUNNEL, steps=[step])) == [key]


def test_look_at__nothing_found__is_nothing_to_look_at():
    calm = [structs.replace(step, lift_interval=(-0.01, 0.01)) for step in FUNNEL.steps]
    assert keys(stopped(), structs.replace(FUNNEL, steps=calm)) == []


def test_look_at__slower_pages__may_have_eaten_the_gain_also_where_it_reached_the_business():
    slow = latency(treatment=212.0)
    assert keys(way_of(clicks(role=MetricRole.PRIMARY), flat_revenue(), slow)) == ["latency"]
    assert keys(way_of(revenue(), slow)) == ["latency"]
    finding = look_at(way_of(revenue(), slow), follow(way_of(revenue(), slow)).verdict, None, None, {})[0].finding
    assert "beyond its limit of +2%" in finding


def test_look_at__broken_split__looks_at_nothing():
    assert keys(stopped(units=(9_540, 10_460)), FUNNEL) == []


def test_look_at__models_that_mostly_agree__are_said():
    assert keys(stopped(), triggered=share(effect())) == ["dilution"]
    assert keys(stopped(), triggered=share(effect(), units=50_000)) == []


def pair(**fields) -> PairedFact:
    defaults = {
        "name": "NDCG@10", "evaluation_set": "", "old": 0.412, "new": 0.431, "low": 0.012, "high": 0.026,
        "changed": 0.31, "examples": 12_000,
    }  # fmt: skip
    return PairedFact(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"old": OLD, "new": NEW}, "How sure was the offline gain?"),
        ({"paired": [pair(low=-0.002)]}, "The offline gain itself is not certain"),
        ({"paired": [pair(changed=0.009)]}, "Hardly any prediction changed"),
        ({"new": replace(NEW, evaluation_set="other")}, "No promise to hold against"),
    ],
)
def test_look_at__a_weak_promise__is_said(fields, title: str):
    at = stopped(**fields)
    assert [one.title for one in look_at(at, follow(at).verdict, None, None, {})] == [title]


def test_disagreement__says_share_effect_and_dilution_in_one_sentence():
    assert disagreement(stopped(), share(effect())) == (
        "The models disagree for 0.9% of users; among those clicks rose 6%; over all users that is +0.05%."
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (effect(p_value=0.4), "among those clicks shows no clear change (between +3% and +9%)."),
        (effect(trustworthy=False), "The models disagree for 0.9% of users."),
        (effect(variant="other"), "The models disagree for 0.9% of users."),
    ],
)
def test_disagreement__claims_no_effect_that_is_not_shown(found, said: str):
    assert disagreement(stopped(), share(found)).endswith(said)


def test_disagreement__without_reports__says_nothing():
    assert disagreement(stopped(), None) == ""
