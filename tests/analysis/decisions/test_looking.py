"""Reading before the planned end, where the plan allows for it; and changes too small to matter."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.decisions.inputs import MetricInput
from analysis.decisions.readout import Readout
from analysis.results.schema import Reading
from analysis.stats.group_sequential import SequentialPlan, boundaries
from analysis.stats.looks import AnyLooks, Looking, PlannedLooks
from analysis.stats.moments import Moments, proportion_moments
from experiments.domain.metrics import MetricRole
from tests.analysis.decisions.scenes import N, Scene, comparison, latency, means, purchases, revenue
from tests.analysis.stats.cases import tolerance

PLAN = SequentialPlan(alpha=0.05, planned_information=14.0, planned_looks=14)


def planned(day: int, *, final: bool = False) -> PlannedLooks:
    return PlannedLooks(plan=PLAN, information=tuple(float(d) for d in range(1, day + 1)), final=final)


def at_day(day: int, metrics: list[MetricInput], looking: Looking | None, **changes: object) -> Readout:
    scene = Scene(metrics=metrics, day=day, stopped=False, looking=looking, **changes)  # type: ignore[arg-type]
    return scene.read()


def test_looking__large_gain_at_half_time__ships_early_and_says_that_stopping_overstates():
    found = at_day(7, [revenue(), latency()], planned(7))
    assert found.verdict.decision == "ship"
    one = comparison(found, "revenue")
    assert one.reading is Reading.BETTER
    assert one.boundary == pytest.approx(boundaries(PLAN, range(1, 8)).upper[-1])
    assert one.unbiased_difference is not None
    assert 0 < one.unbiased_difference < (one.difference or 0)
    assert "read on day 7 of 14, look 7 of 14" in found.verdict.reasons[0]
    assert "An early stop overstates" in found.verdict.reasons[0]


def test_not_looking__the_same_gain_at_half_time__keeps_running():
    found = at_day(7, [revenue(), latency()], None)
    assert found.verdict.decision == "keep running"
    assert comparison(found, "revenue").boundary is None


def test_looking__gain_short_of_its_boundary__keeps_running_with_an_interval_that_covers_zero():
    metric = revenue(treatment=10.25)  # z = 2.5 at half time, where the boundary is 3.0
    found = at_day(7, [metric, latency()], planned(7))
    one = comparison(found, "revenue")
    assert found.verdict.decision == "keep running"
    assert one.reading is Reading.NO_CLEAR_CHANGE
    assert one.difference_interval is not None
    assert one.difference_interval[0] is not None
    assert one.difference_interval[0] < 0
    assert one.p_value is not None
    assert one.p_value >= 0.05
    assert "nothing is decided" in found.verdict.headline


def test_looking__gain_beside_a_guardrail_not_shown_to_hold__keeps_running_and_names_it():
    found = at_day(7, [revenue(), latency(treatment=203.0)], planned(7))
    assert found.verdict.decision == "keep running"
    assert "Still open: latency." in found.verdict.explanation


def test_looking__first_day_with_a_disaster__stops_although_the_boundary_is_far_out():
    found = at_day(1, [revenue(treatment=9.4), latency()], planned(1))
    one = comparison(found, "revenue")
    assert (found.verdict.decision, one.reading) == ("do not ship", Reading.WORSE)
    assert one.alpha == 0.001  # what is shown is the test that it passed
    assert one.p_value is not None
    assert one.p_value < 0.001
    assert one.difference_interval is not None
    assert one.difference_interval[1] is not None
    assert one.difference_interval[1] < 0


def test_looking__first_hour_of_a_long_plan__has_no_interval_and_says_why():
    looking = PlannedLooks(plan=PLAN, information=(0.05,))
    one = comparison(at_day(1, [revenue(), latency()], looking), "revenue")
    assert one.difference_interval == (None, None)
    assert one.p_value == 1.0
    assert any("may not stop" in warning for warning in one.warnings)


def test_looking__crossed_guardrail_early__stops():
    found = at_day(3, [revenue(), latency(treatment=212.0)], planned(3))
    assert found.verdict.decision == "do not ship"
    assert comparison(found, "latency").margin_crossed is True


def test_looking__planned_end__spends_the_rest_and_is_close_to_one_look():
    found = Scene(metrics=[revenue(), latency()], looking=planned(14)).read()
    assert found.verdict.decision == "ship"
    assert comparison(found, "revenue").boundary == pytest.approx(2.1026, abs=1e-3)


def test_looking__stopped_by_hand_before_the_end__is_read_at_its_boundary_and_not_refused():
    good = Scene(metrics=[revenue(), latency()], day=7, looking=planned(7)).read()
    flat = Scene(metrics=[revenue(treatment=10.1), latency()], day=7, looking=planned(7)).read()
    assert (good.verdict.decision, flat.verdict.decision) == ("ship", "inconclusive")


def test_looking__no_information_since_the_last_look__cannot_be_read():
    looking = PlannedLooks(plan=PLAN, information=(7.0, 7.0))
    one = comparison(at_day(7, [revenue(), latency()], looking), "revenue")
    assert one.reading is Reading.TOO_EARLY
    assert one.p_value is None


def test_looking__as_often_as_one_likes__ships_a_large_gain_early():
    found = at_day(7, [revenue(), latency()], AnyLooks(tuned_for=40_000))
    assert found.verdict.decision == "ship"
    assert comparison(found, "revenue").boundary == pytest.approx(1.5486 * 1.96, abs=1e-3)
    assert comparison(found, "revenue").unbiased_difference is None


def test_looking__as_often_as_one_likes__refuses_before_fifty_conversions():
    metric = purchases(control=0.002, treatment=0.008, n=10_000)
    one = comparison(at_day(7, [metric], AnyLooks(tuned_for=40_000), units=(10_000, 10_000)), "purchase-rate")
    assert one.reading is Reading.TOO_EARLY
    assert any("50 successes" in warning for warning in one.warnings)


@pytest.mark.parametrize("runs", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_looking__fourteen_daily_looks_without_effect__ship_at_most_one_time_in_forty(runs):
    """One primary, two-sided 5 %: half of the false calls are gains. Asked through the one door, every day."""
    random, per_day, shipped = np.random.default_rng(20260350), 1400, 0
    for _ in range(runs):
        days = random.normal(10, 10 / math.sqrt(per_day), (14, 2)).cumsum(axis=0)
        for day in range(1, 15):
            n = per_day * day
            control, treatment = (means(n, float(total) / day, 10.0) for total in days[day - 1])
            metric = MetricInput(plan=revenue().plan, moments={"control": control, "treatment": treatment})
            if at_day(day, [metric], planned(day), units=(n, n)).verdict.decision == "ship":
                shipped += 1
                break
    assert shipped / runs <= 0.025 + tolerance(0.025, runs)


# --- smaller than what matters ----------------------------------------------------------------------------------------


def mattering(metric: MetricInput, change: float) -> MetricInput:
    return MetricInput(plan=replace(metric.plan, matters=change), moments=metric.moments)


def test_matters__96_percent_against_95_8__is_significant_and_too_small():
    n = 2_000_000
    rates = {"control": 0.958, "treatment": 0.960}
    metric = purchases()
    plan = replace(metric.plan, matters=0.01)
    found = Scene(
        metrics=[
            MetricInput(plan=plan, moments={key: proportion_moments(n, round(n * rate)) for key, rate in rates.items()})
        ],
        units=(n, n),
    ).read()
    one = comparison(found, "purchase-rate")
    assert (one.reading, one.size) == (Reading.BETTER, "smaller than what matters")
    assert found.verdict.decision == "inconclusive"
    assert found.verdict.headline == "Purchase rate rose 0.21%: smaller than the 1% that matters."


def test_matters__no_change_in_a_large_experiment__is_shown_to_be_too_small():
    found = Scene(metrics=[mattering(revenue(treatment=10.01, sd=1.0), 0.02), latency()]).read()
    assert found.verdict.headline == "No change that matters in revenue per user: smaller than the 2% that matters."


def test_matters__large_gain__still_ships():
    found = Scene(metrics=[mattering(revenue(), 0.02), latency()]).read()
    assert found.verdict.decision == "ship"
    assert comparison(found, "revenue").size == "large enough to matter"


def test_matters__not_named__says_nothing():
    assert comparison(Scene().read(), "revenue").size is None


def test_matters__broken_split__says_nothing():
    found = Scene(metrics=[mattering(revenue(), 0.02)], units=(N, N // 2)).read()
    assert comparison(found, "revenue").size is None


def test_health__split__carries_the_p_value_that_may_be_looked_at_daily():
    assert Scene().read().health.srm.sequential_p_value == 1.0
    broken = Scene(units=(N, N // 2)).read().health.srm.sequential_p_value
    assert broken is not None
    assert broken < 1e-6


def test_looking__empty_variant__is_too_early():
    metric = MetricInput(plan=revenue().plan, moments={"control": means(N, 10, 10), "treatment": Moments.empty(1)})
    found = at_day(7, [metric], planned(7), units=(N, 0))
    assert comparison(found, "revenue").reading in (Reading.TOO_EARLY, Reading.NOT_TRUSTWORTHY)
    assert metric.plan.role is MetricRole.PRIMARY


def test_smaller_than_what_matters__at_an_early_look__must_pass_its_boundary():
    metric = revenue(treatment=10.01)
    metric = replace(metric, plan=replace(metric.plan, matters=0.05))
    once = comparison(Scene(metrics=[metric]).read(), "revenue")
    early = comparison(at_day(1, [metric], planned(1)), "revenue")
    late = comparison(at_day(14, [metric], planned(14, final=True)), "revenue")
    assert (once.size, early.size, late.size) == (
        "smaller than what matters", "may or may not matter", "smaller than what matters",
    )  # fmt: skip
    assert comparison(at_day(7, [metric], None), "revenue").size is None
