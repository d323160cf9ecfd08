"""Regression adjustment: the published vectors, OLS with interactions, and what adjusting must not change."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.adjusted import compare_adjusted
from analysis.stats.adjustment import Adjusted, Method, adjust, with_missing
from analysis.stats.compare import ComparisonNumbers, Difference, compare
from analysis.stats.estimates import Form
from analysis.stats.moments import Array, Moments
from analysis.stats.noninferiority import MarginTest, margin_test
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE

SLOW = pytest.mark.slow


def done(found: Adjusted | NotComputable) -> Adjusted:
    assert isinstance(found, Adjusted), found
    return found


def of(numbers: ComparisonNumbers) -> Difference:
    assert isinstance(numbers.difference, Difference), numbers.notes
    return numbers.difference


def error(found: Adjusted) -> float:
    return math.sqrt(found.control.variance + found.treatment.variance - 2 * found.covariance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    y: Array
    x: Array
    treated: Array

    def arms(self) -> tuple[Moments, Moments]:
        table = np.column_stack([self.y, self.x])
        return Moments.from_values(table[~self.treated]), Moments.from_values(table[self.treated])


def sample(seed: int, n: int = 800, k: int = 1, share: float = 0.25) -> Sample:
    """Units whose slopes differ between the variants."""
    random = np.random.default_rng(seed)
    x = random.normal(3, 2, (n, k)) + random.exponential(1, (n, 1))
    treated = random.random(n) < share
    y = 5 + x @ np.linspace(1, 0.2, k) + treated * (0.4 + 0.5 * (x[:, 0] - 3)) + random.normal(0, 1, n)
    return Sample(y=y, x=x, treated=treated)


def shop() -> tuple[Moments, Moments, Moments, Moments]:
    """tea-tasting's simulated shop: (revenue and its past) and (orders, sessions and their past), both variants."""
    import tea_tasting

    users = tea_tasting.make_users_data(rng=42, n_users=4000, covariates=True, return_type="pandas")
    past = ["sessions_covariate", "orders_covariate", "revenue_covariate"]
    own = [users[users["variant"] == v] for v in (0, 1)]
    revenue = [Moments.from_values(one[["revenue", "revenue_covariate", *past[:2]]].to_numpy(float)) for one in own]
    names = ["orders", "sessions", "orders_covariate", "sessions_covariate"]
    orders = [Moments.from_values(one[names].to_numpy(float)) for one in own]
    return revenue[0], revenue[1], orders[0], orders[1]


# --- golden numbers ---------------------------------------------------------------------------------------------------


def ratio_arm(n: int, y: tuple[float, ...], x: tuple[float, ...], cross: tuple[float, ...]) -> Moments:
    """gbstats' ratio with its past: (sum, squares) of numerator and denominator after and before, six products."""
    (mp, mpp, dp, dpp), (mq, mqq, dq, dqq) = y, x
    mpmq, dpdq, mqdq, mpdp, mpdq, mqdp = cross
    table = [[mpp, mpdp, mpmq, mpdq], [0, dpp, mqdp, dpdq], [0, 0, mqq, mqdq], [0, 0, 0, dqq]]
    return Moments.from_sums(n, [mp, dp, mq, dq], table)


# GrowthBook gbstats (MIT), test_two_sided_ttest_test_runs_ratio_ra: 100 users a variant.
GROWTHBOOK_RATIO = (
    ratio_arm(
        100,
        (485.112236689623, 2715.484666118136, 679.9093275844917, 4939.424001640236),
        (192.59138069991536, 460.076026390857, 290.1398399750233, 920.9461385038898),
        (
            1113.6215759318352,
            2130.9404074446747,
            634.239482353647,
            3602.146836776702,
            1559.2878434944676,
            1460.3181079276983,
        ),
    ),
    ratio_arm(
        100,
        (514.7757826608777, 2994.897482705013, 705.4090874383759, 5291.36604146392),
        (206.94157227402536, 514.2903702246757, 302.54389139107326, 994.4506208125663),
        (
            1237.0953021125997,
            2292.081739775257,
            698.4173425817908,
            3918.1561431600717,
            1701.0287270040265,
            1604.0759503266522,
        ),
    ),
)


def test_adjustment__growthbook_ratio_with_its_past__agrees():
    found = done(adjust(Form.RATIO, *GROWTHBOOK_RATIO, method=Method.POOLED, ratio_covariates=1))
    assert found.slopes[0] == pytest.approx([0.829004], abs=1e-6)
    before = GROWTHBOOK_RATIO[0].mean[0] / GROWTHBOOK_RATIO[0].mean[1]  # gbstats divides by the unadjusted control
    lift = (found.treatment.value - found.control.value) / before
    assert lift == pytest.approx(-0.000701, abs=1e-6)
    assert error(found) / before == pytest.approx(0.003907, abs=2e-6)


