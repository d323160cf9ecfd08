"""Boundaries that hold at every moment: published constants, e-values that average to one, and looks without end."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from analysis.stats.confidence_sequence import boundary
from analysis.stats.uniform_boundaries import (
    best_rho,
    beta_binomial_mixture,
    empirical_process_bound,
    gamma_exponential_mixture,
    gamma_poisson_mixture,
    mixture_bound,
    normal_mixture,
    quantile_bound,
    share_sequence,
    stitched_bound,
)
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE, tolerance

ONE, TWO = best_rho(100, 0.05, one_sided=True), best_rho(100, 0.05)


# confseq (MIT), uniform_boundaries_unittest.cpp: v = 100, alpha = .05, tuned for 100; their R reference gives 7 digits.
@pytest.mark.parametrize(
    ("mixture", "at_ten", "bound", "largest"),
    [
        (normal_mixture(TWO), -0.6510052, 30.35209, math.inf),
        (normal_mixture(ONE, one_sided=True), -0.06502391, 27.66071, math.inf),
        (gamma_exponential_mixture(ONE, 2), -0.2490165, 33.02017, math.inf),
        (gamma_poisson_mixture(ONE, 2), -0.06991219, 30.1949, math.inf),
        (beta_binomial_mixture(TWO, 0.2, 0.8), -0.6941012, 31.4308, 500),
        (beta_binomial_mixture(ONE, 0.2, 0.8, one_sided=True), -0.07134019, 28.41238, 500),
    ],
)
def test_mixtures__confseq_constants__agree(mixture, at_ten, bound, largest):
    assert mixture(10, 100) == pytest.approx(at_ten, abs=1e-6)
    assert mixture_bound(mixture, 100, 0.05, largest) == pytest.approx(bound, abs=1e-5)


def test_other_bounds__confseq_constants__agree():
    assert stitched_bound(100, 0.05, 10, 3) == pytest.approx(64.48755, abs=1e-5)
    assert stitched_bound(100, 0.05, 10, -1) == pytest.approx(28.99389, abs=1e-5)
    assert empirical_process_bound(1000, 0.05, 100) == pytest.approx(0.08204769, abs=1e-5)
    assert quantile_bound(0.5, 1000, 0.05, 100) == pytest.approx(68.62803, abs=1e-5)


def test_shared_references__confseq__agree_to_their_tolerance():
    two, told = (cases.reference(case)["expected"] for case in ("confseq_nm2", "confseq_misc"))
    assert best_rho(100, 0.05) == pytest.approx(two["rho"], abs=1e-5)  # stated to five digits
    assert mixture_bound(normal_mixture(TWO), 100, 0.05) == pytest.approx(two["bound"], abs=1e-6)
    assert normal_mixture(TWO)(10, 100) == pytest.approx(two["logmix_s10_v100"], abs=1e-6)
    found = {
        "normal_1s": mixture_bound(normal_mixture(ONE, one_sided=True), 100, 0.05),
        "gamma_exp_c2": mixture_bound(gamma_exponential_mixture(ONE, 2), 100, 0.05),
        "gamma_poisson_c2": mixture_bound(gamma_poisson_mixture(ONE, 2), 100, 0.05),
        "beta_binomial_2s_02_08": mixture_bound(beta_binomial_mixture(TWO, 0.2, 0.8), 100, 0.05, 500),
        "poly_stitching": stitched_bound(100, 0.05, 10, 3),
        "empirical_process_lil": empirical_process_bound(1000, 0.05, 100),
        "double_stitching": quantile_bound(0.5, 1000, 0.05, 100),
    }
    assert found == pytest.approx({name: told[name] for name in found}, abs=1e-5)
    assert share_sequence(700, 1000, 0.05, 100) == pytest.approx(told["bern_700_1000_topt100"], abs=1e-5)
    assert share_sequence(15, 50, 0.05, 50) == pytest.approx(told["bern_15_50_topt50"], abs=1e-5)


@pytest.mark.parametrize("n", [1, 7, 60])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.5])
@pytest.mark.parametrize("one_sided", [False, True])
def test_beta_binomial__over_every_outcome__averages_to_one(n, p, one_sided):
    mixture = beta_binomial_mixture(best_rho(30 * p * (1 - p), 0.05), p, 1 - p, one_sided=one_sided)
    k = np.arange(n + 1)
    e = np.array([math.exp(mixture(one - n * p, n * p * (1 - p))) for one in k])
    assert float(stats.binom.pmf(k, n, p) @ e) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("v", [0.5, 4.0, 30.0])
def test_gamma_mixtures__over_every_outcome__average_to_one(v):
    poisson = gamma_poisson_mixture(5.0, 1.0)
    k = np.arange(int(v + 40 * math.sqrt(v) + 60))
    e = np.array([math.exp(poisson(float(one) - v, v)) for one in k])
    assert float(stats.poisson.pmf(k, v) @ e) == pytest.approx(1, rel=1e-6)
    waiting = gamma_exponential_mixture(5.0, 1.0)
    mean = integrate.quad(lambda x: math.exp(waiting(x - v, v) + stats.gamma.logpdf(x, v)), 1e-12, np.inf, limit=400)[0]
    assert mean == pytest.approx(1, rel=1e-3)


def test_normal_mixture__in_standard_errors__is_the_boundary_of_the_asymptotic_sequence():
    for n in (100, 1000, 50_000):
        bound = mixture_bound(normal_mixture(best_rho(1000, 0.05)), n, 0.05)
        assert bound / math.sqrt(n) == pytest.approx(boundary(n, 0.05, 1000), rel=1e-9)


def test_share_sequence__a_hundred_looks__misses_the_truth_seldom():
    random, p, runs = np.random.default_rng(20260360), 0.04, 600
    mixture = beta_binomial_mixture(best_rho(p * (1 - p) * 200, 0.05), p, 1 - p)
    sums = (random.random((runs, 400)) < p).cumsum(axis=1)
    missed = sum(
        any(mixture(row[n - 1] - n * p, n * p * (1 - p)) > math.log(20) for n in range(4, 401, 4)) for row in sums
    )
    assert missed / runs <= 0.05 + tolerance(0.05, runs)


@PURE
@given(st.integers(1, 3000), st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.2]))
def test_share_sequence__any_counts__holds_the_share_and_turns_with_failures(n, part, alpha):
    successes = round(part * n)
    low, high = share_sequence(successes, n, alpha, 200)
    assert 0 <= low <= successes / n <= high <= 1
    assert share_sequence(n - successes, n, alpha, 200) == pytest.approx((1 - high, 1 - low), abs=1e-7)


def test_share_sequence__impossible_counts__are_refused():
    with pytest.raises(ValueError, match="successes lie between 0 and n"):
        share_sequence(5, 4, 0.05, 100)


def test_bounds__before_they_start__are_open_or_flat():
    assert math.isinf(empirical_process_bound(50, 0.05, 100))
    assert stitched_bound(1, 0.05, 10) == stitched_bound(10, 0.05, 10)
