"""The relative change: Fieller, and when there is none."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from analysis.stats.compare import Difference, compare
from analysis.stats.estimates import Estimate, Form
from analysis.stats.lift import Lift, LiftEstimate, delta_lift, fieller, log_lift
from analysis.stats.moments import mean_moments, proportion_moments
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE


def arm(value: float, variance: float) -> Estimate:
    return Estimate(n=1000, value=value, variance=variance, df=math.inf)


def test_fieller__growthbook_vector__agrees_with_the_test_where_the_delta_method_does_not():
    numbers = compare(Form.MEAN, cases.GROWTHBOOK_CONTROL, cases.GROWTHBOOK_TREATMENT)
    assert isinstance(numbers.difference, Difference)
    assert numbers.difference.p_value < 0.05
    assert numbers.lift == pytest.approx(0.7073170731707317, rel=1e-8)
    # STATISTICS of the project, 1.2: Fieller +9.4 % to +171 %; gbstats' delta interval is -3.5 % to +145 %
    assert numbers.lift_interval == pytest.approx((0.094, 1.71), abs=5e-3)
    control, treatment = numbers.control, numbers.treatment
    assert isinstance(control, Estimate)
    assert isinstance(treatment, Estimate)
    ratio = treatment.value / control.value
    delta_se = math.sqrt(treatment.variance + ratio**2 * control.variance) / control.value
    assert delta_se == pytest.approx(0.3787943616681428, rel=1e-8)
    assert numbers.lift - numbers.difference.quantile * delta_se == pytest.approx(-0.03526008906611777, rel=1e-8)


@PURE
@given(
    st.floats(0.5, 100),
    st.floats(1e-4, 0.4),
    st.floats(-100, 100),
    st.floats(1e-3, 10),
    st.floats(-0.9, 0.9),
    st.sampled_from([1.0, 1.96, 3.3]),
)
def test_fieller__each_bound__is_where_the_test_of_that_ratio_turns(m0, cv, m1, sd1, correlation, q):
    v0, v1 = (cv * m0) ** 2, sd1**2
    c = correlation * math.sqrt(v0 * v1)
    lift = fieller(arm(m0, v0), arm(m1, v1), q, c)
    assert isinstance(lift, Lift)
    assume((q * cv) ** 2 < 0.95)
    assert not isinstance(lift.interval, NotComputable)
    for bound in lift.interval:
        r = bound + 1
        spread = math.sqrt(max(0.0, v1 - 2 * r * c + r * r * v0))
        assert abs(m1 - r * m0) == pytest.approx(q * spread, rel=1e-6, abs=1e-6 * m0)


def test_fieller__control_not_clearly_above_zero__has_a_value_but_no_bounds():
    lift = fieller(arm(1.0, 0.3), arm(1.5, 0.3), 1.96)
    assert isinstance(lift, Lift)
    assert lift.value == pytest.approx(0.5)
    assert isinstance(lift.interval, NotComputable)
    assert "read the absolute difference" in lift.interval.reason


@pytest.mark.parametrize(("value", "word"), [(0.0, "zero"), (-2.0, "negative")])
def test_fieller__control_at_or_below_zero__is_not_computable(value, word):
    lift = fieller(arm(value, 0.1), arm(1.0, 0.1), 1.96)
    assert isinstance(lift, NotComputable)
    assert word in lift.reason


def test_fieller__control_a_hair_above_zero__neither_overflows_nor_invents_a_lift():
    lift = fieller(arm(1e-300, 1e-2), arm(1.0, 1e-2), 1.96)
    assert isinstance(lift, Lift)
    assert isinstance(lift.interval, NotComputable)
    assert isinstance(fieller(arm(1e-310, 1e-2), arm(1e3, 1e-2), 1.96), NotComputable)


def test_compare__no_conversion_in_the_control__shows_the_absolute_difference_alone():
    numbers = compare(Form.PROPORTION, proportion_moments(5000, 0), proportion_moments(5000, 40))
    assert (numbers.lift, numbers.lift_interval) == (None, None)
    assert isinstance(numbers.difference, Difference)
    assert any("No relative change" in note for note in numbers.notes)


def test_compare__unbounded_lift__says_so():
    numbers = compare(Form.MEAN, mean_moments(50, 10, 100), mean_moments(50, 30, 120))
    assert numbers.lift == pytest.approx(2.0)
    assert numbers.lift_interval is None
    assert any("No interval for the relative change" in note for note in numbers.notes)


# --- lifts for pooling ------------------------------------------------------------------------------------------------


def test_delta_and_log_lift__growthbook_vector__agree():
    numbers = compare(Form.MEAN, cases.GROWTHBOOK_CONTROL, cases.GROWTHBOOK_TREATMENT)
    control, treatment, found = numbers.control, numbers.treatment, numbers.difference
    assert isinstance(control, Estimate)
    assert isinstance(treatment, Estimate)
    assert isinstance(found, Difference)
    delta, log = delta_lift(control, treatment), log_lift(control, treatment)
    assert isinstance(delta, LiftEstimate)
    assert isinstance(log, LiftEstimate)
    # gbstats test_two_sided_ttest: lift .70732, se .37879
    assert (delta.value, delta.standard_error) == pytest.approx((0.7073170731707317, 0.3787943616681428), rel=1e-8)
    ends = [math.exp(log.value + side * found.quantile * log.standard_error) - 1 for side in (-1, 1)]
    assert ends == pytest.approx([0.10515447676664502, 1.6375784106385751], rel=1e-8)  # the form of tea-tasting


@pytest.mark.parametrize("case", ["rel_delta", "rel_logdelta"])
def test_delta_and_log_lift__shared_references__agree(case):
    known = cases.reference(case)
    given_arms = known["inputs"]["control"], known["inputs"]["treatment"]
    arms = [mean_moments(one["n"], one["sum"], one["sumsq"]) for one in given_arms]
    numbers = compare(Form.MEAN, *arms)
    assert isinstance(numbers.difference, Difference)
    q, expected = numbers.difference.quantile, known["expected"]
    if case == "rel_delta":
        found = delta_lift(numbers.control, numbers.treatment)
        ends = [found.value + side * q * found.standard_error for side in (-1, 1)]
        assert (found.value, found.standard_error) == pytest.approx((expected["lift"], expected["se"]), rel=1e-8)
        assert ends == pytest.approx(expected["ci95_t"], rel=1e-8)
    else:
        found = log_lift(numbers.control, numbers.treatment)
        ends = [math.exp(found.value + side * q * found.standard_error) - 1 for side in (-1, 1)]
        assert ends == pytest.approx(expected["ci95"], rel=1e-8)


@PURE
@given(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(1e-4, 0.5), st.floats(1e-4, 0.5), st.floats(-0.9, 0.9))
def test_log_lift__variants_swapped__turns_the_sign_and_nothing_else(m0, m1, cv0, cv1, correlation):
    control, treatment = arm(m0, (cv0 * m0) ** 2), arm(m1, (cv1 * m1) ** 2)
    c = correlation * cv0 * m0 * cv1 * m1
    one, other = log_lift(control, treatment, c), log_lift(treatment, control, c)
    assert isinstance(one, LiftEstimate)
    assert isinstance(other, LiftEstimate)
    assert one.value == pytest.approx(-other.value, abs=1e-12)
    assert one.standard_error == pytest.approx(other.standard_error, rel=1e-6, abs=1e-9)


def test_lifts__control_at_or_below_zero__are_not_computable():
    assert isinstance(delta_lift(arm(0.0, 1.0), arm(1.0, 1.0)), NotComputable)
    assert isinstance(log_lift(arm(-1.0, 1.0), arm(1.0, 1.0)), NotComputable)
