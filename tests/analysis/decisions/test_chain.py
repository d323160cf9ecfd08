"""How far a model's gain came: one verdict, and it rests on intervals."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.decisions.chain import follow
from analysis.decisions.inputs import MetricInput, OfflineFact, PairedFact
from analysis.decisions.offline import offline_gain
from analysis.decisions.way import way
from analysis.results.chain import Chain, ChainEnd, ChainStage
from analysis.results.schema import Reading
from experiments.domain.metrics import Direction, DisplayUnit, MetricRole, StandsFor
from tests.analysis.decisions.scenes import N, Scene, clicks, latency, means, purchases, revenue

OLD, NEW = OfflineFact(name="NDCG@10", value=0.412), OfflineFact(name="NDCG@10", value=0.431)
SECONDARY = MetricRole.SECONDARY


def chain(*metrics: MetricInput, old: OfflineFact = OLD, new: OfflineFact = NEW, paired=(), **scene) -> Chain:
    """The chain of a ranker whose NDCG rose 4.6 % offline."""
    readout = Scene(metrics=list(metrics), **scene).read()
    at = way(
        readout.evidence[0],
        offline_gain([old], [new], paired),
        readout.horizon,
        trustworthy=readout.health.trustworthy,
        currency="EUR",
        unit_type="user",
    )
    return follow(at)


def flat_revenue(half: float = 0.02, at: float = 0.0) -> MetricInput:
    """Revenue whose lift's interval is about ``at`` plus and minus ``half``."""
    sd = half / 1.96 * 10 / math.sqrt(2 / N)
    return revenue(treatment=10.0 * (1 + at), sd=sd, role=SECONDARY)


def test_chain__every_step_better__reached_the_business():
    found = chain(revenue(), clicks(), latency())
    assert (found.verdict, found.tone, found.broken_after) == (ChainEnd.REACHED, "good", None)
    assert found.sentence == (
        "NDCG@10 rose 4.6% offline, clicks rose 10% and revenue per user rose 6% (+4% to +8%): "
        "the gain went all the way."
    )
    assert [(link.stage, link.said, link.arrived) for link in found.links] == [
        (ChainStage.OFFLINE, "No interval known", True),
        (ChainStage.PROXY, "Better", True),
        (ChainStage.BUSINESS, "Better", True),
    ]


def test_chain__business_better_without_a_proxy_or_an_offline_gain__still_reached_it():
    worse = replace(NEW, value=0.40)
    found = chain(revenue(), new=worse)
    assert found.verdict is ChainEnd.REACHED
    assert found.sentence.endswith("there is a gain for the business, whatever the steps before it show.")


def test_chain__clicks_rose_and_the_interval_rules_their_gain_out__stopped_at_clicks():
    found = chain(clicks(role=MetricRole.PRIMARY), flat_revenue())
    assert (found.verdict, found.label, found.broken_after) == (
        ChainEnd.STOPPED_AT_PROXY, "Stopped at clicks", ChainStage.PROXY,
    )  # fmt: skip
    assert found.sentence == (
        "Clicks rose 10% (+6.9% to +13.2%), but revenue per user changed by between −2% and +2%: "
        "a gain as large as the one in clicks is ruled out."
    )
    assert found.links[-1].arrived is False


def test_chain__clicks_rose_and_revenue_may_have_followed__is_too_early_and_says_how_many_more():
    found = chain(clicks(role=MetricRole.PRIMARY), flat_revenue(half=0.12))
    assert (found.verdict, found.broken_after) == (ChainEnd.TOO_EARLY, None)
    assert "may have followed or not" in found.sentence
    assert found.sentence.endswith("times as many users would tell.")
    assert found.links[-1].arrived is None


def test_chain__not_significant_alone__never_stops_a_chain():
    for half in (0.07, 0.1, 0.15):
        found = chain(clicks(role=MetricRole.PRIMARY), flat_revenue(half=half, at=half / 2))
        assert found.links[-1].said == Reading.NO_CLEAR_CHANGE
        assert found.verdict is ChainEnd.TOO_EARLY


