"""Families of comparisons, the shares of a decision's risks, and equivalence."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_ind

from analysis.stats.allotment import RuleTests, allot, ships
from analysis.stats.equivalence import Equivalence, Size, equivalence, relative_equivalence, tost
from analysis.stats.estimates import Estimate, mean
from analysis.stats.moments import Moments
from analysis.stats.multiplicity import Correction, correct, e_bh, holm, selected_intervals, simultaneous_alpha
from analysis.stats.noninferiority import MarginTest, margin_test
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE

# Benjamini and Hochberg 1995, section 3.1: fifteen p-values of a trial of thrombolysis
BH_1995 = (
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("correction", "calls"),
    [
        (Correction.NONE, 9),
        (Correction.BONFERRONI, 3),
        (Correction.HOLM, 3),
        (Correction.HOMMEL, 3),
        (Correction.BENJAMINI_HOCHBERG, 4),
        (Correction.BENJAMINI_YEKUTIELI, 3),
    ],
)
def test_correct__benjamini_hochberg_1995__calls_as_many_as_published(correction, calls):
    assert sum(correct(BH_1995, correction).called) == calls


def test_correct__benjamini_hochberg_1995__adjusts_as_known():
    found = correct(BH_1995, Correction.BENJAMINI_HOCHBERG).adjusted[:4]
    assert found == pytest.approx((0.0015, 0.003, 0.0095, 0.035625))
    assert holm(BH_1995)[:5] == pytest.approx((0.0015, 0.0056, 0.0247, 0.114, 0.2211), abs=1e-4)


P_VALUES = st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12)


@PURE
@given(P_VALUES, st.sampled_from(list(Correction)))
def test_correct__any_family__never_lowers_a_p_value_and_leaves_what_is_missing(p_values, correction):
    found = correct(p_values, correction)
    for p, adjusted, called in zip(p_values, found.adjusted, found.called, strict=True):
        if p is None:
            assert adjusted is None
            assert not called
        else:
            assert adjusted is not None
            assert adjusted >= p - 1e-12
            assert called == (adjusted < 0.05)


@PURE
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_correct__any_family__holm_as_statsmodels_has_it_and_strict_methods_call_less(p_values):
    with mock.patch("gc.collect"):  # statsmodels collects all garbage of the process after each family
        assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    calls = [
        sum(correct(p_values, one).called)
        for one in (Correction.BONFERRONI, Correction.HOLM, Correction.BENJAMINI_HOCHBERG, Correction.NONE)
    ]
    assert calls == sorted(calls)


def test_correct__p_value_above_one__is_refused():
    with pytest.raises(ValueError, match="0 to 1"):
        correct([0.5, 1.2], Correction.HOLM)


def test_e_bh__by_its_definition__calls_the_largest():
    assert e_bh([100.0, 45.0, 30.0, 1.0], 0.05) == (True, True, True, False)
    assert e_bh([79.0, 1.0, 1.0, 1.0], 0.05) == (False,) * 4
    assert e_bh([80.0, 1.0, 1.0, 1.0], 0.05) == (True, False, False, False)
    assert e_bh([], 0.05) == ()
    with pytest.raises(ValueError, match="0 or more"):
        e_bh([-1.0], 0.05)


@PURE
@given(st.lists(st.floats(1e-8, 1), min_size=1, max_size=10))
def test_e_bh__e_values_as_inverse_p_values__is_benjamini_hochberg(p_values):
    bh = correct(p_values, Correction.BENJAMINI_HOCHBERG, 0.05)
    close = any(adjusted is not None and abs(adjusted - 0.05) < 1e-9 for adjusted in bh.adjusted)
    if not close:
        assert e_bh([1 / p for p in p_values], 0.05) == bh.called


@pytest.mark.parametrize("runs", [400, pytest.param(6000, marks=pytest.mark.slow)])
def test_selected_intervals__after_choosing_the_significant__cover_as_promised(runs):
    random, m = np.random.default_rng(20260325), 50
    truth = np.where(np.arange(m) < 10, 3.0, 0.0)
    wrong, naive_wrong = [], []
    for _ in range(runs):
        x = truth + random.normal(size=m)
        p = 2 * stats.norm.sf(np.abs(x))
        called = correct([float(one) for one in p], Correction.BENJAMINI_HOCHBERG).called
        found = selected_intervals([(float(one), 1.0) for one in x], called, 0.05)
        missed = [one is not None and not one[0] <= t <= one[1] for one, t in zip(found, truth, strict=True)]
        wrong.append(sum(missed) / max(1, sum(called)))
        naive_wrong.append((np.abs(x - truth)[list(called)] > 1.96).sum() / max(1, sum(called)))
    assert np.mean(wrong) <= 0.05 + 3 * np.std(wrong) / math.sqrt(runs)
    assert np.mean(naive_wrong) > 0.05 + 3 * np.std(naive_wrong) / math.sqrt(runs)  # plain intervals do not


def test_selected_intervals__none_called__are_none():
    assert selected_intervals([(1.0, 1.0)], [False], 0.05) == (None,)
    assert simultaneous_alpha(0.05, 4) == 0.0125


# --- allotment --------------------------------------------------------------------------------------------------------


def test_allot__two_success_metrics_three_guardrails_two_treatments__is_as_in_the_paper():
    found = allot(success_metrics=2, comparisons=2, guardrails=3)
    assert (found.success_alpha, found.guardrail_alpha) == (0.0125, 0.05)
    assert found.beta == pytest.approx(0.05)
    assert found.power == pytest.approx(0.95)


def test_allot__risk_of_false_alarms__is_taken_from_beta():
    found = allot(success_metrics=1, guardrails=1, deterioration_risk=0.02, deterioration_tests=4)
    assert found.deterioration_alpha == pytest.approx(0.005)
    assert found.beta == pytest.approx(0.09)


@pytest.mark.parametrize("asked", [{"success_metrics": 0}, {"success_metrics": 1, "deterioration_risk": 0.2}])
def test_allot__impossible__is_refused(asked):
    with pytest.raises(ValueError, match=r"got 0|lower one"):
        allot(**asked)


def test_ships__needs_one_gain_all_guardrails_nothing_worse_and_quality():
    shares = allot(success_metrics=2, guardrails=1, deterioration_risk=0.02, deterioration_tests=2)
    good = {"success": [(0.001, True), (0.9, False)], "guardrails": [0.01], "deterioration": [0.5], "quality": [True]}
    assert ships(RuleTests(**good), shares)
    for change in (
        {"success": [(0.001, False), (0.03, True)]},
        {"guardrails": [0.06]},
        {"deterioration": [0.001]},
        {"quality": [True, False]},
    ):
        assert not ships(RuleTests(**{**good, **change}), shares)


# --- equivalence ------------------------------------------------------------------------------------------------------


def sample(seed: int, n: int, shift: float, sd: float) -> np.ndarray:
    return np.random.default_rng(seed).normal(10 + shift, sd, n)


@pytest.mark.parametrize("margin", [0.1, 0.3, 1.0])
@pytest.mark.parametrize(("n0", "n1", "shift"), [(40, 60, 0.1), (300, 100, -0.2), (1000, 1000, 0.0)])
def test_equivalence__over_a_grid__agrees_with_statsmodels(margin, n0, n1, shift):
    x, y = sample(1, n0, 0, 1.0), sample(2, n1, shift, 1.4)
    p, low, high = ttost_ind(y, x, -margin, margin, usevar="unequal")
    found = equivalence(mean(Moments.from_values(x)), mean(Moments.from_values(y)), margin=margin, alpha=0.05)
    assert isinstance(found, Equivalence)
    assert (found.p_value, found.p_low, found.p_high) == pytest.approx((p, low[1], high[1]), rel=1e-8)


@PURE
@given(st.floats(-2, 2), st.floats(0.01, 2), st.floats(0.01, 2), st.sampled_from([0.01, 0.05, 0.1]))
def test_tost__any_effect__is_significant_exactly_when_its_interval_lies_within(value, se, margin, alpha):
    found = tost(value, se, math.inf, low=-margin, high=margin, alpha=alpha)
    assert isinstance(found, Equivalence)
    if abs(found.p_value - alpha) > 1e-9:
        inside = -margin < found.interval[0] and found.interval[1] < margin
        assert inside == (found.p_value < alpha) == (found.size is Size.NEGLIGIBLE)


def units(value: float, n: int = 10_000, sd: float = 1.0) -> Estimate:
    return Estimate(n=n, value=value, variance=sd**2 / n, df=n - 1)


@PURE
@given(st.floats(-0.05, 0.05), st.floats(0.002, 0.05))
def test_relative_equivalence__each_side__is_the_non_inferiority_test_and_matches_its_interval(lift, margin):
    control, treatment = units(10.0), units(10.0 * (1 + lift))
    found = relative_equivalence(control, treatment, margin=margin, alpha=0.05)
    assert isinstance(found, Equivalence)
    lower = margin_test(control, treatment, margin, higher_is_better=True)
    upper = margin_test(control, treatment, margin, higher_is_better=False)
    assert isinstance(lower, MarginTest)
    assert isinstance(upper, MarginTest)
    assert (found.p_low, found.p_high) == pytest.approx((lower.p_held, upper.p_held))
    if abs(found.p_value - 0.05) > 1e-9:
        assert (found.p_value < 0.05) == (-margin < found.interval[0] and found.interval[1] < margin)


def test_size__96_percent_against_95_8__is_smaller_than_what_matters():
    n = 2_000_000
    arms = [Estimate(n=n, value=p, variance=p * (1 - p) / n, df=math.inf) for p in (0.958, 0.960)]
    found = relative_equivalence(arms[0], arms[1], margin=0.01, alpha=0.05)
    assert isinstance(found, Equivalence)
    assert found.size is Size.NEGLIGIBLE
    assert abs(arms[1].value - arms[0].value) / math.sqrt(arms[0].variance + arms[1].variance) > 5  # yet significant


def test_size__far_beyond_the_limit__matters_and_a_wide_interval_leaves_it_open():
    beyond = relative_equivalence(units(10), units(12), margin=0.01, alpha=0.05)
    wide = relative_equivalence(units(10, n=20), units(10.1, n=20), margin=0.01, alpha=0.05)
    assert isinstance(beyond, Equivalence)
    assert isinstance(wide, Equivalence)
    assert (beyond.size, wide.size) == (Size.MATTERS, Size.OPEN)


def test_equivalence__nothing_to_test__is_not_computable():
    flat = Estimate(n=5, value=1.0, variance=0.0, df=4)
    assert isinstance(equivalence(flat, flat, margin=1, alpha=0.05), NotComputable)
    assert isinstance(relative_equivalence(flat, flat, margin=0.1, alpha=0.05), NotComputable)
    negative = Estimate(n=5, value=-1.0, variance=1.0, df=4)
    assert isinstance(relative_equivalence(negative, negative, margin=0.1, alpha=0.05), NotComputable)
    assert isinstance(tost(0.0, 0.0, math.inf, low=-1, high=1, alpha=0.05), NotComputable)
    with pytest.raises(ValueError, match="below the upper"):
        tost(0.0, 1.0, math.inf, low=1, high=-1, alpha=0.05)


def test_correct__shared_reference__agrees_to_its_tolerance():
    case = cases.reference("bh1995")
    p, told = case["inputs"]["p"], case["expected"]
    names = {
        "bonferroni": Correction.BONFERRONI,
        "holm": Correction.HOLM,
        "hommel": Correction.HOMMEL,
        "fdr_bh": Correction.BENJAMINI_HOCHBERG,
        "fdr_by": Correction.BENJAMINI_YEKUTIELI,
    }
    assert {name: sum(correct(p, method).called) for name, method in names.items()} == {
        name: told[name] for name in names
    }
    assert correct(p, Correction.BENJAMINI_HOCHBERG).adjusted[:6] == pytest.approx(told["bh_adj_first6"], abs=1e-5)
    assert correct(p, Correction.HOLM).adjusted[:6] == pytest.approx(told["holm_adj_first6"], abs=1e-5)