def test_adjustment__tea_tasting_shop__gives_the_coefficients_of_the_regressions():
    control, treatment, _, _ = shop()
    one = [moments.select([0, 1]) for moments in (control, treatment)]
    # statsmodels 0.15 OLS on tea_tasting.make_users_data(rng=42, n_users=4000, covariates=True)
    pooled = done(adjust(Form.MEAN, *one, method=Method.POOLED))
    assert pooled.treatment.value - pooled.control.value == pytest.approx(0.7314006926978, rel=1e-10)
    assert pooled.slopes[0] == pytest.approx([0.43406715], rel=1e-7)
    lin = done(adjust(Form.MEAN, *one))
    assert lin.treatment.value - lin.control.value == pytest.approx(0.7367990814779, rel=1e-10)
    three = done(adjust(Form.MEAN, control, treatment))
    assert three.treatment.value - three.control.value == pytest.approx(0.7356666100733, rel=1e-10)
    assert error(lin) == pytest.approx(0.26977, abs=5e-5)  # HC0 .27008, HC2 .27055: about these units, not the shop


def test_adjustment__shared_reference__agrees():
    expected = cases.reference("tt_4000")["expected"]
    control, treatment, orders0, orders1 = shop()
    one = [moments.select([0, 1]) for moments in (control, treatment)]
    found = {
        "ancova": done(adjust(Form.MEAN, *one, method=Method.POOLED)),
        "lin1": done(adjust(Form.MEAN, *one)),
        "lin3": done(adjust(Form.MEAN, control, treatment)),
    }
    for name, adjusted in found.items():
        difference = adjusted.treatment.value - adjusted.control.value
        assert difference == pytest.approx(expected[name]["diff"], abs=1e-7), name
    # tea-tasting takes the covariance over both variants, so that the effect leaks into its theta: O(1/n) off ANCOVA.
    theirs = of(compare_adjusted(Form.MEAN, *one, method=Method.TOTAL))
    known = expected["revenue_cuped"]
    assert (theirs.value, theirs.p_value) == pytest.approx((known["diff"], known["p"]), abs=1e-7)
    ratio = of(compare_adjusted(Form.RATIO, orders0, orders1, method=Method.TOTAL, ratio_covariates=1))
    known = expected["ops_cuped"]
    assert (ratio.value, ratio.p_value) == pytest.approx((known["diff"], known["p"]), abs=1e-7)
    ours = of(compare_adjusted(Form.MEAN, *one, method=Method.POOLED))
    assert ours.value == pytest.approx(theirs.value, abs=5e-4)


# --- agreement with independent packages ------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lin__grid__is_ols_with_treatment_centred_covariates_and_their_product(seed, k):
    units = sample(seed, k=k)
    t, x = units.treated.astype(float), units.x - units.x.mean(axis=0)
    fitted = sm.OLS(units.y, np.column_stack([np.ones_like(t), t, x, t[:, None] * x])).fit(cov_type="HC2")
    found = done(adjust(Form.MEAN, *units.arms()))
    assert found.treatment.value - found.control.value == pytest.approx(fitted.params[1], rel=1e-10)
    own = fitted.params[2 : 2 + k], fitted.params[2 : 2 + k] + fitted.params[2 + k :]
    np.testing.assert_allclose(found.slopes, own, rtol=1e-9, atol=1e-11)
    apart = found.slopes[1] - found.slopes[0]
    spread = float(apart @ np.atleast_2d(np.cov(x.T)) @ apart)
    sample_only = math.sqrt(error(found) ** 2 - spread / len(t))  # what HC on centred covariates is about
    assert sample_only == pytest.approx(fitted.bse[1], rel=0.03)


@pytest.mark.parametrize("seed", [4, 5])
def test_pooled__grid__is_the_coefficient_of_ancova(seed):
    units = sample(seed, k=3)
    t = units.treated.astype(float)
    fitted = sm.OLS(units.y, np.column_stack([np.ones_like(t), t, units.x])).fit()
    found = done(adjust(Form.MEAN, *units.arms(), method=Method.POOLED))
    assert found.treatment.value - found.control.value == pytest.approx(fitted.params[1], rel=1e-10)
    np.testing.assert_allclose(found.slopes[0], fitted.params[2:], rtol=1e-9)


