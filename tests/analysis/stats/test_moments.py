"""Moments: exact from decimals, associative when merged, right where raw sums of squares are not."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.stats.moments import Moments, mean_moments, merge, merge_all, pair_moments, proportion_moments
from tests.analysis.stats.cases import PURE

tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 12), st.just(2)),
    elements=st.floats(-1e6, 1e6, allow_nan=False, width=32),
)


def same(a: Moments, b: Moments) -> None:
    """Same moments, up to the rounding of numbers of this size."""
    assert a.n == b.n
    assert a.third is not None
    assert b.third is not None
    size = max(1.0, float(np.abs(a.mean).max()), float(np.sqrt(np.abs(a.comoment).max())))
    np.testing.assert_allclose(a.mean, b.mean, atol=1e-12 * size, rtol=1e-12)
    np.testing.assert_allclose(a.comoment, b.comoment, atol=1e-9 * size**2, rtol=1e-9)
    np.testing.assert_allclose(a.third, b.third, atol=1e-9 * size**3, rtol=1e-9)


@PURE
@given(tables, tables, tables)
def test_merge__any_grouping_and_order__gives_the_moments_of_all_units(a, b, c):
    whole = Moments.from_values(np.concatenate([a, b, c]))
    x, y, z = (Moments.from_values(part) for part in (a, b, c))
    same(whole, (x + y) + z)
    same(whole, x + (y + z))
    same(whole, merge_all([z, x, y], k=2))


def test_merge_all__no_part__is_the_moments_of_no_unit():
    assert merge_all([], k=2).n == 0
    assert merge_all([], k=2).mean.shape == (2,)


def test_merge__third_moments_missing_on_one_side__are_not_invented():
    without = mean_moments(3, 6, 14)
    assert merge(without, mean_moments(2, 3, 5, 9)).third is None
    assert merge(without, Moments.empty(with_third=True)).third is None


def test_from_values__mean_a_million_times_its_spread__keeps_the_variance():
    random = np.random.default_rng(1)
    spread = random.normal(0, 1, 20_000)
    moments = Moments.from_values(1e6 + spread)
    exact = float(((spread - spread.mean()) ** 2).sum())
    assert moments.comoment[0, 0] == pytest.approx(exact, rel=1e-9)


def test_from_sums__decimals_with_a_mean_a_million_times_the_spread__are_exact():
    values = [Decimal(10**6) + Decimal(i % 7) / 10 for i in range(5000)]
    moments = mean_moments(len(values), sum(values), sum(value * value for value in values))
    exact = float(np.var([i % 7 / 10 for i in range(5000)]) * 5000)
    assert moments.comoment[0, 0] == pytest.approx(exact, rel=1e-12)


def test_from_sums__floats_summed_unshifted__lose_what_the_shift_keeps():
    random = np.random.default_rng(2)
    values = 1e8 + random.normal(0, 1, 10_000)
    exact = float(((values - values.mean()) ** 2).sum())
    shifted = values - 1e8
    kept = Moments.from_sums(10_000, [shifted.sum()], [[(shifted**2).sum()]], shift=[1e8])
    assert kept.comoment[0, 0] == pytest.approx(exact, rel=1e-9)
    assert kept.mean[0] == pytest.approx(values.mean(), rel=1e-14)
    lost = float((values**2).sum() - values.sum() ** 2 / 10_000)  # the textbook formula in floats
    assert abs(lost / exact - 1) > 0.01


def test_from_sums__pairs__agree_with_the_values():
    random = np.random.default_rng(3)
    table = random.integers(0, 9, (400, 2))
    y, x = table[:, 0], table[:, 1]
    whole = pair_moments(400, int(y.sum()), int(x.sum()), int((y * y).sum()), int((y * x).sum()), int((x * x).sum()))
    expected = Moments.from_values(table)
    np.testing.assert_allclose(whole.mean, expected.mean, rtol=1e-14)
    np.testing.assert_allclose(whole.comoment, expected.comoment, rtol=1e-12)
    np.testing.assert_allclose(whole.only(1).comoment, expected.comoment[1:, 1:], rtol=1e-12)


def test_from_sums__cubes__give_the_third_central_moment():
    values = np.array([0, 0, 1, 2, 7])
    moments = mean_moments(5, int(values.sum()), int((values**2).sum()), int((values**3).sum()))
    assert moments.third is not None
    assert moments.third[0] == pytest.approx(float(((values - 2) ** 3).sum()))


def test_proportion_moments__are_those_of_ones_and_zeros():
    same(proportion_moments(10, 3), Moments.from_values([1, 1, 1] + [0] * 7))


def test_from_sums__squares_of_other_units__are_refused():
    with pytest.raises(ValueError, match="too small for 10 values"):
        mean_moments(10, 100, 500)


def test_moments__not_finite__are_refused():
    with pytest.raises(ValueError, match="finite"):
        Moments.from_values([1.0, float("nan")])


def test_moments__shapes_that_do_not_fit__are_refused():
    with pytest.raises(ValueError, match="shapes"):
        Moments(n=3, mean=np.zeros(2), comoment=np.zeros((1, 1)))
