"""Quantiles: gbstats' variance, a bootstrap over units, planned power, and coverage where rows are clustered."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.compare import Difference, compare_estimates
from analysis.stats.estimates import Estimate, Form
from analysis.stats.moments import Moments
from analysis.stats.planning import baseline_of, sample_size
from analysis.stats.quantiles import Ranks, quantile, ranks, value_rank
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE, tolerance

SLOW = pytest.mark.slow


def found(value: Estimate | NotComputable) -> Estimate:
    assert isinstance(value, Estimate), value
    return value


def clustered(random: np.random.Generator, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Latencies of users: each has a level of their own, and some have many rows."""
    rows = 1 + random.poisson(4, units)
    unit = np.repeat(np.arange(units), rows)
    return np.exp(random.normal(0, 0.7, units)[unit] + random.normal(0, 0.7, len(unit))), unit


def test_ranks__growthbook_cluster_variance__agrees():
    # gbstats 0.8.0 (MIT), QuantileClusteredStatistic(n=1000, nu=.9, main_sum=900, main_sum_squares=4900,
    # denominator_sum=1000, denominator_sum_squares=5430, main_denominator_sum_product=4950, n_clusters=200)
    # .get_cluster_variance, run on Python 3.11
    theirs = 0.0003902512562814068
    plan = ranks(0.9, Moments.from_sums(200, [900.0, 1000.0], [[4900.0, 4950.0], [4950.0, 5430.0]]))
    assert isinstance(plan, Ranks)
    assert plan.effect == pytest.approx(theirs / (0.9 * 0.1 / 1000), rel=1e-9)
    reach = 1000 * 1.959964 * theirs**0.5
    assert (plan.lower, plan.upper) == (math.floor(900 - reach), math.ceil(900 + reach))


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_quantile__clustered_rows__agrees_with_a_bootstrap_over_units(level):
    random = np.random.default_rng(1)
    values, unit = clustered(random, 1500)
    one = found(quantile(values, unit, level))
    assert one.value == np.sort(values)[value_rank(len(values), level) - 1]
    starts = np.searchsorted(unit, np.arange(1501))
    draws = []
    for _ in range(300):
        chosen = random.integers(0, 1500, 1500)
        again = np.concatenate([values[starts[u] : starts[u + 1]] for u in chosen])
        draws.append(np.quantile(again, level, method="inverted_cdf"))
    assert one.variance**0.5 == pytest.approx(np.std(draws), rel=0.2)


def test_quantile__one_row_a_unit__agrees_with_the_binomial_order_statistics():
    values = np.random.default_rng(2).exponential(1, 5000)
    one = found(quantile(values, np.arange(5000), 0.5))
    low, high = stats.binom.ppf([0.025, 0.975], 5000, 0.5).astype(int)
    ordered = np.sort(values)
    assert one.variance**0.5 == pytest.approx((ordered[high] - ordered[low - 1]) / (2 * 1.96), rel=0.05)


@pytest.mark.parametrize(
    ("values", "units", "level", "reason"),
    [
        ([], [], 0.5, "no unit has a value"),
        ([1.0, 2.0, 3.0], [1, 1, 1], 0.5, "one unit alone"),
        (list(range(500)), list(range(500)), 0.99, "too few for the 0.99 quantile"),
        (list(range(500)), [i // 50 for i in range(500)], 0.9, "too few for the 0.9 quantile"),
    ],
)
def test_quantile__not_computable__is_said_with_its_reason(values, units, level, reason):
    one = quantile(values, units, level)
    assert isinstance(one, NotComputable)
    assert reason in one.reason


def test_ranks__level_outside__is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        ranks(1.0, Moments.empty(2))


@PURE
@given(st.integers(0, 10_000), st.sampled_from([0.1, 10.0]))
def test_quantile__values_in_another_unit__scale_with_it(seed, factor):
    random = np.random.default_rng(seed)
    values, unit = clustered(random, 120)
    one, other = quantile(values, unit, 0.5), quantile(values * factor, unit, 0.5)
    assert found(other).value == pytest.approx(found(one).value * factor)
    assert found(other).variance == pytest.approx(found(one).variance * factor**2)


@pytest.mark.parametrize("runs", [150, pytest.param(1000, marks=SLOW)])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_quantile__clustered_rows__covers_where_rows_counted_as_units_do_not(runs, level):
    random = np.random.default_rng(20260360)
    truth = float(np.exp(stats.norm.ppf(level) * np.sqrt(0.98)))
    covered = naive = computed = 0
    for _ in range(runs):
        values, unit = clustered(random, 1000)
        one, rows = quantile(values, unit, level), quantile(values, np.arange(len(values)), level)
        if isinstance(one, NotComputable):
            continue
        computed += 1
        covered += abs(one.value - truth) <= 1.96 * one.variance**0.5
        naive += abs(found(rows).value - truth) <= 1.96 * found(rows).variance ** 0.5
    assert computed > 0.9 * runs
    assert 0.93 - tolerance(0.05, runs) * (runs < 1000) <= covered / computed <= 0.97 + tolerance(0.05, runs)
    if level < 0.95 and runs >= 1000:
        assert naive / computed < 0.92  # the negative control


@pytest.mark.parametrize("runs", [200, pytest.param(5000, marks=SLOW)])
def test_quantile__planned_size__has_the_power(runs):
    random, lift = np.random.default_rng(20260361), 0.12
    value = float(np.exp(0.8 * stats.norm.ppf(0.9)))
    density = stats.lognorm.pdf(value, 0.8)
    past = Estimate(n=10_000, value=value, variance=0.09 / density**2 / 10_000, df=np.inf)
    needed = sample_size(baseline_of(past, growth=2.0), lift)
    assert isinstance(needed, float)
    n, seen = round(needed / 2), 0
    for _ in range(runs):
        arms = [quantile(np.exp(random.normal(0, 0.8, n)) * factor, np.arange(n), 0.9) for factor in (1.0, 1 + lift)]
        one = compare_estimates(Form.MEAN, *arms).difference
        assert isinstance(one, Difference)
        seen += one.p_value < 0.05 and one.value > 0
    assert seen / runs == pytest.approx(0.8, abs=max(0.02, tolerance(0.8, runs)))
