"""Looking as often as one likes: reference numbers, another formula for the same thing, and consistency."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from analysis.stats.confidence_sequence import (
    ConfidenceSequence,
    always_valid_p,
    anytime_regression_width,
    boundary,
    confidence_sequence,
    rho_squared,
)
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE


def test_sequence__growthbook_relative_case__agrees_to_its_digits():
    # gbstats test_sequential_test_runs (MIT): lift .50336, se .33341, 3,000 and 3,461 users, tuned for 1,000
    found = confidence_sequence(0.5033610858562358, 0.3334122146400735, 6461, tuned_for=1000, alpha=0.05)
    assert isinstance(found, ConfidenceSequence)
    assert found.interval == pytest.approx((-0.5584405051077315, 1.5651626768202032), abs=1e-8)
    assert found.p_value == 1.0


def test_sequence__shared_reference__agrees_to_its_tolerance():
    case = cases.reference("acs_rel")
    told, n = case["expected"], sum(case["inputs"][arm]["n"] for arm in ("control", "treatment"))
    found = confidence_sequence(told["lift"], told["se"], n, tuned_for=case["inputs"]["nstar"], alpha=0.05)
    assert isinstance(found, ConfidenceSequence)
    assert found.interval == pytest.approx(told["ci95"], abs=float(case["tol"]))
    assert found.p_value == pytest.approx(told["p"])


def test_boundary__howards_normal_mixture__is_the_same():
    # confseq's unit test: v = 100, alpha = .05, tuned for 100: rho 12.60056, bound 30.35208990376253
    assert 1 / rho_squared(0.05, 100) == pytest.approx(12.60056, abs=1e-5)
    assert boundary(100, 0.05, 100) * math.sqrt(100) == pytest.approx(30.35208990376253, abs=1e-6)


@pytest.mark.parametrize(("share", "width"), [(0.1, 1.967), (0.3, 1.633), (1, 1.549), (3, 1.580), (10, 1.654)])
def test_boundary__against_one_look__is_as_wide_as_predicted(share, width):
    assert boundary(share * 10_000, 0.05, 10_000) / 1.959964 == pytest.approx(width, abs=1e-3)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("n", [500, 10_000, 2_000_000])
def test_boundary__over_a_grid__is_where_the_msprt_crosses(alpha, n):
    # the mixture sequential probability ratio test with a normal prior of variance tau² on the effect, by quadrature
    tau2, v = rho_squared(alpha, 10_000), 1 / n

    def log_ratio(z):
        x = z * math.sqrt(v)
        return stats.norm.logpdf(x, 0, math.sqrt(v + tau2)) - stats.norm.logpdf(x, 0, math.sqrt(v)) + math.log(alpha)

    assert boundary(n, alpha, 10_000) == pytest.approx(optimize.brentq(log_ratio, 0.1, 20), rel=1e-8)


def test_one_sided__against_the_exact_half_normal_mixture__is_a_little_wider_and_never_narrower():
    rho2 = rho_squared(0.05, 10_000)
    for n in (1000, 10_000, 100_000):
        spread = n * rho2

        def log_e(z, spread=spread):
            at = z * math.sqrt(spread / (spread + 1))
            return math.log(2) + at**2 / 2 + stats.norm.logcdf(at) - 0.5 * math.log1p(spread) + math.log(0.05)

        exact = optimize.brentq(log_e, 0.1, 10)
        assert exact <= boundary(n, 0.05, 10_000, one_sided=True) <= 1.05 * exact
        assert boundary(n, 0.05, 10_000, one_sided=True) < boundary(n, 0.05, 10_000)


@PURE
@given(st.floats(-8, 8), st.integers(1000, 10**7), st.floats(0.001, 0.3), st.integers(1000, 10**6), st.booleans())
def test_p_value__any_case__is_below_alpha_exactly_when_the_interval_excludes_zero(z, n, alpha, tuned, one_sided):
    found = confidence_sequence(z, 1.0, n, tuned_for=tuned, alpha=alpha, one_sided=one_sided)
    assert isinstance(found, ConfidenceSequence)
    if abs(abs(z) - found.multiplier) > 1e-9:
        assert (found.p_value < alpha) == (found.interval[0] > 0 or found.interval[1] < 0)


@PURE
@given(st.floats(0.001, 0.3), st.integers(1000, 10**6), st.floats(0.1, 1e3))
def test_sequence__another_unit__scales_and_leaves_p(alpha, n, unit):
    one = confidence_sequence(0.3, 0.1, n, tuned_for=5000, alpha=alpha)
    other = confidence_sequence(0.3 * unit, 0.1 * unit, n, tuned_for=5000, alpha=alpha)
    assert isinstance(one, ConfidenceSequence)
    assert isinstance(other, ConfidenceSequence)
    assert other.p_value == pytest.approx(one.p_value)
    assert other.interval == pytest.approx([unit * end for end in one.interval])


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"smallest_arm": 499}, "500 units"), ({"conversions": 49.0}, "50 successes"), ({"standard_error": 0.0}, "zero")],
)
def test_sequence__too_little__is_not_computable(changes, why):
    asked = {"estimate": 1.0, "standard_error": 0.1, "n": 2000, "tuned_for": 5000, "alpha": 0.05}
    found = confidence_sequence(**{**asked, **changes})
    assert isinstance(found, NotComputable)
    assert why in found.reason


def test_p_value__enormous_statistic__is_zero_and_no_overflow():
    assert always_valid_p(1e4, 10_000, 0.05, 5000) == 0.0
    assert always_valid_p(1e4, 10_000, 0.05, 5000, one_sided=True) < 1e-100
    assert always_valid_p(-1e4, 10_000, 0.05, 5000, one_sided=True) == 1.0


def test_regression_sequence__many_units__comes_close_to_the_asymptotic_one():
    n = 100_000
    phi = 1 / rho_squared(0.05, n)
    se = 1 / math.sqrt(n)
    exact = anytime_regression_width(se, 1.0, n - 2, phi, 0.05)
    assert exact / se == pytest.approx(boundary(n, 0.05, n), rel=1e-3)
    assert math.isinf(anytime_regression_width(0.5, 1.0, 2, 100.0, 0.05))


@pytest.mark.parametrize("runs", [2000])
def test_sequence__no_effect_looked_at_at_every_step__alarms_at_most_one_time_in_twenty(runs):
    random, looks, per_look, tuned = np.random.default_rng(20260321), 100, 1000, 10_000
    n = np.arange(1, looks + 1) * per_look
    z = random.normal(0, math.sqrt(per_look), (runs, looks)).cumsum(axis=1) / np.sqrt(n)
    bounds = np.array([boundary(float(one), 0.05, tuned) for one in n])
    assert (np.abs(z) > bounds).any(axis=1).mean() <= 0.05 + cases.tolerance(0.05, runs)
    assert (np.abs(z) > 1.96).any(axis=1).mean() > 0.3  # the negative control: p < .05 at any look
