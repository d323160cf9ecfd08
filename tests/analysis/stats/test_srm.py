"""The split: published numbers, agreement with scipy, and the cells that others drop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.srm import SplitTest, split_test
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE


def of(*counts: int, weights: tuple[float, ...] = ()) -> SplitTest | NotComputable:
    keys = [f"v{i}" for i in range(len(counts))]
    return split_test(dict(zip(keys, counts, strict=True)), dict(zip(keys, weights or [1.0] * len(keys), strict=True)))


def test_srm__kohavi_821588_against_815482__is_a_mismatch():
    found = of(821588, 815482)
    assert isinstance(found, SplitTest)
    # Kohavi, Tang, Xu 2020: p = 1.8E-6
    assert found.statistic == pytest.approx(22.77436884, rel=1e-9)
    assert found.p_value == pytest.approx(1.8217928726e-06, rel=1e-9)
    assert found.mismatch


def test_srm__shared_reference__agrees_to_its_tolerance():
    case = cases.reference("srm_kohavi")
    found = of(*case["inputs"]["n"])
    assert isinstance(found, SplitTest)
    assert found.statistic == pytest.approx(case["expected"]["chi2"], rel=float(case["tol"]))
    assert found.p_value == pytest.approx(case["expected"]["p"], rel=float(case["tol"]))


@PURE
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10_000)), min_size=2, max_size=5))
def test_srm__any_counts__agree_with_the_formula_and_scipy(cells):
    counts, weights = zip(*cells, strict=True)
    found = of(*counts, weights=weights)
    if isinstance(found, NotComputable):
        assert min(sum(counts) * weight / sum(weights) for weight in weights) < 5
        return
    expected = [sum(counts) * weight / sum(weights) for weight in weights]
    chi2 = sum((count - e) ** 2 / e for count, e in zip(counts, expected, strict=True))
    assert found.df == len(cells) - 1
    assert found.statistic == pytest.approx(chi2, rel=1e-9, abs=1e-9)
    assert found.p_value == pytest.approx(float(stats.chi2.sf(chi2, found.df)), rel=1e-6, abs=1e-300)


def test_srm__one_variant_without_any_unit__is_a_mismatch_with_all_its_degrees_of_freedom():
    found = of(500, 500, 0)
    assert isinstance(found, SplitTest)
    assert found.df == 2
    assert found.mismatch


def test_srm__variant_of_weight_zero__is_left_out_while_it_is_empty():
    found = of(500, 510, 0, weights=(1, 1, 0))
    assert isinstance(found, SplitTest)
    assert (found.df, found.mismatch) == (1, False)


def test_srm__units_in_a_variant_of_weight_zero__are_a_mismatch_for_certain():
    found = of(500, 510, 3, weights=(1, 1, 0))
    assert isinstance(found, SplitTest)
    assert (found.p_value, found.mismatch) == (0.0, True)


def test_srm__too_few_units__is_not_computable():
    found = of(3, 1)
    assert isinstance(found, NotComputable)
    assert "too few units" in found.reason


def test_srm__one_variant_with_weight__is_not_computable():
    assert isinstance(of(500, 0, weights=(1, 0)), NotComputable)


def test_srm__uneven_design_kept__is_no_mismatch():
    found = of(9_050, 950, weights=(9000, 1000))
    assert isinstance(found, SplitTest)
    assert not found.mismatch
    assert found.expected == {"v0": 9_000.0, "v1": 1_000.0}


def test_srm__counts_of_an_unknown_variant__are_refused():
    with pytest.raises(ValueError, match="give every variant a weight"):
        split_test({"a": 5, "x": 5}, {"a": 1, "b": 1})