def test_chain__clicks_flat_and_the_offline_gain_ruled_out__stopped_offline():
    found = chain(clicks(treatment=0.30), flat_revenue())
    assert (found.verdict, found.broken_after) == (ChainEnd.STOPPED_OFFLINE, ChainStage.OFFLINE)
    assert found.sentence.startswith("NDCG@10 rose 4.6% offline, but clicks changed by between −3% and +3%")
    assert found.links[1].arrived is False


def test_chain__clicks_flat_but_the_offline_gain_was_small__is_too_early():
    found = chain(clicks(treatment=0.30), flat_revenue(), new=replace(NEW, value=0.414))
    assert found.verdict is ChainEnd.TOO_EARLY
    assert "neither shown nor ruled out" in found.sentence


def test_chain__change_shown_to_be_smaller_than_what_matters__stopped_offline():
    metric = clicks(treatment=0.30, role=MetricRole.PRIMARY)
    named = MetricInput(plan=replace(metric.plan, matters=0.05), moments=metric.moments)
    found = chain(named, flat_revenue(), new=replace(NEW, value=0.414))
    assert found.verdict is ChainEnd.STOPPED_OFFLINE
    assert "a change of the 5% that matter is ruled out" in found.sentence


def test_chain__revenue_fell__hurt_the_business_whatever_clicks_did():
    found = chain(clicks(role=MetricRole.PRIMARY), revenue(treatment=9.4, role=SECONDARY))
    assert (found.verdict, found.tone) == (ChainEnd.HURT, "bad")
    assert found.sentence == (
        "Revenue per user fell 6% (−7.9% to −4.1%), although NDCG@10 rose 4.6% offline and clicks rose 10%."
    )


def test_chain__another_business_metric_fell__hurt_it_although_the_north_star_rose():
    found = chain(clicks(role=MetricRole.PRIMARY), revenue(role=SECONDARY), purchases(treatment=0.042, role=SECONDARY))
    assert (found.verdict, found.links[-1].name) == (ChainEnd.HURT, "Purchase rate")


def test_chain__before_the_planned_end__is_too_early_and_says_the_day():
    found = chain(revenue(), clicks(), day=6, stopped=False)
    assert found.verdict is ChainEnd.TOO_EARLY
    assert found.sentence.startswith("Day 6 of 14: whether the gain goes on is read at the planned end.")


def test_chain__clear_harm_before_the_planned_end__is_said():
    found = chain(revenue(treatment=9.0), clicks(), day=6, stopped=False)
    assert found.verdict is ChainEnd.HURT


def test_chain__broken_split__withholds_every_number_online():
    found = chain(revenue(), clicks(), units=(9_540, 10_460))
    assert (found.verdict, found.tone) == (ChainEnd.NOT_TRUSTWORTHY, "bad")
    assert all(link.lift is None for link in found.links[1:])
    assert found.links[0].lift is not None


def test_chain__no_business_metric__asks_for_one():
    found = chain(clicks(role=MetricRole.PRIMARY))
    assert found.verdict is ChainEnd.TOO_EARLY
    assert "no purchase or revenue metric is in the plan" in found.sentence
    assert len(found.links) == 2


def test_chain__neither_proxy_nor_business__asks_for_both():
    found = chain(latency())
    assert found.verdict is ChainEnd.TOO_EARLY
    assert "neither a proxy nor the business" in found.sentence


def test_chain__no_offline_gain_recorded__cannot_stop_offline():
    readout = Scene(metrics=[clicks(treatment=0.30), flat_revenue()]).read()
    at = way(
        readout.evidence[0], offline_gain([], []), readout.horizon, trustworthy=True, currency="EUR", unit_type="user"
    )
    found = follow(at)
    assert (found.verdict, found.links[0].said) == (ChainEnd.TOO_EARLY, "Not recorded")
    assert "Record it on both versions" in found.sentence


