"""The funnel adds up exactly, in any unit, and its steps cover their truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.funnel import Funnel, funnel
from analysis.stats.moments import Moments
from analysis.stats.programme.log_lifts import LogLifts, log_lifts
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE

NAMES = ("impressions", "clicks per impression", "orders per click", "value per order")


def shop(seed: int, n: int = 4000, clicks: float = 0.1, buys: float = 0.2) -> np.ndarray:
    """Users with impressions, clicks, orders and revenue, each step drawn from the one before."""
    random = np.random.default_rng(seed)
    seen = 1 + random.poisson(np.exp(0.5 * random.normal(size=n)) * 12)
    clicked = random.binomial(seen, clicks)
    bought = random.binomial(clicked, buys)
    return np.column_stack([seen, clicked, bought, bought * np.exp(3 + 0.5 * random.normal(size=n))]).astype(float)


def moments(values: np.ndarray) -> Moments:
    centre = values.mean(axis=0)
    return Moments(n=len(values), mean=centre, comoment=(values - centre).T @ (values - centre))


def split(control, treatment, **asked) -> Funnel:
    found = funnel(NAMES, moments(control), moments(treatment), **asked)
    assert isinstance(found, Funnel), found
    return found


@PURE
@given(st.integers(0, 1000))
def test_funnel__steps__add_up_to_the_whole_to_the_last_digit(seed):
    control, treatment = shop(seed, 600), shop(seed + 5000, 500)
    found = split(control, treatment)
    whole = math.log(treatment[:, 3].mean() / control[:, 3].mean())
    assert sum(one.value for one in found.steps) == pytest.approx(whole, abs=1e-12)
    assert found.whole.value == pytest.approx(whole, abs=1e-12)
    assert found.whole.standard_error**2 == pytest.approx(found.covariance.sum())


def test_funnel__whole__is_the_log_lift_of_revenue_by_itself():
    control, treatment = shop(1), shop(2)
    found = split(control, treatment)
    variance = sum(one[:, 3].var(ddof=1) / len(one) / one[:, 3].mean() ** 2 for one in (control, treatment))
    assert found.whole.standard_error == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_funnel__only_clicks_moved__shows_in_that_step_alone():
    found = split(shop(3, 40_000), shop(4, 40_000, clicks=0.12))
    clicks = found.steps[1]
    assert clicks.lift == pytest.approx(0.2, abs=0.05)
    assert clicks.p_value < 1e-6
    assert [one.name for one in found.steps if one.p_value < 0.01] == ["clicks per impression"]


@pytest.mark.parametrize("runs", [100, pytest.param(1500, marks=pytest.mark.slow)])
def test_funnel__no_change__steps_cover_zero_as_often_as_promised(runs):
    inside = np.zeros(4)
    for seed in range(runs):
        found = split(shop(2 * seed, 1500), shop(2 * seed + 1, 1500))
        inside += [one.interval[0] <= 0 <= one.interval[1] for one in found.steps]
    assert (np.abs(inside / runs - 0.95) < 3 * math.sqrt(0.95 * 0.05 / runs)).all()


def test_funnel__standard_errors__are_those_of_the_bootstrap():
    control, treatment = shop(7, 3000), shop(8, 3000)
    random, found = np.random.default_rng(9), split(control, treatment)
    draws = []
    for _ in range(400):
        means = [one[random.integers(0, len(one), len(one))].mean(axis=0) for one in (control, treatment)]
        logs = np.log(means[1]) - np.log(means[0])
        draws.append(np.diff(logs, prepend=0.0))
    assert np.std(draws, axis=0) == pytest.approx([one.standard_error for one in found.steps], rel=0.12)
    theirs, ours = np.corrcoef(np.transpose(draws)), found.covariance
    root = np.sqrt(np.diag(ours))
    assert ours / np.outer(root, root) == pytest.approx(theirs, abs=0.15)


@PURE
@given(st.integers(0, 200), st.floats(0.01, 100))
def test_funnel__swapped_variants_and_other_currency__flip_and_stay(seed, unit):
    control, treatment = shop(seed, 500), shop(seed + 999, 500)
    one, other = split(control, treatment), split(treatment * [1, 1, 1, unit], control * [1, 1, 1, unit])
    for a, b in zip(one.steps, other.steps, strict=True):
        assert b.value == pytest.approx(-a.value, abs=1e-9)
        assert b.p_value == pytest.approx(a.p_value, abs=1e-9)
        assert (a.interval[0] <= 0 <= a.interval[1]) == (a.p_value >= 0.05)


def test_funnel__nobody_bought__has_no_logarithm():
    empty = shop(1, 100, buys=0.0)
    found = funnel(NAMES, moments(empty), moments(shop(2, 100)))
    assert isinstance(found, NotComputable)
    assert "0 or below" in found.reason
    with pytest.raises(ValueError, match="as many names"):
        funnel(NAMES[:2], moments(empty), moments(empty))


def test_log_lifts__a_number_that_no_contrast_uses__may_be_zero():
    empty = moments(shop(1, 100, buys=0.0))
    found = log_lifts(empty, moments(shop(2, 100)), [[1, 0, 0, 0], [-1, 1, 0, 0]])
    assert isinstance(found, LogLifts)
    assert found.covariance.shape == (2, 2)


def test_log_lifts__small_relative_noise__is_near_fiellers_interval():
    control, treatment = moments(shop(1, 30_000)), moments(shop(2, 30_000))
    found = log_lifts(control, treatment, [[1, 0, 0, 0]])
    assert isinstance(found, LogLifts)
    half = stats.norm.isf(0.025) * math.sqrt(found.covariance[0, 0])
    means = [one.mean[0] for one in (treatment, control)]
    variances = [one.comoment[0, 0] / (one.n - 1) / one.n for one in (treatment, control)]
    ratio = means[0] / means[1]
    g = (stats.norm.isf(0.025) / means[1]) ** 2 * variances[1]
    root = math.sqrt(variances[0] + ratio**2 * variances[1] - g * variances[0])
    exact = [(ratio + sign * stats.norm.isf(0.025) / means[1] * root) / (1 - g) - 1 for sign in (-1, 1)]
    assert [math.expm1(found.values[0] + sign * half) for sign in (-1, 1)] == pytest.approx(exact, abs=2e-5)
