"""Differences: golden numbers, agreement with scipy and statsmodels, and properties that hold for any data."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, test_proportions_2indep
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from analysis.stats.compare import ComparisonNumbers, Difference, compare
from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.moments import Moments, mean_moments, pair_moments, proportion_moments
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE

wald = test_proportions_2indep
wald.__test__ = False  # statsmodels' name looks like a test to pytest


def found(numbers: ComparisonNumbers) -> Difference:
    assert isinstance(numbers.difference, Difference), numbers.notes
    return numbers.difference


def mirrored(numbers: ComparisonNumbers) -> tuple[float, float]:
    low, high = found(numbers).interval
    return -high, -low


# --- golden numbers ---------------------------------------------------------------------------------------------------


def test_welch__growthbook_vector__agrees_to_nine_digits():
    welch = found(compare(Form.MEAN, cases.GROWTHBOOK_CONTROL, cases.GROWTHBOOK_TREATMENT))
    # gbstats test_two_sided_ttest_absolute (5 digits) and scipy.stats.ttest_ind_from_stats(equal_var=False)
    assert welch.value == pytest.approx(0.29, rel=1e-9)
    assert welch.standard_error == pytest.approx(0.12478363158758794, rel=1e-9)
    assert welch.df == pytest.approx(5841.742032093565, rel=1e-9)
    assert welch.statistic == pytest.approx(2.3240227609215203, rel=1e-9)
    assert welch.p_value == pytest.approx(0.020158402643586978, rel=1e-9)
    assert welch.interval == pytest.approx((0.04537789255929012, 0.5346221074407098), rel=1e-9)


def test_welch__shared_reference__agrees_to_its_tolerance():
    case = cases.reference("welch_abs")
    arms = [
        mean_moments(arm["n"], arm["sum"], arm["sumsq"])
        for arm in (case["inputs"]["control"], case["inputs"]["treatment"])
    ]
    welch, expected = found(compare(Form.MEAN, *arms)), case["expected"]
    assert (welch.value, welch.standard_error, welch.df, welch.statistic, welch.p_value) == pytest.approx(
        tuple(expected[name] for name in ("diff", "se", "df", "t", "p")), rel=float(case["tol"])
    )
    assert welch.interval == pytest.approx(tuple(expected["ci95"]), rel=float(case["tol"]))


def test_welch__tea_tasting_revenue__agrees():
    welch = found(compare(Form.MEAN, cases.SHOP_CONTROL_REVENUE, cases.SHOP_TREATMENT_REVENUE))
    # tea_tasting.Mean("revenue") 1.14.0 on the data named in cases.py
    assert welch.value == pytest.approx(0.4890831, abs=1e-7)
    assert welch.interval == pytest.approx((-0.13261881, 1.11078502), abs=1e-7)
    assert welch.p_value == pytest.approx(0.12306989, abs=1e-7)


def test_ratio__tea_tasting_orders_per_session__agrees():
    numbers = compare(Form.RATIO, cases.SHOP_CONTROL_ORDERS, cases.SHOP_TREATMENT_ORDERS)
    # tea_tasting.RatioOfMeans("orders", "sessions") 1.14.0 on the data named in cases.py
    assert found(numbers).value == pytest.approx(0.02330500550889003, rel=1e-9)
    assert found(numbers).standard_error == pytest.approx(0.013141379922, rel=1e-9)
    assert found(numbers).p_value == pytest.approx(0.07623759978168303, rel=1e-9)
    assert found(numbers).interval == pytest.approx((-0.0024594336679094504, 0.04906944468568951), rel=1e-8)


@pytest.mark.parametrize(
    ("clicks", "z", "p", "rounded_p"),
    [
        # 10,000 impressions a policy of the Open Bandit sample (Saito et al. 2021, Apache-2.0): uniform random, then
        # Bernoulli Thompson sampling. z and p by hand from p(1-p)/n; rounded as its README gives them.
        pytest.param((46, 69), 2.151202800169008, 0.03146019612473556, 0.0315, id="men"),
        pytest.param((38, 42), 0.44811296451694194, 0.6540716719835671, 0.654, id="all"),
    ],
)
def test_proportion__open_bandit_campaigns__are_read_as_published(clicks, z, p, rounded_p):
    numbers = compare(Form.PROPORTION, *(proportion_moments(10_000, count) for count in clicks))
    assert found(numbers).statistic == pytest.approx(z, rel=1e-12)
    assert found(numbers).p_value == pytest.approx(p, rel=1e-12)
    assert found(numbers).p_value == pytest.approx(rounded_p, abs=5e-5 if rounded_p < 0.1 else 5e-4)


def test_proportion__open_bandit_rows__hold_the_counts_of_the_golden_case():
    import csv
    import gzip
    from collections import Counter

    path = cases.shared_file("data/open_bandit/open_bandit_all_men.csv.gz")
    rows, clicks = Counter(), Counter()
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            rows[row["campaign"], row["policy"]] += 1
            clicks[row["campaign"], row["policy"]] += int(row["click"])
    assert set(rows.values()) == {10_000}
    assert clicks == {("men", "random"): 46, ("men", "bts"): 69, ("all", "random"): 38, ("all", "bts"): 42}


def test_proportion__newcombe_table__wald_interval_agrees():
    numbers = compare(Form.PROPORTION, proportion_moments(80, 48), proportion_moments(70, 56))
    # Newcombe 1998, Table II, example (a): 56/70 against 48/80
    assert found(numbers).interval == pytest.approx((0.0575049, 0.3424951), abs=1e-7)


# --- agreement with independent packages ------------------------------------------------------------------------------

ARMS = [(30, 1.0, 1.0), (200, 1.1, 4.0), (5000, 0.9, 0.2), (41, 250.0, 90.0), (10**6, 1e6, 1.0)]


@pytest.mark.parametrize("control", ARMS)
@pytest.mark.parametrize("treatment", ARMS)
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_welch__grid__agrees_with_scipy_and_statsmodels(control, treatment, alpha):
    (n0, m0, s0), (n1, m1, s1) = control, treatment
    welch = found(
        compare(
            Form.MEAN,
            cases.from_mean(n0, m0, (n0 - 1) * s0**2),
            cases.from_mean(n1, m1, (n1 - 1) * s1**2),
            alpha,
        )
    )
    expected = stats.ttest_ind_from_stats(m1, s1, n1, m0, s0, n0, equal_var=False)
    assert welch.statistic == pytest.approx(float(expected.statistic), rel=1e-10)
    assert welch.p_value == pytest.approx(float(expected.pvalue), rel=1e-9)
    two = CompareMeans(weighted(n1, m1, s1), weighted(n0, m0, s0))
    scale = max(abs(m0), abs(m1))
    assert welch.interval == pytest.approx(
        two.tconfint_diff(alpha=alpha, usevar="unequal"), abs=1e-12 * scale, rel=1e-7
    )


def weighted(n: int, mean: float, sd: float) -> DescrStatsW:
    """Two points of weight n / 2 each that have this mean and sample variance."""
    off = sd * math.sqrt((n - 1) / n)
    return DescrStatsW([mean - off, mean + off], weights=[n / 2, n / 2])


@pytest.mark.parametrize("control", [(1000, 30), (40, 20), (10_000, 9_970), (250, 1)])
@pytest.mark.parametrize("treatment", [(1200, 45), (38, 5), (5_000, 4_999)])
def test_proportion__grid__agrees_with_statsmodels_wald(control, treatment):
    (n0, x0), (n1, x1) = control, treatment
    numbers = found(compare(Form.PROPORTION, proportion_moments(n0, x0), proportion_moments(n1, x1)))
    expected = wald(x1, n1, x0, n0, method="wald", compare="diff")
    assert numbers.statistic == pytest.approx(float(expected.statistic), rel=1e-10)
    assert numbers.p_value == pytest.approx(float(expected.pvalue), rel=1e-9)
    assert numbers.interval == pytest.approx(confint_proportions_2indep(x1, n1, x0, n0, method="wald"), rel=1e-9)


def test_ratio__denominator_one_for_every_unit__is_the_mean():
    random = np.random.default_rng(4)
    values = [random.gamma(2, 3, n) for n in (300, 250)]
    pairs = [Moments.from_values(np.column_stack([one, np.ones_like(one)])) for one in values]
    ratio, mean = compare(Form.RATIO, *pairs), compare(Form.MEAN, *(Moments.from_values(one) for one in values))
    assert found(ratio).p_value == pytest.approx(found(mean).p_value, rel=1e-9)
    assert found(ratio).interval == pytest.approx(found(mean).interval, rel=1e-9)


def test_ratio__delta_variance__agrees_with_a_jackknife_over_units():
    random = np.random.default_rng(5)
    sessions = 1 + random.poisson(2, 800)
    orders = random.binomial(sessions, random.beta(2, 6, 800))
    whole = estimate(Form.RATIO, Moments.from_values(np.column_stack([orders, sessions])))
    assert isinstance(whole, Estimate)
    without = (orders.sum() - orders) / (sessions.sum() - sessions)
    jackknife = 799 / 800 * float(((without - without.mean()) ** 2).sum())
    assert whole.variance == pytest.approx(jackknife, rel=0.02)


# --- properties -------------------------------------------------------------------------------------------------------

arms = st.builds(
    lambda n, mean, sd: cases.from_mean(n, mean, (n - 1) * sd**2),
    st.integers(2, 10_000),
    st.floats(-1e3, 1e3),
    st.floats(1e-3, 1e3),
)
proportions = st.integers(2, 5000).flatmap(lambda n: st.builds(proportion_moments, st.just(n), st.integers(1, n - 1)))
pairs = st.builds(
    lambda n, y, x, noise: Moments.from_values(
        np.column_stack(
            [
                y + noise * np.cos(np.arange(n)),
                x + 0.4 * x * np.sin(np.arange(n) * 1.7),
            ]
        )
    ),
    st.integers(5, 60),
    st.floats(0.1, 50),
    st.floats(0.5, 20),
    st.floats(0.01, 30),
)
any_two = st.one_of(
    st.tuples(st.just(Form.MEAN), arms, arms),
    st.tuples(st.just(Form.PROPORTION), proportions, proportions),
    st.tuples(st.just(Form.RATIO), pairs, pairs),
)


@PURE
@given(any_two)
def test_compare__variants_swapped__turns_the_sign_and_nothing_else(two):
    form, a, b = two
    one, other = compare(form, a, b), compare(form, b, a)
    assert found(one).value == -found(other).value
    assert found(one).p_value == pytest.approx(found(other).p_value, rel=1e-12)
    assert found(one).interval == pytest.approx(mirrored(other), rel=1e-12)


@PURE
@given(any_two, st.sampled_from([0.2, 0.05, 0.001]))
def test_compare__interval__excludes_zero_exactly_when_p_is_below_alpha(two, alpha):
    form, a, b = two
    numbers = found(compare(form, a, b, alpha))
    assume(abs(numbers.p_value - alpha) > 1e-9)
    low, high = numbers.interval
    assert (low > 0 or high < 0) == (numbers.p_value < alpha)


@PURE
@given(any_two, st.sampled_from([0.2, 0.05, 0.001]))
def test_compare__lift_interval__excludes_zero_exactly_when_p_is_below_alpha(two, alpha):
    form, a, b = two
    numbers = compare(form, a, b, alpha)
    assume(numbers.lift_interval is not None and abs(found(numbers).p_value - alpha) > 1e-6)
    low, high = numbers.lift_interval
    assert (low > 0 or high < 0) == (found(numbers).p_value < alpha)
    assert low <= numbers.lift <= high


@PURE
@given(arms, arms, st.sampled_from([0.01, 100.0, 2.54]))
def test_compare__another_unit_of_measure__leaves_p_and_lift(a, b, factor):
    def scaled(arm: Moments) -> Moments:
        return cases.from_mean(arm.n, float(arm.mean[0]) * factor, float(arm.comoment[0, 0]) * factor**2)

    before, after = compare(Form.MEAN, a, b), compare(Form.MEAN, scaled(a), scaled(b))
    assert found(after).p_value == pytest.approx(found(before).p_value, rel=1e-6, abs=1e-300)
    assert found(after).value == pytest.approx(factor * found(before).value, rel=1e-9)
    assert (after.lift is None) == (before.lift is None)
    if before.lift is not None:
        assert after.lift == pytest.approx(before.lift, rel=1e-6, abs=1e-9)


# --- what cannot be computed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "control", "treatment", "reason"),
    [
        (Form.MEAN, Moments.empty(), mean_moments(5, 5, 9), "control: no unit has been exposed"),
        (Form.MEAN, mean_moments(5, 5, 9), mean_moments(1, 5, 25), "treatment: one unit alone"),
        (Form.MEAN, mean_moments(5, 0, 0), mean_moments(5, 0, 0), "no unit differs from another"),
        (Form.MEAN, mean_moments(5, 5, 5), mean_moments(5, 10, 20), "no unit differs from another"),
        (Form.PROPORTION, proportion_moments(50, 0), proportion_moments(50, 0), "no unit differs from another"),
        (
            Form.RATIO,
            pair_moments(9, 0, 0, 0, 0, 0),
            pair_moments(9, 3, 6, 3, 5, 8),
            "control: the denominator adds up",
        ),
        (Form.RATIO, Moments.empty(2), Moments.empty(2), "control: no unit.*treatment: no unit"),
    ],
)
def test_compare__not_computable__is_said_with_its_reason(form, control, treatment, reason):
    numbers = compare(form, control, treatment)
    assert isinstance(numbers.difference, NotComputable)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(numbers.difference.reason)
    assert (numbers.lift, numbers.lift_interval) == (None, None)
    assert numbers.notes


def test_mean__the_same_odd_number_for_every_unit__has_no_spread():
    values = np.full(1000, 0.1) * 3
    numbers = compare(Form.MEAN, Moments.from_values(values), Moments.from_values(values))
    assert isinstance(numbers.difference, NotComputable)


def test_proportion__units_counted_twice__are_refused():
    with pytest.raises(ValueError, match="cap each unit at 1"):
        compare(Form.PROPORTION, mean_moments(10, 12, 20), proportion_moments(10, 3))


def test_p_value__far_in_the_tail__keeps_its_digits():
    numbers = found(compare(Form.PROPORTION, proportion_moments(100_000, 1000), proportion_moments(100_000, 2000)))
    assert numbers.p_value == pytest.approx(2 * float(stats.norm.sf(numbers.statistic)), rel=1e-12)
    assert 0 < numbers.p_value < 1e-60


# --- what must be said beside the numbers -----------------------------------------------------------------------------


def test_ratio__denominator_moved_no_further_than_chance_often_does__is_not_said():
    n, spread = 4000, 1.0
    off = 2.3 * spread * (2 / n) ** 0.5  # p about 0.02
    pair = [
        Moments(n=n, mean=np.array([0.6, 3.0 + more]), comoment=np.diag([0.5 * n, spread * n])) for more in (0.0, off)
    ]
    numbers = compare(Form.RATIO, *pair)
    assert numbers.denominator_moved
    assert numbers.notes == ()


def test_ratio__denominator_moved_by_the_treatment__is_said():
    random = np.random.default_rng(6)
    visits, more_visits = random.poisson(2, 4000) + 1, random.poisson(3, 4000) + 1
    pair = [
        Moments.from_values(np.column_stack([random.binomial(count, 0.2), count])) for count in (visits, more_visits)
    ]
    numbers = compare(Form.RATIO, *pair)
    assert any("divides by changed" in note for note in numbers.notes)
    assert numbers.denominator is not None
    assert found(numbers.denominator).value == pytest.approx(more_visits.mean() - visits.mean())
    assert numbers.numerator is not None


def test_ratio__few_units__is_said():
    few = pair_moments(9, 3, 12, 3, 5, 20)
    assert any("Only 9 units" in note for note in compare(Form.RATIO, few, few).notes)
