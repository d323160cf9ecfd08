"""Moments of many cells: merging is exact, leaving one out undoes it, and comparing many is comparing each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.stats.adjusted import compare_adjusted
from analysis.stats.adjustment import Method
from analysis.stats.compare import Difference, compare
from analysis.stats.estimates import Form
from analysis.stats.many import compare_many
from analysis.stats.moment_matrix import MomentMatrix
from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE

tables = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(-1e5, 1e5, allow_nan=False, width=32)
)


def same(a: MomentMatrix, b: MomentMatrix, size: float) -> None:
    np.testing.assert_array_equal(a.n, b.n)
    np.testing.assert_allclose(a.mean, b.mean, atol=1e-12 * size, rtol=1e-10)
    np.testing.assert_allclose(a.products, b.products, atol=1e-9 * size**2, rtol=1e-9)
    np.testing.assert_allclose(a.third, b.third, atol=1e-8 * size**3, rtol=1e-8)


def cells_of(seed: int, units: int, cells: int, numbers: int, origin: float = 0.0) -> tuple[MomentMatrix, np.ndarray]:
    random = np.random.default_rng(seed)
    common = random.normal(0, 1, (units, 1))
    values = origin + common + random.normal(0, 1, (units, numbers)) + random.exponential(1, (units, numbers))
    labels = random.integers(0, cells, units)
    return MomentMatrix.from_values(values, labels, cells), np.column_stack([labels, values])


@PURE
@given(tables, st.integers(0, 10_000))
def test_merge__any_cells__gives_the_moments_of_all_their_units(table, seed):
    random = np.random.default_rng(seed)
    labels, into = random.integers(0, 6, len(table)), random.integers(0, 2, 6)
    merged = MomentMatrix.from_values(table, labels, 6).merge(into, 2)
    size = max(1.0, float(np.abs(table).max()))
    same(merged, MomentMatrix.from_values(table, into[labels], 2), size)


@PURE
@given(tables, st.integers(0, 10_000))
def test_without_each__is_the_moments_of_all_other_units(table, seed):
    labels = np.random.default_rng(seed).integers(0, 4, len(table))
    left = MomentMatrix.from_values(table, labels, 4).without_each()
    size = max(1.0, float(np.abs(table).max()))
    for cell in range(4):
        rest = table[labels != cell]
        direct = MomentMatrix.from_values(rest, np.zeros(len(rest), dtype=int), 1)
        same(left.take([cell]), direct, size * 10)


@PURE
@given(tables)
def test_packed__read_again__is_the_same(table):
    whole = MomentMatrix.from_values(table, np.arange(len(table)) % 3, 3)
    same(MomentMatrix.from_packed(whole.packed()), whole, 1.0)


def test_from_packed__a_length_that_no_number_of_metrics_gives__is_refused():
    with pytest.raises(ValueError, match="holds no moments"):
        MomentMatrix.from_packed(np.zeros(9))


def test_from_values__mean_a_million_times_its_spread__keeps_the_variance():
    whole, rows = cells_of(1, 20_000, 4, 2, origin=1e6)
    for cell in range(4):
        own = rows[rows[:, 0] == cell, 1:]
        assert whole.comoments()[cell] == pytest.approx((own - own.mean(axis=0)).T @ (own - own.mean(axis=0)), rel=1e-9)


def test_from_sums__shifted__agrees_with_the_values():
    whole, rows = cells_of(2, 5000, 3, 2, origin=1e6)
    rows_, columns = np.triu_indices(2)
    moved = rows[:, 1:] - 1e6
    sums, products, cubes = (np.zeros((3, width)) for width in (2, 3, 2))
    for cell in range(3):
        own = moved[rows[:, 0] == cell]
        sums[cell], cubes[cell] = own.sum(axis=0), (own**3).sum(axis=0)
        products[cell] = (own[:, rows_] * own[:, columns]).sum(axis=0)
    same(MomentMatrix.from_sums(whole.n, sums, products, cubes, shift=[1e6, 1e6]), whole, 1.0)


def test_from_sums__cell_without_units__is_empty():
    empty = MomentMatrix.from_sums([0], [[0.0]], [[0.0]], [[0.0]], shift=[5.0])
    assert (empty.n[0], empty.mean[0, 0], empty.products[0, 0]) == (0, 0.0, 0.0)


def test_select__columns_in_another_order__are_those_moments():
    whole, rows = cells_of(3, 400, 2, 4)
    same(
        whole.select([3, 0, 2]),
        MomentMatrix.from_values(rows[:, [4, 1, 3]], rows[:, 0].astype(int), 2),
        1.0,
    )


def test_cell__is_moments_of_its_units():
    whole, rows = cells_of(4, 300, 2, 2)
    direct = Moments.from_values(rows[rows[:, 0] == 1, 1:])
    np.testing.assert_allclose(whole.cell(1).comoment, direct.comoment, rtol=1e-10)
    assert direct.third is not None
    np.testing.assert_allclose(whole.cell(1).third, direct.third, rtol=1e-8)


def test_matrix__shapes_that_do_not_fit__are_refused():
    with pytest.raises(ValueError, match="need"):
        MomentMatrix(
            n=np.zeros(2, dtype=np.int64), mean=np.zeros((2, 3)), products=np.zeros((2, 3)), third=np.zeros((2, 3))
        )


# --- comparing many ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [Method.LIN, Method.POOLED])
@pytest.mark.parametrize("covariates", [0, 1, 3])
@pytest.mark.parametrize("form", [Form.MEAN, Form.RATIO])
def test_compare_many__every_row__is_compare_of_that_row(form, covariates, method):
    own = 2 if form is Form.RATIO else 1
    whole, _ = cells_of(5, 6000, 40, own + covariates, origin=3.0)
    control, treatment = whole.take(range(20)), whole.take(range(20, 40))
    many = compare_many(form, control, treatment, method=method)
    for row in range(20):
        one = compare_adjusted(form, control.cell(row), treatment.cell(row), method=method)
        found = many.difference(row)
        assert isinstance(one.difference, Difference)
        assert isinstance(found, Difference)
        for name in ("value", "standard_error", "df", "statistic", "p_value", "quantile"):
            assert getattr(found, name) == pytest.approx(getattr(one.difference, name), rel=1e-9), name
        assert found.interval == pytest.approx(one.difference.interval, rel=1e-9)
        assert (bool(many.lift_bounded[row]), float(many.lift[row])) == (
            one.lift_interval is not None,
            pytest.approx(one.lift, rel=1e-9),
        )
        if one.lift_interval is not None:
            assert (many.lift_low[row], many.lift_high[row]) == pytest.approx(one.lift_interval, rel=1e-8)
        assert many.variance_reduction[row] == pytest.approx(one.variance_reduction or 0.0, abs=1e-9)


def test_compare_many__proportions__are_compare_of_each():
    random = np.random.default_rng(6)
    values = (random.random((4000, 1)) < 0.2).astype(float)
    whole = MomentMatrix.from_values(values, random.integers(0, 8, 4000), 8)
    many = compare_many(Form.PROPORTION, whole.take(range(4)), whole.take(range(4, 8)))
    for row in range(4):
        one = compare(Form.PROPORTION, whole.cell(row), whole.cell(row + 4)).difference
        assert isinstance(one, Difference)
        assert many.p_value[row] == pytest.approx(one.p_value, rel=1e-9)


def test_compare_many__rows_without_units_or_spread__are_said_not_to_be_computable():
    values = np.array([[1.0], [2.0], [4.0], [3.0], [3.0]])
    whole = MomentMatrix.from_values(values, np.array([0, 0, 0, 1, 1]), 3)
    many = compare_many(Form.MEAN, whole.take([0, 0, 1]), whole.take([1, 2, 1]))
    assert list(many.computable) == [True, False, False]
    assert isinstance(many.difference(1), NotComputable)


def test_compare_many__different_cells_on_both_sides__are_refused():
    whole, _ = cells_of(7, 100, 3, 1)
    with pytest.raises(ValueError, match="both sides"):
        compare_many(Form.MEAN, whole.take([0]), whole.take([1, 2]))
