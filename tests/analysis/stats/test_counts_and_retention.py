"""Event rates beside statsmodels, and retention that counts only units whose window has passed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import rates

from analysis.stats.compare import Difference, compare
from analysis.stats.counts import RateRatio, compare_rates
from analysis.stats.estimates import Form
from analysis.stats.moments import Moments
from analysis.stats.retention import Window, elapsed, retained
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE, tolerance

SLOW = pytest.mark.slow


def done(found: RateRatio | NotComputable) -> RateRatio:
    assert isinstance(found, RateRatio), found
    return found


# --- counts -----------------------------------------------------------------------------------------------------------


def test_rates__gu_2008_example__agrees():
    # Gu, Ng, Tang, Schucany 2008, example of coronary disease: 60 cases in 51,477.5 years against 30 in 54,308.7; by
    # hand (60 - 30 d) / sqrt(90 d), d = 51,477.5 / 54,308.7
    found = done(compare_rates((30, 54308.7), (60, 51477.5)))
    assert found.p_value == pytest.approx(2 * stats.norm.sf(3.417402), rel=1e-5)
    assert found.interval == pytest.approx((0.36596243, 2.25930615), rel=1e-6)
    assert found.lift == pytest.approx(60 / 51477.5 / (30 / 54308.7) - 1)


@pytest.mark.parametrize("control", [(5, 100.0), (400, 1e6), (90, 3000.0)])
@pytest.mark.parametrize("treatment", [(0, 120.0), (9, 90.0), (460, 1.02e6)])
def test_rates__grid__agrees_with_statsmodels(control, treatment):
    found = done(compare_rates(control, treatment))
    expected = rates.test_poisson_2indep(*treatment, *control, method="score")
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    for end in found.interval:  # statsmodels' own root finder fails without events: ask its test at the ends instead
        if end > -1:
            at_end = rates.test_poisson_2indep(*treatment, *control, method="score", value=1 + end)
            assert at_end.pvalue == pytest.approx(0.05, rel=1e-6)
    assert (found.interval[0] == -1) == (treatment[0] == 0)


@PURE
@given(
    st.tuples(st.integers(1, 500), st.floats(10, 1e4)),
    st.tuples(st.integers(1, 500), st.floats(10, 1e4)),
    st.sampled_from([0.05, 0.01]),
)
def test_rates__interval__excludes_zero_exactly_when_p_is_below_alpha(control, treatment, alpha):
    found = done(compare_rates(control, treatment, alpha))
    if abs(found.p_value - alpha) > 1e-4:
        assert (found.interval[0] > 0 or found.interval[1] < 0) == (found.p_value < alpha)


def test_rates__nothing_to_compare__is_said_and_nonsense_refused():
    for control, treatment in (((3, 0.0), (4, 9.0)), ((0, 10.0), (4, 9.0))):
        assert isinstance(compare_rates(control, treatment), NotComputable)
    with pytest.raises(ValueError, match="0 or more"):
        compare_rates((-1, 3.0), (4, 9.0))


@pytest.mark.parametrize("runs", [2000, pytest.param(10_000, marks=SLOW)])
def test_rates__poisson_without_effect__rejects_one_in_twenty_and_users_with_bursts_are_why_not_to_use_it(runs):
    random = np.random.default_rng(20260390)
    plain = bursts = per_user = 0
    for _ in range(runs):
        a, b = random.poisson(80, 2)
        plain += done(compare_rates((int(a), 1000.0), (int(b), 1000.0))).p_value < 0.05
    for _ in range(runs // 10):
        users = [random.negative_binomial(0.2, 0.2 / 1.0, 400) for _ in range(2)]
        bursts += done(compare_rates(*((int(one.sum()), 400.0) for one in users))).p_value < 0.05
        found = compare(Form.MEAN, *(Moments.from_values(one) for one in users)).difference
        assert isinstance(found, Difference)
        per_user += found.p_value < 0.05
    assert plain / runs == pytest.approx(0.05, abs=tolerance(0.05, runs) + 0.003)
    assert bursts / (runs // 10) > 0.2  # the negative control
    assert per_user / (runs // 10) == pytest.approx(0.05, abs=tolerance(0.05, runs // 10) + 0.01)


# --- retention --------------------------------------------------------------------------------------------------------


def test_retained__day_seven__counts_only_units_exposed_eight_days_ago_or_more():
    exposed = [0.0, 0.0, 2.0, 2.1]
    moments = retained(exposed, [0, 2, 3], [7.5, 9.0, 9.5], as_of=10.0, window=Window(first=7, last=7))
    assert moments.n == 3  # the last unit's eighth day ends at 10.1
    assert moments.mean[0] == pytest.approx(2 / 3)  # the second unit did not come back


def test_retained__back_early_while_the_window_is_open__is_not_counted():
    window = Window(first=1, last=7)
    assert retained([5.0], [0], [6.5], as_of=10.0, window=window).n == 0
    assert retained([5.0], [0], [6.5], as_of=13.0, window=window).mean[0] == 1.0


def test_retained__events_before_the_window_or_twice__count_as_they_should():
    window = Window(first=1, last=1)
    moments = retained([0.0, 0.0], [0, 1, 1, 1], [0.9, 1.0, 1.5, 1.9], as_of=5.0, window=window)
    assert (moments.n, float(moments.mean[0])) == (2, 0.5)


def test_retained__nobody_long_enough__is_said_when_compared():
    window = Window(first=7, last=7)
    arms = [retained([9.0], [], [], as_of=10.0, window=window) for _ in range(2)]
    assert isinstance(compare(Form.PROPORTION, *arms).difference, NotComputable)


def test_window__backwards__is_refused():
    with pytest.raises(ValueError, match="does not end before it begins"):
        Window(first=3, last=2)


@PURE
@given(st.lists(st.floats(0, 30), min_size=1, max_size=30), st.floats(0, 60), st.floats(0, 10))
def test_elapsed__later__never_loses_a_unit(exposed, as_of, more):
    window = Window(first=0, last=6)
    assert (elapsed(exposed, as_of, window) <= elapsed(exposed, as_of + more, window)).all()


def test_retention__windows_still_open_counted__fakes_a_fall_that_the_rule_does_not():
    random = np.random.default_rng(7)
    exposed = random.uniform(0, 14, 20_000)
    back = np.flatnonzero(random.random(20_000) < 0.4)
    when = exposed[back] + random.uniform(1, 8, len(back))
    seen = when <= 14
    moments = retained(exposed, back[seen], when[seen], as_of=14.0, window=Window(first=1, last=7))
    assert float(moments.mean[0]) == pytest.approx(0.4, abs=0.03)
    assert len(set(back[seen])) / 20_000 < 0.3  # all exposed units as the denominator: the negative control