def test_lift__adjusted__agrees_with_a_bootstrap_that_draws_units():
    units = sample(6, n=1500)
    numbers = compare_adjusted(Form.MEAN, *units.arms())
    assert numbers.lift_interval is not None
    random, draws = np.random.default_rng(7), []
    for _ in range(600):
        chosen = random.integers(0, 1500, 1500)
        again = Sample(y=units.y[chosen], x=units.x[chosen], treated=units.treated[chosen])
        found = done(adjust(Form.MEAN, *again.arms()))
        draws.append(found.treatment.value / found.control.value - 1)
    width = numbers.lift_interval[1] - numbers.lift_interval[0]
    assert width / 2 / 1.96 == pytest.approx(np.std(draws), rel=0.12)


# --- properties -------------------------------------------------------------------------------------------------------


@PURE
@given(st.integers(0, 10_000), st.sampled_from(list(Method)), st.integers(1, 3))
def test_adjust__variants_swapped__turns_the_sign_and_nothing_else(seed, method, k):
    control, treatment = sample(seed, n=120, k=k).arms()
    one, other = (done(adjust(Form.MEAN, *two, method=method)) for two in ((control, treatment), (treatment, control)))
    assert one.treatment.value == pytest.approx(other.control.value, rel=1e-9)
    assert error(one) == pytest.approx(error(other), rel=1e-9)


@PURE
@given(st.integers(0, 10_000), st.sampled_from([0.01, 1000.0]), st.floats(-50, 50))
def test_adjust__covariate_in_another_unit__changes_nothing(seed, factor, origin):
    units = sample(seed, n=120, k=2)
    moved = Sample(y=units.y, x=units.x * np.array([factor, 1]) + origin, treated=units.treated)
    one, other = (done(adjust(Form.MEAN, *each.arms())) for each in (units, moved))
    assert other.treatment.value == pytest.approx(one.treatment.value, rel=1e-6)
    assert error(other) == pytest.approx(error(one), rel=1e-6)


@PURE
@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.05, 0.001]))
def test_compare_adjusted__lift_interval__excludes_zero_exactly_when_p_is_below_alpha(seed, alpha):
    numbers = compare_adjusted(Form.MEAN, *sample(seed, n=150).arms(), alpha)
    if numbers.lift_interval is not None and abs(of(numbers).p_value - alpha) > 1e-6:
        low, high = numbers.lift_interval
        assert (low > 0 or high < 0) == (of(numbers).p_value < alpha)


# --- what adjusting does and does not ---------------------------------------------------------------------------------


def test_adjust__covariate_repeated_or_constant__changes_nothing():
    units = sample(8)
    again = Sample(
        y=units.y,
        x=np.column_stack([units.x, units.x * 2 + 1, np.full(len(units.y), 7.0)]),
        treated=units.treated,
    )
    one, other = (done(adjust(Form.MEAN, *each.arms())) for each in (units, again))
    assert other.repeated == 2
    assert other.treatment.value == pytest.approx(one.treatment.value, rel=1e-9)
    assert error(other) == pytest.approx(error(one), rel=1e-9)


def test_adjust__near_copy_of_a_covariate__does_not_blow_up():
    units = sample(9)
    copy = units.x[:, 0] * (1 + 1e-9 * np.sin(np.arange(len(units.y))))
    again = Sample(y=units.y, x=np.column_stack([units.x, copy]), treated=units.treated)
    one, other = (done(adjust(Form.MEAN, *each.arms())) for each in (units, again))
    assert other.treatment.value == pytest.approx(one.treatment.value, rel=1e-4)
    assert np.abs(other.slopes).max() < 10


def test_adjust__past_missing_for_new_units__agrees_with_ols_on_value_and_indicator():
    units = sample(10)
    past = units.x[:, 0].copy()
    past[::3] = np.nan
    filled = Sample(y=units.y, x=with_missing(past), treated=units.treated)
    t, x = units.treated.astype(float), filled.x - filled.x.mean(axis=0)
    fitted = sm.OLS(units.y, np.column_stack([np.ones_like(t), t, x, t[:, None] * x])).fit()
    found = done(adjust(Form.MEAN, *filled.arms()))
    assert found.treatment.value - found.control.value == pytest.approx(fitted.params[1], rel=1e-9)


def test_adjust__more_covariates_than_units__is_not_computable():
    few = sample(11, n=12, k=4, share=0.3)
    found = adjust(Form.MEAN, *few.arms())
    assert isinstance(found, NotComputable)
    assert "too few for 4 covariates" in found.reason


