"""The guards beside a comparison: small counts, skew, and a guardrail's margin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats
from statsmodels.stats.weightstats import ttost_ind

from analysis.stats.compare import Difference, compare
from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.moments import Moments, mean_moments, proportion_moments
from analysis.stats.noninferiority import MarginTest, margin_test
from analysis.stats.skewness import kappa
from analysis.stats.small_counts import Interval, proportion_interval, small_counts
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE


def proportion(n: int, successes: int) -> Estimate:
    found = estimate(Form.PROPORTION, proportion_moments(n, successes))
    assert isinstance(found, Estimate)
    return found


# --- small counts -----------------------------------------------------------------------------------------------------


def test_small_counts__newcombe_table__agrees():
    found = small_counts(proportion(80, 48), proportion(70, 56), 0.05)
    assert found is not None
    # Newcombe 1998, Table II, method 10: .0524 to .3339; seven digits by statsmodels 0.15
    assert found.interval == pytest.approx((0.0524315, 0.3338727), abs=1e-6)
    assert found.smallest == 14


def test_small_counts__shared_reference__agrees_to_its_tolerance():
    case = cases.reference("newcombe")
    found = small_counts(proportion(80, 48), proportion(70, 56), 0.05)
    assert found is not None
    assert found.interval == pytest.approx(tuple(case["expected"]["newcombe"]), abs=float(case["tol"]))
    wald = compare(Form.PROPORTION, proportion_moments(80, 48), proportion_moments(70, 56)).difference
    assert isinstance(wald, Difference)
    assert wald.interval == pytest.approx(tuple(case["expected"]["wald"]), abs=float(case["tol"]))
    for name, method in (("score", Interval.SCORE), ("agresti_caffo", Interval.AGRESTI_CAFFO)):
        interval = proportion_interval(proportion(80, 48), proportion(70, 56), 0.05, method)
        assert interval == pytest.approx(tuple(case["expected"][name]), abs=float(case["tol"]))


def test_small_counts__twenty_of_each__needs_no_second_interval():
    assert small_counts(proportion(500, 20), proportion(500, 480), 0.05) is None


def test_compare__few_clicks__names_the_better_interval():
    notes = compare(Form.PROPORTION, proportion_moments(1000, 3), proportion_moments(1000, 14)).notes
    assert any("Only 3 successes or failures" in note and "Newcombe" in note for note in notes)


# --- skew -------------------------------------------------------------------------------------------------------------


def test_kappa__skewed_and_unbalanced__raises_the_flag_and_balance_lowers_it():
    random = np.random.default_rng(7)
    pool = Moments.from_values(cases.zero_inflated_lognormal(random, (400_000,)))

    def of(n: int) -> Moments:
        assert pool.third is not None
        share = n / pool.n
        return Moments(n=n, mean=pool.mean, comoment=pool.comoment * share, third=pool.third * share)

    unbalanced, balanced = kappa(of(9000), of(1000)), kappa(of(2000), of(2000))
    assert isinstance(unbalanced, float)
    assert isinstance(balanced, float)
    assert unbalanced > 0.12
    assert abs(balanced) < 1e-12
    notes = compare(Form.MEAN, of(9000), of(1000)).notes
    assert any("do not claim a direction" in note for note in notes)


def test_kappa__one_sample_against_a_constant__is_the_skewness_over_root_n():
    values = np.random.default_rng(8).gamma(1.0, 1.0, 5000)
    still = Moments(n=5000, mean=np.zeros(1), comoment=np.zeros((1, 1)), third=np.zeros(1))
    found = kappa(still, Moments.from_values(values))
    assert isinstance(found, float)
    assert found == pytest.approx(float(stats.skew(values)) / math.sqrt(5000), rel=1e-3)


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (mean_moments(9, 5, 7), "third moments"),
        (Moments.empty(with_third=True), "fewer than two"),
        (mean_moments(9, 0, 0, 0), "no unit differs"),
    ],
)
def test_kappa__what_it_needs_is_missing__is_not_computable(control, reason):
    still = mean_moments(9, 0, 0, 0)
    found = kappa(control, still)
    assert isinstance(found, NotComputable)
    assert reason in found.reason


# --- margins ----------------------------------------------------------------------------------------------------------


def held(control: Estimate, treatment: Estimate, margin: float, *, higher: bool) -> MarginTest:
    found = margin_test(control, treatment, margin, higher_is_better=higher)
    assert isinstance(found, MarginTest)
    return found


def test_margin__zero__is_the_one_sided_test_of_the_difference():
    control, treatment = proportion(5000, 400), proportion(5000, 460)
    p = held(control, treatment, 0.0, higher=True).p_held
    numbers = compare(Form.PROPORTION, proportion_moments(5000, 400), proportion_moments(5000, 460))
    assert isinstance(numbers.difference, Difference)
    assert p == pytest.approx(numbers.difference.p_value / 2, rel=1e-12)


def test_margin__contrast__agrees_with_statsmodels_tost_on_a_rescaled_control():
    random = np.random.default_rng(9)
    a, b = random.normal(10, 3, 400), random.normal(9.9, 4, 350)
    control, treatment = (estimate(Form.MEAN, Moments.from_values(one)) for one in (a, b))
    assert isinstance(control, Estimate)
    assert isinstance(treatment, Estimate)
    _, lower, _ = ttost_ind(b, 0.95 * a, 0, 1, usevar="unequal")
    assert held(control, treatment, 0.05, higher=True).p_held == pytest.approx(float(lower[1]), rel=1e-9)


@PURE
@given(st.integers(50, 450), st.integers(50, 450), st.floats(0, 0.3), st.booleans())
def test_margin__held_and_crossed__are_the_two_sides_of_one_test(x0, x1, margin, higher):
    found = held(proportion(500, x0), proportion(500, x1), margin, higher=higher)
    assert found.p_held + found.p_crossed == pytest.approx(1.0)
    assert (found.p_held < 0.5) == (found.statistic > 0)


@PURE
@given(st.integers(50, 450), st.integers(50, 450), st.floats(0, 0.2), st.floats(0.001, 0.1))
def test_margin__wider__is_easier_to_hold(x0, x1, margin, more):
    control, treatment = proportion(500, x0), proportion(500, x1)
    narrow, wide = (held(control, treatment, one, higher=False) for one in (margin, margin + more))
    assert wide.p_held <= narrow.p_held + 1e-12


def test_margin__direction__decides_which_side_is_safe():
    control, slower = proportion(5000, 1000), proportion(5000, 1200)
    assert held(control, slower, 0.02, higher=False).p_crossed < 0.001
    assert held(control, slower, 0.02, higher=True).p_held < 0.001


def test_margin__negative__is_refused():
    with pytest.raises(ValueError, match="0 or more"):
        margin_test(proportion(50, 5), proportion(50, 5), -0.1, higher_is_better=True)


def test_margin__negative_control__is_not_computable():
    loss = Estimate(n=50, value=-1.0, variance=0.1, df=49)
    assert isinstance(margin_test(loss, loss, 0.1, higher_is_better=True), NotComputable)


def test_margin__no_spread__is_not_computable():
    still = Estimate(n=50, value=1.0, variance=0.0, df=49)
    assert isinstance(margin_test(still, still, 0.1, higher_is_better=True), NotComputable)


# Newcombe 1998, Statistics in Medicine 17, table II, method 6 (Miettinen-Nurminen), 56/70 and 48/80: .0528 to .3382.
def test_miettinen_nurminen__newcombes_table__is_reproduced():
    control, treatment = (proportion(n, x) for n, x in ((80, 48), (70, 56)))
    found = proportion_interval(control, treatment, 0.05, Interval.MIETTINEN_NURMINEN)
    assert found == pytest.approx((0.0528, 0.3382), abs=5e-5)


@PURE
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.05, 0.2]))
def test_miettinen_nurminen__any_counts__ends_are_where_the_score_test_just_rejects(n0, n1, part0, part1, alpha):
    x0, x1 = round(part0 * n0), round(part1 * n1)
    control, treatment = proportion(n0, x0), proportion(n1, x1)
    low, high = proportion_interval(control, treatment, alpha, Interval.MIETTINEN_NURMINEN)
    assert -1 <= low <= x1 / n1 - x0 / n0 <= high <= 1
    swapped = proportion_interval(treatment, control, alpha, Interval.MIETTINEN_NURMINEN)
    assert swapped == pytest.approx((-high, -low), abs=1e-6)
    for end in (low, high):
        if abs(end) < 1 - 1e-6:
            assert _score(x1, n1, x0, n0, end) == pytest.approx(stats.norm.isf(alpha / 2), abs=1e-3)


def _score(x1: int, n1: int, x0: int, n0: int, change: float) -> float:
    """The score test with the restricted shares found by a numerical search."""

    def unlikely(p: float) -> float:
        return -sum(
            float(special.xlogy(x, q) + special.xlog1py(n - x, -q)) for x, n, q in ((x0, n0, p), (x1, n1, p + change))
        )

    low, high = max(0.0, -change), min(1.0, 1 - change)
    p = optimize.minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    variance = (p * (1 - p) / n0 + (p + change) * (1 - p - change) / n1) * (n0 + n1) / (n0 + n1 - 1)
    return abs(x1 / n1 - x0 / n0 - change) / float(np.sqrt(variance))