def test_chain__declared_metrics__take_the_place_of_guesses():
    metric = revenue(role=SECONDARY, treatment=10.0)
    dwell = MetricInput(
        plan=replace(metric.plan, key="dwell", name="Reading time", display_unit=DisplayUnit.NUMBER, event="Read",
                     stands_for=StandsFor.BUSINESS),
        moments={"control": means(N, 10, 10), "treatment": means(N, 11, 10)},
    )  # fmt: skip
    found = chain(clicks(role=MetricRole.PRIMARY), metric, dwell)
    assert (found.verdict, found.links[-1].name, found.links[-1].guessed) == (ChainEnd.REACHED, "Reading time", False)
    assert found.links[1].guessed


def test_chain__a_proxy_that_is_no_click__names_its_own_stage():
    metric = clicks(role=MetricRole.PRIMARY)
    views = MetricInput(
        plan=replace(metric.plan, key="views", name="Product views", event="Product Viewed"), moments=metric.moments
    )
    found = chain(views, flat_revenue())
    assert (found.verdict, found.label) == (ChainEnd.STOPPED_AT_PROXY, "Stopped at views")


def test_stopped__when_the_business_truly_gained_as_much__is_said_in_at_most_two_and_a_half_percent():
    """The error that hurts: a gain that went all the way is said to have stopped. Seeded; sums, not users."""
    random, said, runs = np.random.default_rng(7), 0, 600
    truth, se_clicks, se_revenue = 0.05, 0.012, 0.02
    for _ in range(runs):
        x, y = random.normal(truth, se_clicks), random.normal(truth, se_revenue)
        sd = se_revenue * 10 / math.sqrt(2 / N)
        spread = se_clicks * 10 / math.sqrt(2 / N)
        measured = MetricInput(
            plan=replace(revenue().plan, key="clicks", name="Clicks", event="Click", display_unit=DisplayUnit.NUMBER),
            moments={"control": means(N, 10, spread), "treatment": means(N, 10 * (1 + x), spread)},
        )
        found = chain(measured, revenue(treatment=10 * (1 + y), sd=sd, role=SECONDARY))
        said += found.verdict is ChainEnd.STOPPED_AT_PROXY
    assert said / runs <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / runs)


# The offline gain


def test_offline__paired_on_examples__comes_with_that_interval():
    pair = PairedFact(
        name="NDCG@10", evaluation_set="", old=0.412, new=0.431, low=0.012, high=0.026, changed=0.31, examples=12_000
    )
    found = offline_gain([OLD], [NEW], [pair])
    assert found.lift == pytest.approx(0.0461, abs=1e-4)
    assert found.lift_interval == pytest.approx((0.012 / 0.412, 0.026 / 0.412))
    assert found.how == "paired on 12,000 examples"


def test_offline__two_intervals__are_taken_for_independent():
    old, new = replace(OLD, low=0.408, high=0.416), replace(NEW, low=0.427, high=0.435)
    found = offline_gain([old], [new])
    assert found.certain
    low, high = found.lift_interval
    assert low == pytest.approx(
        0.431 / 0.412 * math.exp(-math.hypot(math.log(0.431 / 0.427), math.log(0.416 / 0.412))) - 1
    )
    assert low < found.lift < high


def test_offline__a_loss_that_fell__is_a_gain_and_keeps_its_sign():
    old = OfflineFact(name="Log loss", value=0.50, direction=Direction.DECREASE)
    new = OfflineFact(name="Log loss", value=0.45, direction=Direction.DECREASE)
    found = offline_gain([old], [new])
    assert found.lift == pytest.approx(-0.1)
    assert found.gain.value > 0
    assert chain(clicks(treatment=0.30), flat_revenue(), old=old, new=new).verdict is ChainEnd.STOPPED_OFFLINE


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (replace(OLD, evaluation_set="a"), replace(NEW, evaluation_set="b"), "different evaluation sets"),
        (OfflineFact(name="AUC", value=0.7), NEW, "no offline metric in common"),
        (replace(OLD, value=0.0), NEW, "not above zero"),
    ],
)
def test_offline__what_cannot_be_compared__says_why(old, new, problem: str):
    found = offline_gain([old], [new])
    assert found.lift is None
    assert problem in found.problem


def test_offline__the_same_metric_in_other_words__is_compared():
    assert offline_gain([replace(OLD, name="ndcg_at_10")], [NEW]).lift == pytest.approx(0.0461, abs=1e-4)
