"""Effects over time, of two experiments together, and on the units that could feel them."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.compare import Difference
from analysis.stats.estimates import Estimate, Form, mean
from analysis.stats.interaction import Interaction, interaction, units_needed
from analysis.stats.moments import Moments
from analysis.stats.novelty import TimeCourse, Trend, course, time_course
from analysis.stats.triggered import Diluted, triggered
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE, tolerance

# --- novelty ----------------------------------------------------------------------------------------------------------


def cohort(random, units: int, daily, share: float = 0.6):
    """Units with values on every day: a part of their own that stays (correlated) and daily noise."""
    days = len(daily)
    own = random.normal(0, math.sqrt(share), (units, 1))
    return own + random.normal(0, math.sqrt(1 - share), (units, days)) + np.asarray(daily)


def test_time_course__against_a_mixed_layout_regression__gives_the_same_slope():
    random = np.random.default_rng(20260334)
    arms = [cohort(random, 400, [0, 0, 0, 0]), cohort(random, 500, [0.4, 0.3, 0.2, 0.1])]
    found = time_course(*(Moments.from_values(arm) for arm in arms))
    assert isinstance(found, TimeCourse)
    c = np.log1p(np.arange(4))
    c = (c - c.mean()) / ((c - c.mean()) @ (c - c.mean()))
    slopes = [arm @ c for arm in arms]  # one slope a unit: its mean difference is the contrast
    welch = stats.ttest_ind(slopes[1], slopes[0], equal_var=False)
    assert found.slope == pytest.approx(slopes[1].mean() - slopes[0].mean())
    assert stats.norm.isf(found.slope_p_value / 2) == pytest.approx(abs(welch.statistic), rel=1e-9)
    assert found.trend is Trend.NOVELTY


def test_course__days_with_known_covariance__is_the_generalised_least_squares_test():
    tau, covariance = np.array([1.0, 0.5, 0.2]), np.array([[0.2, 0.1, 0.1], [0.1, 0.3, 0.1], [0.1, 0.1, 0.25]])
    found = course(tau, covariance)
    assert isinstance(found, TimeCourse)
    inverse, ones = np.linalg.inv(covariance), np.ones(3)
    centre = (ones @ inverse @ tau) / (ones @ inverse @ ones)
    assert found.statistic == pytest.approx((tau - centre) @ inverse @ (tau - centre))
    assert found.p_value == pytest.approx(stats.chi2.sf(found.statistic, 2))


@PURE
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=6), st.floats(-2, 2))
def test_course__the_same_added_to_every_day__changes_neither_test(tau, shift):
    covariance = 0.1 * np.eye(len(tau)) + 0.05
    one, other = course(tau, covariance), course([t + shift for t in tau], covariance)
    assert isinstance(one, TimeCourse)
    assert isinstance(other, TimeCourse)
    assert (other.slope_p_value, other.p_value) == pytest.approx((one.slope_p_value, one.p_value), abs=1e-9)


def test_course__growing_loss__is_primacy_and_a_fading_loss_novelty():
    small = 1e-4 * np.eye(3)
    grows, fades = course([-0.1, -0.5, -0.9], small), course([-0.9, -0.5, -0.1], small)
    assert isinstance(grows, TimeCourse)
    assert isinstance(fades, TimeCourse)
    assert (grows.trend, fades.trend) == (Trend.PRIMACY, Trend.NOVELTY)


def test_course__one_day_or_no_spread__is_not_computable():
    assert isinstance(course([1.0], np.eye(1)), NotComputable)
    assert isinstance(course([1.0, 2.0], np.zeros((2, 2))), NotComputable)
    assert isinstance(time_course(Moments.empty(2), Moments.empty(2)), NotComputable)


# --- interaction ------------------------------------------------------------------------------------------------------


def test_interaction__four_cells__agrees_with_the_regression_with_robust_errors():
    random = np.random.default_rng(20260335)
    a, b = random.integers(0, 2, 4000), random.integers(0, 2, 4000)
    y = 1 + 0.2 * a + 0.1 * b + 0.3 * a * b + random.normal(size=4000) * (1 + a)
    cells = {(i, j): mean(Moments.from_values(y[(a == i) & (b == j)])) for i in (0, 1) for j in (0, 1)}
    found = interaction(cells)
    fit = sm.OLS(y, sm.add_constant(np.column_stack([a, b, a * b]))).fit(cov_type="HC2")
    assert isinstance(found, Interaction)
    assert found.value == pytest.approx(fit.params[3])
    assert found.standard_error == pytest.approx(fit.bse[3])
    assert found.first_alone == pytest.approx(fit.params[1])
    assert found.first_with_second == pytest.approx(fit.params[1] + fit.params[3])
    assert (found.p_value < 0.05) == (found.interval[0] > 0 or found.interval[1] < 0)


def test_interaction__swapped_experiments__is_the_same():
    cells = {(i, j): Estimate(n=10, value=i + 2.0 * i * j, variance=0.1 + j, df=9) for i in (0, 1) for j in (0, 1)}
    one, other = interaction(cells), interaction({(j, i): cell for (i, j), cell in cells.items()})
    assert isinstance(one, Interaction)
    assert isinstance(other, Interaction)
    assert (one.value, one.p_value) == pytest.approx((other.value, other.p_value))


def test_interaction__needs_four_times_the_units_of_a_main_effect():
    main = 2 * (1.959964 + 0.841621) ** 2 / 0.1**2 * 2  # both variants
    assert 4 * units_needed(1.0, 0.1) == pytest.approx(4 * main, rel=1e-5)


def test_interaction__cell_missing__is_refused_and_empty_not_computable():
    cell = Estimate(n=10, value=1.0, variance=0.1, df=9)
    cells = {(1, 1): cell, (1, 0): cell, (0, 1): cell}
    with pytest.raises(ValueError, match="four cells"):
        interaction(cells)
    assert isinstance(interaction({**cells, (0, 0): NotComputable("no unit")}), NotComputable)


# --- triggered --------------------------------------------------------------------------------------------------------

EVEN = {"control": 1.0, "treatment": 1.0}


def pair(random, n: int, effect: float, others: float = 0.0):
    touched, rest = random.normal(10 + effect, 2, n), random.normal(8 + others, 2, 4 * n)
    return Moments.from_values(touched), Moments.from_values(rest)


def test_triggered__effect_on_one_unit_in_five__dilutes_to_a_fifth_and_agrees_with_all_units():
    random = np.random.default_rng(20260336)
    control, treatment = pair(random, 5000, 0.0), pair(random, 5000, 0.5)
    found = triggered(Form.MEAN, control, treatment, EVEN)
    assert found.trustworthy is True
    assert isinstance(found.diluted, Diluted)
    assert isinstance(found.effect.difference, Difference)
    assert found.diluted.trigger_rate == pytest.approx(0.2)
    assert found.diluted.difference == pytest.approx(0.2 * found.effect.difference.value)
    naive = (treatment[0] + treatment[1]).mean[0] - (control[0] + control[1]).mean[0]
    assert found.diluted.difference == pytest.approx(naive, abs=0.06)
    assert found.diluted.lift == pytest.approx(0.1 / 8.4, abs=0.003)


def test_triggered__over_many_experiments__covers_the_overall_effect_with_a_narrower_interval():
    random, runs, covered, widths = np.random.default_rng(20260337), 400, 0, []
    for _ in range(runs):
        sides = []
        for effect in (0.0, 0.5):
            n = int(random.binomial(1000, 0.2))
            sides.append(
                (Moments.from_values(random.normal(effect, 1, n)), Moments.from_values(random.normal(0, 1, 1000 - n)))
            )
        found = triggered(Form.MEAN, sides[0], sides[1], EVEN).diluted
        assert isinstance(found, Diluted)
        covered += found.interval[0] <= 0.1 <= found.interval[1]
        widths.append(found.standard_error)
    assert covered / runs == pytest.approx(0.95, abs=tolerance(0.05, runs))
    assert np.mean(widths) < 0.6 * math.sqrt(2 / 1000)


def test_triggered__untriggered_differ__is_not_trustworthy_and_says_why():
    random = np.random.default_rng(20260338)
    found = triggered(Form.MEAN, pair(random, 5000, 0.0), pair(random, 5000, 0.5, others=0.3), EVEN)
    assert found.trustworthy is False
    assert "should see no difference" in found.reason


def test_triggered__more_triggers_in_one_variant__is_not_trustworthy():
    random = np.random.default_rng(20260339)
    found = triggered(Form.MEAN, pair(random, 4000, 0.0), pair(random, 5000, 0.0), EVEN)
    assert found.trustworthy is False
    assert "split" in found.reason


def test_triggered__ratio__is_refused():
    with pytest.raises(ValueError, match="does not dilute"):
        triggered(Form.RATIO, (Moments.empty(2),) * 2, (Moments.empty(2),) * 2, EVEN)


def test_triggered__nobody_triggered__is_not_computable_and_cannot_be_checked():
    some = Moments.from_values(np.arange(10.0))
    found = triggered(Form.MEAN, (Moments.empty(1), some), (Moments.empty(1), some), EVEN)
    assert isinstance(found.diluted, NotComputable)
    assert found.trustworthy is None