def test_adjust__no_covariate__is_the_plain_comparison():
    control, treatment = (arm.select([0]) for arm in sample(12).arms())
    found, plain = done(adjust(Form.MEAN, control, treatment)), of(compare(Form.MEAN, control, treatment))
    assert error(found) == pytest.approx(plain.standard_error, rel=1e-12)
    assert found.variance_ratio == pytest.approx(1)


def test_compare_adjusted__says_what_was_gained_and_what_it_was_before():
    numbers = compare_adjusted(Form.MEAN, *sample(13).arms())
    assert numbers.variance_reduction == pytest.approx(0.8, abs=0.15)
    assert numbers.unadjusted == compare(Form.MEAN, *(arm.select([0]) for arm in sample(13).arms())).difference
    assert any("less variance. Without them" in note for note in numbers.notes)


def test_compare_adjusted__useless_covariate__says_that_it_gains_almost_nothing():
    random = np.random.default_rng(14)
    arms = [Moments.from_values(random.normal(5, 1, (3000, 2))) for _ in range(2)]
    assert any("gain almost nothing" in note for note in compare_adjusted(Form.MEAN, *arms).notes)


def test_compare_adjusted__covariate_that_the_treatment_moved__is_warned_of():
    random = np.random.default_rng(15)
    arms = [Moments.from_values(random.normal([5, after], 1, (3000, 2))) for after in (1.0, 1.3)]
    assert any("not measured before the exposure" in note for note in compare_adjusted(Form.MEAN, *arms).notes)


def test_margin__adjusted__equals_the_test_of_the_contrast_on_units():
    units, margin = sample(16), 0.05
    found = done(adjust(Form.MEAN, *units.arms()))
    test = margin_test(found.control, found.treatment, margin, higher_is_better=True, covariance=found.covariance)
    assert isinstance(test, MarginTest)
    # The same contrast by the influence of every unit: residuals of its own variant, and slopes times x for all.
    t, x = units.treated, units.x[:, 0] - units.x[:, 0].mean()
    slopes, n = found.slopes[:, 0], len(t)
    influence = (slopes[1] - (1 - margin) * slopes[0]) * x / n
    for arm, side in ((~t, -(1 - margin)), (t, 1.0)):
        own = units.y[arm] - units.y[arm].mean() - slopes[int(side > 0)] * (x[arm] - x[arm].mean())
        influence[arm] += side * own / arm.sum()
    distance = found.treatment.value - (1 - margin) * found.control.value
    assert test.statistic == pytest.approx(distance / math.sqrt(float(influence @ influence)), rel=0.02)


# --- calibration ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [800, pytest.param(4000, marks=SLOW)])
def test_lin__slopes_that_differ__covers_where_leaving_out_the_last_term_does_not(runs):
    random, truth = np.random.default_rng(20260320), 0.3
    covered = short = 0
    values = np.empty(runs)
    for i in range(runs):
        x = random.normal(0, 1, 800)
        treated = np.arange(800) % 4 == 0
        y = x + treated * (truth + 1.5 * x) + random.normal(0, 1, 800)
        found = done(adjust(Form.MEAN, *Sample(y=y, x=x[:, None], treated=treated).arms()))
        values[i] = found.treatment.value - found.control.value
        off, se = abs(values[i] - truth), error(found)
        last = float((found.slopes[1] - found.slopes[0]) @ (found.slopes[1] - found.slopes[0])) / 800
        covered += off <= 1.966 * se
        short += off <= 1.966 * math.sqrt(se**2 - last)
    assert covered / runs == pytest.approx(0.95, abs=max(0.01, cases.tolerance(0.05, runs)))
    assert abs(values.mean() - truth) < 3 * values.std() / math.sqrt(runs)
    assert short / runs < 0.935  # the negative control


def test_adjusted__40_against_900_units__degrees_of_freedom_are_of_what_the_variants_do_not_share():
    # gbstats 0.8.0 (MIT), RegressionAdjustedStatistic and TwoSidedTTest(difference_type="absolute"):
    # uplift.mean .7025446938574786, stddev .39829546214199857, p .08500314872342396, ci -.10117434986 to 1.50626373776
    control = Moments.from_sums(40, [300, 420], [[2600, 3450], [3450, 5200]])
    treatment = Moments.from_sums(900, [7300, 9200], [[66000, 80500], [80500, 112000]])
    found = of(compare_adjusted(Form.MEAN, control, treatment, method=Method.TOTAL))
    assert (found.value, found.standard_error) == pytest.approx((0.7025446938574786, 0.39829546214199857), rel=1e-12)
    assert found.p_value == pytest.approx(0.08500314872342396, rel=1e-9)
    assert found.interval == pytest.approx((-0.10117434986448848, 1.5062637375794456), rel=1e-7)  # their t quantile
