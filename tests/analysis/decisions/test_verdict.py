"""The verdict: the rule, and the one sentence that says it."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.decisions.inputs import MetricInput, MetricPlan
from analysis.results.schema import Reading, Tone
from analysis.stats.moments import Moments, proportion_moments
from experiments.domain.metrics import DisplayUnit, MetricKind, MetricRole, StandsFor
from tests.analysis.decisions.scenes import (
    N,
    Scene,
    clicks,
    comparison,
    latency,
    means,
    purchases,
    revenue,
    with_third,
)

# --- the planned end has come -----------------------------------------------------------------------------------------


def test_ship__revenue_better_and_guardrail_held__says_by_how_much():
    verdict = Scene().read().verdict
    assert (verdict.decision, verdict.tone) == ("ship", Tone.GOOD)
    assert verdict.headline == "Ranker v8 raises revenue per user by 6%."
    assert "(95% interval +4% to +8%, p < 0.001)" in verdict.explanation
    assert "The guardrail latency stayed within its limit." in verdict.explanation


@pytest.mark.parametrize("day", [5, 14, 60])
def test_holdback__of_a_launch__decides_nothing_and_says_where_to_look(day: float):
    scene = Scene(day=day, stopped=False, launch="New ranker")
    told, plain = scene.read().verdict, replace(scene, launch="").read().verdict
    assert told.headline == plain.headline
    assert told.next_step.startswith("Nothing is decided here: New ranker has shipped.")
    assert "Does it last?" in told.next_step


def test_holdback__with_a_broken_split__asks_for_that_to_be_mended_first():
    broken = Scene(units=(N, N - 2000), launch="New ranker")
    assert broken.read().verdict.next_step == replace(broken, launch="").read().verdict.next_step


def test_ship__lower_is_better__says_lowers():
    metric = latency(treatment=180.0)
    primary = MetricInput(plan=replace(metric.plan, role=MetricRole.PRIMARY, margin=None), moments=metric.moments)
    verdict = Scene(metrics=[primary]).read().verdict
    assert (verdict.decision, verdict.headline) == ("ship", "Ranker v8 lowers latency by 10%.")


def test_ship__two_primaries_better__names_both():
    verdict = Scene(metrics=[revenue(), purchases(treatment=0.06)]).read().verdict
    assert verdict.headline == "Ranker v8 raises revenue per user by 6% and purchase rate by 20%."


def test_ship__click_gain_that_reached_revenue__says_so():
    verdict = Scene(metrics=[revenue(), clicks()]).read().verdict
    assert verdict.decision == "ship"
    assert "The gain in clicks reached revenue per user." in verdict.explanation


def test_look__gain_with_a_crossed_guardrail__names_the_limit():
    verdict = Scene(metrics=[revenue(), latency(treatment=208.0)]).read().verdict
    assert (verdict.decision, verdict.tone) == ("look before you ship", Tone.WARN)
    assert verdict.headline == (
        "Revenue per user rose 6%, but latency rose 4%, beyond its limit of +2%. Look before you ship."
    )


def test_look__gain_with_a_guardrail_not_shown_to_hold__is_no_ship():
    readout = Scene(metrics=[revenue(), latency(treatment=202.0, sd=300.0)]).read()
    assert comparison(readout, "latency").margin_crossed is None
    assert readout.verdict.decision == "look before you ship"
    assert "latency is not shown to stay within its limit" in readout.verdict.headline


def test_look__gain_with_a_worse_guardrail_inside_its_limit__is_said():
    readout = Scene(metrics=[revenue(), latency(treatment=201.5)]).read()
    assert (comparison(readout, "latency").reading, comparison(readout, "latency").margin_crossed) == ("Worse", False)
    assert readout.verdict.decision == "look before you ship"
    assert "within its limit of +2%" in readout.verdict.explanation


def test_look__gain_with_a_worse_secondary__is_no_ship():
    verdict = Scene(metrics=[revenue(), purchases(treatment=0.043, role=MetricRole.SECONDARY)]).read().verdict
    assert verdict.decision == "look before you ship"
    assert verdict.headline == "Revenue per user rose 6%, but purchase rate fell 14%. Look before you ship."


def test_do_not_ship__primary_worse__is_said_first():
    verdict = Scene(metrics=[revenue(treatment=9.5), latency()]).read().verdict
    assert (verdict.decision, verdict.tone) == ("do not ship", Tone.BAD)
    assert verdict.headline == "Ranker v8 lowers revenue per user by 5%. Do not ship."


def test_do_not_ship__no_gain_and_a_crossed_guardrail():
    verdict = Scene(metrics=[revenue(treatment=10.0), latency(treatment=208.0)]).read().verdict
    assert verdict.decision == "do not ship"
    assert verdict.headline == "Ranker v8 raises latency by 4%, beyond its limit of +2%. Do not ship."


def test_inconclusive__nothing_moved__bounds_what_it_may_be():
    verdict = Scene(metrics=[revenue(treatment=10.01), latency()]).read().verdict
    assert (verdict.decision, verdict.tone) == ("inconclusive", Tone.FLAT)
    assert verdict.headline == "No clear change in revenue per user: between −1.8% and +2.1%."


def test_inconclusive__worse_guardrail_inside_its_limit__does_not_forbid():
    assert Scene(metrics=[revenue(treatment=10.0), latency(treatment=201.5)]).read().verdict.decision == "inconclusive"


def test_inconclusive__plan_without_a_primary__asks_for_one():
    verdict = Scene(metrics=[clicks()]).read().verdict
    assert verdict.decision == "inconclusive"
    assert "no primary metric" in verdict.headline


def test_verdict__no_relative_change__gives_the_difference_in_the_metrics_own_unit():
    verdict = Scene(metrics=[revenue(control=-0.5, treatment=0.3)]).read().verdict
    assert verdict.headline == "Ranker v8 raises revenue per user by €0.80."
    points = Scene(metrics=[purchases(control=0.0, treatment=0.02)]).read().verdict
    assert points.headline == "Ranker v8 raises purchase rate by 2 percentage points."


@pytest.mark.parametrize("stopped", [True, False])
def test_too_few_conversions_at_the_planned_end__nothing_is_claimed(stopped):
    readout = Scene(metrics=[purchases(control=0.0001, treatment=0.0004)], stopped=stopped).read()
    assert comparison(readout, "purchase-rate").reading is Reading.TOO_EARLY
    assert readout.verdict.decision == ("inconclusive" if stopped else "too early")
    assert readout.verdict.headline == "Too little data to read purchase rate."
    assert "needs at least 10" in readout.verdict.explanation


# --- from the model to the business -----------------------------------------------------------------------------------


def test_story__clicks_rose_and_purchases_did_not_follow__is_never_a_business_gain():
    verdict = Scene(metrics=[purchases(treatment=0.05), clicks()]).read().verdict
    assert (verdict.decision, verdict.tone) == ("inconclusive", Tone.WARN)
    assert verdict.headline == "Clicks rose 10%, purchase rate did not follow: the gain stopped at clicks."
    assert "Purchase rate changed by between −8.2% and +8.9% (95% interval)." in verdict.explanation
    assert "not a gain for the business" in verdict.explanation


def test_story__interval_that_may_hold_the_whole_click_gain__does_not_claim_that_it_stopped():
    verdict = Scene(metrics=[purchases(treatment=0.052), clicks()]).read().verdict
    assert verdict.headline == "Clicks rose 10%, but purchase rate did not clearly follow."
    assert verdict.decision == "inconclusive"


def test_story__click_metric_as_primary__does_not_ship_on_clicks_alone():
    metrics = [clicks(role=MetricRole.PRIMARY), revenue(treatment=10.0, role=MetricRole.SECONDARY)]
    verdict = Scene(metrics=metrics).read().verdict
    assert verdict.decision == "look before you ship"
    assert verdict.headline == "Clicks rose 10%, revenue per user did not follow: the gain stopped at clicks."
    assert verdict.next_step.startswith("Do not ship it for the business's sake.")


def test_story__clicks_rose_and_revenue_fell__says_what_it_cost():
    verdict = Scene(metrics=[revenue(treatment=9.5), clicks()]).read().verdict
    assert verdict.decision == "do not ship"
    assert verdict.headline == "Clicks rose 10%, but revenue per user fell 5%: the gain in clicks cost business."


def test_story__no_business_metric__says_what_is_not_known():
    verdict = Scene(metrics=[clicks(role=MetricRole.PRIMARY)]).read().verdict
    assert verdict.decision == "ship"
    assert "No purchase or revenue metric is in the plan" in verdict.explanation


def test_story__business_metric_with_too_few_purchases__is_not_read_as_flat():
    metrics = [clicks(role=MetricRole.PRIMARY), purchases(0.0001, 0.0002, role=MetricRole.SECONDARY)]
    verdict = Scene(metrics=metrics).read().verdict
    assert verdict.decision == "look before you ship"
    assert verdict.headline == "Clicks rose 10%, but purchase rate did not clearly follow."


def clicked_orders() -> MetricInput:
    """Orders per click, where the treatment brings a tenth more clicks and no more orders: it falls."""
    plan = MetricPlan(
        key="orders-per-click",
        name="Orders per click",
        kind=MetricKind.RATIO,
        role=MetricRole.SECONDARY,
        event="Order Completed",
    )

    def pair(clicks_per_user: float) -> Moments:
        comoment = np.diag([0.05 * N, 0.5 * N])
        return Moments(n=N, mean=np.array([0.05, clicks_per_user]), comoment=comoment)

    return MetricInput(plan=plan, moments={"control": pair(0.30), "treatment": pair(0.36)})


def test_story__orders_per_click_fall_because_clicks_rose__is_no_loss_of_business():
    metrics = [clicks(role=MetricRole.PRIMARY), purchases(treatment=0.05, role=MetricRole.SECONDARY), clicked_orders()]
    readout = Scene(metrics=metrics).read()
    assert comparison(readout, "orders-per-click").reading is Reading.WORSE
    assert any("divides by changed" in note for note in comparison(readout, "orders-per-click").warnings)
    assert readout.verdict.headline == "Clicks rose 10%, purchase rate did not follow: the gain stopped at clicks."
    shipped = Scene(metrics=[revenue(), clicks(), clicked_orders()]).read().verdict
    assert shipped.decision == "ship"


# --- before the planned end -------------------------------------------------------------------------------------------


def test_peeking__a_gain_however_large__is_not_a_gain_yet():
    readout = Scene(metrics=[revenue(treatment=12.0), latency()], day=3, stopped=False).read()
    assert readout.verdict.decision == "keep running"
    assert readout.verdict.headline == "Keep it running: day 3 of 14, and nothing is clearly harmed."
    assert "peeking" in readout.verdict.explanation
    assert {one.comparisons[0].reading for one in readout.metrics} == {Reading.TOO_EARLY}
    assert comparison(readout, "latency").margin_crossed is None


def test_peeking__a_guardrail_clearly_crossed__stops():
    readout = Scene(metrics=[revenue(), latency(treatment=215.0)], day=3, stopped=False).read()
    assert (readout.verdict.decision, readout.verdict.tone) == ("do not ship", Tone.BAD)
    assert readout.verdict.headline == "Ranker v8 raises latency by 7.5%, beyond its limit of +2%. Stop."
    assert comparison(readout, "latency").margin_crossed is True


def test_peeking__a_primary_clearly_worse__stops():
    verdict = Scene(metrics=[revenue(treatment=9.0)], day=3, stopped=False).read().verdict
    assert verdict.headline == "Ranker v8 lowers revenue per user by 10%. Stop."


def test_peeking__harm_at_p_of_one_percent__is_not_clear_enough_to_stop():
    readout = Scene(metrics=[revenue(treatment=9.74)], day=3, stopped=False).read()
    p_value = comparison(readout, "revenue").p_value
    assert p_value is not None
    assert 0.005 < p_value < 0.015
    assert readout.verdict.decision == "keep running"


def test_peeking__a_guardrail_worse_but_not_beyond_its_limit__keeps_running():
    readout = Scene(metrics=[revenue(), latency(treatment=202.0)], day=3, stopped=False).read()
    assert comparison(readout, "latency").reading is Reading.WORSE
    assert readout.verdict.decision == "keep running"


def test_stopped_before_the_plan__no_gain_is_claimed():
    readout = Scene(metrics=[revenue(treatment=12.0)], day=5).read()
    assert readout.verdict.decision == "inconclusive"
    assert readout.verdict.headline == "Stopped on day 5 of 14: too soon to claim a gain."
    assert comparison(readout, "revenue").reading is Reading.TOO_EARLY


def test_first_users__say_how_many_are_missing():
    few = Scene(metrics=[purchases(n=40)], units=(40, 41), day=0.2, stopped=False).read()
    assert few.verdict.decision == "too early"
    assert few.verdict.headline == "Too early to say: 40 users in the smallest variant so far."
    assert comparison(few, "purchase-rate").warnings[0].startswith("40 users in the smaller variant")


def test_no_user_yet__says_what_to_check():
    readout = Scene(metrics=[MetricInput(plan=revenue().plan, moments={})], units=(0, 0), day=1, stopped=False).read()
    assert readout.verdict.headline == "No user has been exposed yet."
    assert "Experiment Viewed" in readout.verdict.next_step
    assert comparison(readout, "revenue").value is None
    [why] = comparison(readout, "revenue").warnings
    assert "no unit has been exposed" in why


def test_not_started__says_so():
    assert Scene(started=False, stopped=False).read().verdict.headline == "Not started yet."


def test_long_after_the_planned_end__says_that_waiting_is_peeking_too():
    verdict = Scene(day=21, stopped=False).read().verdict
    assert any("Read on day 21" in reason for reason in verdict.reasons)


# --- numbers that must not be read ------------------------------------------------------------------------------------


def test_broken_split__withholds_every_reading():
    readout = Scene(units=(9_540, 10_460)).read()
    assert (readout.verdict.decision, readout.verdict.tone) == ("not trustworthy", Tone.BAD)
    assert readout.verdict.headline == (
        "The split is broken: 52.3% got the treatment instead of 50%. Do not read these numbers."
    )
    assert {one.comparisons[0].reading for one in readout.metrics} == {Reading.NOT_TRUSTWORTHY}
    assert comparison(readout, "latency").margin_crossed is None
    assert "crashes" in readout.verdict.next_step


def test_broken_split__of_three__names_the_variant_furthest_off():
    third = with_third(revenue(), means(N, 10, 10))
    verdict = Scene(metrics=[third], units=(10_000, 10_010, 8_000), weights=(3334, 3333, 3333)).read().verdict
    assert verdict.headline.startswith("The split is broken: 28.6% got Variant C instead of 33.3%.")


def test_many_units_in_two_variants__withhold_every_reading():
    readout = Scene(quarantined=1_200).read()
    assert readout.verdict.headline == "2.9% of the users saw two variants. Do not read these numbers."
    assert comparison(readout, "revenue").reading is Reading.NOT_TRUSTWORTHY


# --- several treatments -----------------------------------------------------------------------------------------------


def three(revenue_c: float, **fields: object) -> Scene:
    metrics = [with_third(revenue(treatment=10.01), means(N, revenue_c, 10))]
    return Scene(metrics=metrics, units=(N, N, N), weights=(3334, 3333, 3333), **fields)  # type: ignore[arg-type]


def test_three_variants__the_better_treatment_is_named_with_the_other_beside_it():
    verdict = three(10.6, names=("Control", "Small model", "Large model")).read().verdict
    assert verdict.headline == "Large model raises revenue per user by 6%."
    assert "Other treatments: Small model: inconclusive." in verdict.explanation


def test_three_variants__nothing_moved__says_it_of_all():
    assert three(10.02).read().verdict.headline == "No treatment changes revenue per user clearly."


def test_three_variants__share_the_risk():
    readout = three(10.205, names=("Control", "Small model", "Large model")).read()
    large = comparison(readout, "revenue", 1)
    assert large.alpha == pytest.approx(0.025)
    assert large.p_value is not None
    assert 0.025 < large.p_value < 0.05
    assert large.adjusted_p_value == pytest.approx(2 * large.p_value)
    assert large.reading is Reading.NO_CLEAR_CHANGE
    assert large.difference_interval is not None
    assert large.difference_interval[0] is not None
    assert large.difference_interval[0] < 0


def test_three_variants__one_harmful_while_running__is_turned_off_alone():
    verdict = three(9.0, names=("Control", "Small model", "Large model"), day=3, stopped=False).read().verdict
    assert verdict.decision == "keep running"
    assert verdict.headline == "Large model lowers revenue per user by 10%. Turn it off; the others may run on."


def test_guardrails__keep_the_whole_alpha_beside_several_primaries():
    readout = Scene(metrics=[revenue(), purchases(), latency()]).read()
    assert [one.comparisons[0].alpha for one in readout.metrics] == pytest.approx([0.025, 0.025, 0.05])


# --- what is called what ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "model", "experiment", "expected"),
    [
        ("Treatment", "ranker v8", "New ranker", "Ranker v8"),
        ("Two towers", "ranker v8", "New ranker", "Two towers"),
        ("Treatment", None, "one-page checkout", "One-page checkout"),
        ("B", None, "Does it help?", "The treatment"),
    ],
)
def test_subject__a_sentence_names_what_was_tried(name, model, experiment, expected):
    scene = Scene(names=("Control", name), model_version=model, experiment_name=experiment)
    assert scene.read().verdict.headline == f"{expected} raises revenue per user by 6%."


def test_verdict__never_uses_words_that_promise_too_much():
    scenes = [Scene(), Scene(day=3, stopped=False), Scene(units=(9_540, 10_460)), three(10.02), Scene(day=5)]
    said = " ".join(
        " ".join([verdict.headline, verdict.explanation, verdict.next_step, *verdict.reasons]).lower()
        for verdict in (scene.read().verdict for scene in scenes)
    )
    assert not [word for word in ("winner", "trending", "confident", "-1", "-2") if word in said]


def test_metric_declared_a_proxy__is_one_whatever_its_name():
    metric = revenue(role=MetricRole.SECONDARY)
    declared = MetricInput(
        plan=replace(
            metric.plan, name="Sessions", display_unit=DisplayUnit.NUMBER, event="", key="s", stands_for=StandsFor.PROXY
        ),
        moments=metric.moments,
    )
    verdict = Scene(metrics=[purchases(treatment=0.047), declared]).read().verdict
    assert verdict.headline == "Sessions rose 6%, purchase rate did not follow: the gain stopped at sessions."


def test_one_unit_counted_zero_everywhere__is_no_reading():
    metric = MetricInput(plan=revenue().plan, moments={"control": means(N, 0, 0), "treatment": means(N, 0, 0)})
    readout = Scene(metrics=[metric]).read()
    assert comparison(readout, "revenue").reading is Reading.TOO_EARLY
    assert comparison(readout, "revenue").p_value is None


def test_read_out__errors_0_against_40__are_read_and_not_waited_for():
    harm = purchases(0.0, 0.002, role=MetricRole.PRIMARY)
    assert harm.moments["control"].mean[0] == 0
    assert comparison(Scene(metrics=[harm]).read(), "purchase-rate").reading is Reading.BETTER


def test_read_out__two_controls__are_refused():
    with pytest.raises(ValueError, match="one variant must be the control"):
        Scene(keys=("control", "control")).read()


def test_read_out__fewest_successes_allowed__are_expected_and_not_observed():
    few = {"control": proportion_moments(1000, 9), "treatment": proportion_moments(1000, 11)}
    readout = Scene(metrics=[MetricInput(plan=purchases().plan, moments=few)], units=(1000, 1000)).read()
    assert comparison(readout, "purchase-rate").reading is Reading.NO_CLEAR_CHANGE
