"""Capping: one cap for all variants, the moments of capped totals, and the uncapped comparison beside."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.capping import ValueCounts, compare_capped, pooled_percentile
from analysis.stats.compare import Difference
from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE, tolerance, zero_inflated_lognormal

SLOW = pytest.mark.slow
totals = st.lists(st.floats(-1e4, 1e4, allow_nan=False, width=32), min_size=2, max_size=60)


@PURE
@given(totals, st.floats(-1e4, 1e4))
def test_moments__of_a_histogram__are_those_of_the_capped_totals(values, cap):
    found, direct = ValueCounts.of(values).moments(cap), Moments.from_values(np.minimum(values, cap))
    assert found.n == direct.n
    np.testing.assert_allclose(found.mean, direct.mean, atol=1e-8)
    np.testing.assert_allclose(found.comoment, direct.comoment, atol=1e-5, rtol=1e-9)
    assert found.third is not None
    assert direct.third is not None
    np.testing.assert_allclose(found.third, direct.third, atol=1e-1, rtol=1e-7)


@PURE
@given(totals, totals, st.sampled_from([50.0, 90.0, 99.0]))
def test_pooled_percentile__is_the_order_statistic_of_both_variants_together(a, b, percentile):
    both = np.sort(np.array([*a, *b]))
    found = pooled_percentile([ValueCounts.of(a), ValueCounts.of(b)], percentile)
    expected = both[math.ceil(len(both) * percentile / 100 - 1e-9) - 1]
    if expected > both[0]:
        assert found == expected
        assert found == np.quantile(both, percentile / 100, method="inverted_cdf")
    else:
        assert isinstance(found, NotComputable)


def test_compare_capped__agrees_with_scipy_on_capped_and_uncapped_totals():
    random = np.random.default_rng(1)
    control, treatment = zero_inflated_lognormal(random, (4000,)), zero_inflated_lognormal(random, (3000,)) * 1.1
    parts = ValueCounts.of(control), ValueCounts.of(treatment)
    cap = pooled_percentile(parts, 99)
    assert isinstance(cap, float)
    found = compare_capped(*parts, cap)
    assert found.units_capped == (control > cap).sum() + (treatment > cap).sum()
    held = stats.ttest_ind(np.minimum(treatment, cap), np.minimum(control, cap), equal_var=False)
    raw = stats.ttest_ind(treatment, control, equal_var=False)
    for numbers, expected in ((found.numbers, held), (found.uncapped, raw)):
        assert isinstance(numbers.difference, Difference)
        assert numbers.difference.p_value == pytest.approx(expected.pvalue, rel=1e-8)


def test_pooled_percentile__most_units_have_nothing__says_that_a_cap_would_leave_nothing():
    found = pooled_percentile([ValueCounts.of([0.0] * 95 + [10.0] * 5)], 90)
    assert isinstance(found, NotComputable)
    assert "would leave nothing" in found.reason


def test_pooled_percentile__no_units_or_no_percentile():
    assert isinstance(pooled_percentile([ValueCounts.of([])], 99), NotComputable)
    with pytest.raises(ValueError, match="between 0 and 100"):
        pooled_percentile([ValueCounts.of([1.0])], 100)


@pytest.mark.parametrize("runs", [300, pytest.param(4000, marks=SLOW)])
def test_cap__percentile_of_the_same_data_on_a_nine_to_one_split__keeps_the_error_rate(runs):
    random, called = np.random.default_rng(20260370), 0
    for _ in range(runs):
        parts = [ValueCounts.of(zero_inflated_lognormal(random, (n,))) for n in (4500, 500)]
        cap = pooled_percentile(parts, 99)
        assert isinstance(cap, float)
        found = compare_capped(parts[0], parts[1], cap).numbers.difference
        assert isinstance(found, Difference)
        called += found.p_value < 0.05
    assert called / runs == pytest.approx(0.05, abs=0.004 + tolerance(0.05, runs))
