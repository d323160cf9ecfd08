"""The difference of two estimates from their own intervals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from analysis.stats.mover import Located, difference
from tests.analysis.stats.cases import PURE

numbers = st.floats(-100, 100)
widths = st.floats(0, 50)


def located(value: float, down: float, up: float) -> Located:
    return Located(value=value, low=value - down, high=value + up)


def test_golden__newcombe_1998_two_proportions_of_wilson_intervals():
    # Newcombe 1998, Statistics in Medicine 17, 873-890, table II, 56/70 - 48/80, method 10: .0524 to .3339.
    first, second = (
        Located(value=x / n, low=low, high=high)
        for x, n in ((56, 70), (48, 80))
        for low, high in [proportion_confint(x, n, method="wilson")]
    )
    found = difference(first, second)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(("a", "n", "b", "m"), [(9, 10, 3, 10), (5, 56, 0, 29), (400, 1000, 380, 1100)])
def test_agreement__statsmodels_newcomb(a: int, n: int, b: int, m: int):
    low, high = confint_proportions_2indep(a, n, b, m, method="newcomb", compare="diff")
    parts = []
    for x, of in ((a, n), (b, m)):
        ends = proportion_confint(x, of, method="wilson")
        parts.append(Located(value=x / of, low=ends[0], high=ends[1]))
    found = difference(*parts)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


def test_normal_estimates__give_the_interval_of_independent_ones():
    found = difference(located(3, 1.96 * 2, 1.96 * 2), located(1, 1.96 * 1.5, 1.96 * 1.5))
    assert found.high - found.value == pytest.approx(1.96 * math.hypot(2, 1.5))


@PURE
@given(numbers, widths, widths, numbers, widths, widths)
def test_swapping__flips_the_sign(a, a_down, a_up, b, b_down, b_up):
    first, second = located(a, a_down, a_up), located(b, b_down, b_up)
    one, other = difference(first, second), difference(second, first)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert one.low <= one.value <= one.high


@PURE
@given(numbers, widths, numbers, widths, st.floats(1, 10))
def test_wider_parts__never_narrow_the_difference(a, a_half, b, b_half, more):
    narrow = difference(located(a, a_half, a_half), located(b, b_half, b_half))
    wide = difference(located(a, a_half * more, a_half * more), located(b, b_half, b_half))
    assert wide.high - wide.low >= narrow.high - narrow.low - 1e-9


def test_no_bound__stays_without_one():
    found = difference(Located(value=0, low=-math.inf, high=1), located(0, 1, 1))
    assert (found.low, math.isfinite(found.high)) == (-math.inf, True)
