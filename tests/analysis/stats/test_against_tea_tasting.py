"""Beside tea-tasting 1.14 on random shops: the same where it is right, and how far apart where it differs."""

import numpy as np
import pytest
import tea_tasting

from analysis.stats.adjusted import compare_adjusted
from analysis.stats.adjustment import Method
from analysis.stats.compare import Difference, compare
from analysis.stats.estimates import Form
from analysis.stats.moments import Moments
from analysis.stats.planning import Design, mean_baseline, sample_size
from tests.analysis.stats import cases

COLUMNS = ["revenue", "sessions", "orders", "revenue_covariate", "sessions_covariate", "orders_covariate"]


@pytest.fixture(scope="module", params=[(1, 0.5, 0.0), (2, 0.3, 0.1), (3, 0.8, 0.02)])
def shop(request: pytest.FixtureRequest):
    seed, share, uplift = request.param
    ratio = share / (1 - share)
    users = tea_tasting.make_users_data(
        rng=seed, n_users=3000, covariates=True, ratio=ratio, orders_uplift=uplift, return_type="pandas"
    )
    experiment = tea_tasting.Experiment(
        revenue=tea_tasting.Mean("revenue"),
        orders=tea_tasting.RatioOfMeans("orders", "sessions"),
        adjusted=tea_tasting.Mean("revenue", covariate="revenue_covariate"),
        adjusted_ratio=tea_tasting.RatioOfMeans("orders", "sessions", "orders_covariate", "sessions_covariate"),
    )
    arms = [users[users["variant"] == variant][COLUMNS].to_numpy(float) for variant in (0, 1)]
    return experiment.analyze(users), arms


def moments(arms: list[np.ndarray], *names: str) -> list[Moments]:
    return [Moments.from_values(arm[:, [COLUMNS.index(name) for name in names]]) for arm in arms]


def of(numbers) -> Difference:
    assert isinstance(numbers.difference, Difference)
    return numbers.difference


def test_means_and_ratios__are_the_same(shop):
    result, arms = shop
    for form, columns, name in (
        (Form.MEAN, ("revenue",), "revenue"),
        (Form.RATIO, ("orders", "sessions"), "orders"),
    ):
        ours, theirs = of(compare(form, *moments(arms, *columns))), result[name]
        assert ours.value == pytest.approx(theirs.effect_size, rel=1e-9)
        assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-8)
        assert ours.interval == pytest.approx((theirs.effect_size_ci_lower, theirs.effect_size_ci_upper), rel=1e-8)


def test_adjusted__differ_by_less_than_a_fiftieth_of_the_standard_error(shop):
    result, arms = shop  # theirs takes the covariance over both variants, ours within: an effect is no correlation
    for form, columns, pairs, name in (
        (Form.MEAN, ("revenue", "revenue_covariate"), 0, "adjusted"),
        (Form.RATIO, ("orders", "sessions", "orders_covariate", "sessions_covariate"), 1, "adjusted_ratio"),
    ):
        ours, whole = (
            of(compare_adjusted(form, *moments(arms, *columns), method=method, ratio_covariates=pairs))
            for method in (Method.POOLED, Method.TOTAL)
        )
        theirs = result[name]
        assert abs(ours.value - theirs.effect_size) < ours.standard_error / 50
        assert whole.value == pytest.approx(theirs.effect_size, rel=1e-8)  # by their own choice of slopes
        assert whole.p_value == pytest.approx(theirs.pvalue, rel=1e-2)


def test_lift__theirs_is_the_log_delta_interval_and_ours_agrees_with_the_test(shop):
    result, arms = shop
    numbers, theirs = compare(Form.MEAN, *moments(arms, "revenue")), result["revenue"]
    assert numbers.lift == pytest.approx(theirs.rel_effect_size, rel=1e-9)
    assert numbers.lift_interval is not None
    assert numbers.lift_interval == pytest.approx(
        (theirs.rel_effect_size_ci_lower, theirs.rel_effect_size_ci_upper), abs=0.05
    )
    low, high = numbers.lift_interval
    assert (low > 0 or high < 0) == (of(numbers).p_value < 0.05)


def test_sample_size__theirs_by_t_is_ours_by_normal(shop):
    _, arms = shop
    (control, _) = moments(arms, "revenue")
    mean, sd = float(control.mean[0]), float((control.comoment[0, 0] / (control.n - 1)) ** 0.5)
    metric = tea_tasting.Mean("revenue", rel_effect_size=0.05, power=0.8)
    import pandas

    solved = metric.solve_power(pandas.DataFrame(arms[0], columns=COLUMNS), "n_obs")
    ours = sample_size(mean_baseline(mean, sd), 0.05, Design())
    assert ours == pytest.approx(solved[0].n_obs, rel=0.001)


def test_shared_case__is_what_tea_tasting_gives_today():
    expected = cases.reference("tt_4000")["expected"]
    users = tea_tasting.make_users_data(rng=42, n_users=4000, covariates=True, return_type="pandas")
    arms = [users[users["variant"] == variant][COLUMNS].to_numpy(float) for variant in (0, 1)]
    revenue = of(compare(Form.MEAN, *moments(arms, "revenue")))
    assert (revenue.value, revenue.p_value) == pytest.approx(
        (expected["revenue"]["diff"], expected["revenue"]["p"]), abs=1e-7
    )
    assert revenue.interval == pytest.approx(tuple(expected["revenue"]["ci"]), abs=1e-7)
    orders = of(compare(Form.RATIO, *moments(arms, "orders", "sessions")))
    known = expected["orders_per_session"]
    assert (orders.value, orders.standard_error) == pytest.approx((known["diff"], known["se"]), abs=1e-7)
    assert orders.p_value == pytest.approx(known["p"], abs=1e-7)
