"""The split, looked at daily: reference numbers, the definition by enumeration, and its error rate."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import dirichlet_multinomial, multinomial

from analysis.stats.sequential_srm import (
    SequentialSplitTest,
    SplitBySegment,
    dirichlet_log_bayes_factor,
    log_bayes_factor,
    sequential_split_test,
    split_by_segment,
)
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE

EVEN = {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(("concentration", "expected"), [(1, 4.01), (100, 6.53), (10_000, 8.77)])
def test_bayes_factor__kohavi_821588_against_815482__depends_on_the_prior(concentration, expected):
    # k = 100 is savvi's default, 10,000 ssrm-test's
    assert log_bayes_factor([821588, 815482], [1, 1], concentration) == pytest.approx(expected, abs=0.005)


def test_bayes_factor__optimizely_test_vector__agrees():
    # optimizely/ssrm test_sequential_posteriors: ln P(counts | any) and ln P(counts | design) after each batch
    batches = [(20, 17, 9), (18, 21, 8), (4, 6, 4), (18, 19, 11)]
    any_split = (-7.028201432058012, -11.947847738358888, -15.471401950257842, -19.96484521090386)
    design = (-4.0776406466061985, -8.265946861099877, -11.610743519545139, -15.781031228536165)
    summed = np.zeros(3, dtype=int)
    for batch, first, other in zip(batches, any_split, design, strict=True):
        summed += batch
        found = dirichlet_log_bayes_factor([int(n) for n in summed], [0.4, 0.4, 0.2], [1, 1, 1])
        assert found == pytest.approx(first - other, abs=1e-9)


def test_bayes_factor__shared_reference__agrees_to_its_tolerance():
    case = cases.reference("ssrm_seq")
    asked, told = case["inputs"], case["expected"]
    for index in range(len(asked["counts"])):
        summed = [sum(column) for column in zip(*asked["counts"][: index + 1], strict=True)]
        found = dirichlet_log_bayes_factor(summed, asked["null"], asked["alpha0"])
        assert found == pytest.approx(told["logM1"][index] - told["logM0"][index], abs=float(case["tol"]))


@PURE
@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0.1, 5)), min_size=2, max_size=4), st.floats(1, 1e5))
def test_bayes_factor__any_counts__is_the_ratio_of_scipys_probabilities(cells, k):
    counts, weights = [list(column) for column in zip(*cells, strict=True)]
    share = np.array(weights) / sum(weights)
    expected = dirichlet_multinomial.logpmf(counts, k * share, sum(counts)) - multinomial.logpmf(
        counts, sum(counts), share
    )
    assert log_bayes_factor(counts, weights, k) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_bayes_factor__over_all_outcomes_of_ten_units__averages_to_one():
    total = sum(
        math.exp(log_bayes_factor([a, 10 - a], [3, 1], 7)) * multinomial.pmf([a, 10 - a], 10, [0.75, 0.25])
        for a in range(11)
    )
    assert total == pytest.approx(1, abs=1e-12)


def test_split__swapped_variants__give_the_same_evidence():
    assert log_bayes_factor([600, 400], [3, 2]) == pytest.approx(log_bayes_factor([400, 600], [2, 3]))


def test_split__once_alarmed__stays_alarmed():
    looks = [{"a": 5000, "b": 5000}, {"a": 11_000, "b": 10_000}, {"a": 100_000, "b": 100_000}]
    found = sequential_split_test(looks, EVEN)
    assert isinstance(found, SequentialSplitTest)
    assert (found.mismatch, found.first_alarm) == (True, 1)
    assert found.p_value == pytest.approx(math.exp(-found.log_bayes_factor[1]))


def test_split__units_where_there_should_be_none__are_a_mismatch_for_certain():
    found = sequential_split_test([{"a": 50, "b": 50, "c": 1}], {**EVEN, "c": 0.0})
    assert isinstance(found, SequentialSplitTest)
    assert (found.mismatch, found.p_value) == (True, 0.0)


def test_split__nothing_yet__is_not_computable():
    assert isinstance(sequential_split_test([], EVEN), NotComputable)
    assert isinstance(sequential_split_test([{"a": 0, "b": 0}], EVEN), NotComputable)
    assert isinstance(sequential_split_test([{"a": 5}], {"a": 1.0}), NotComputable)


def test_split__unknown_variant__is_refused():
    with pytest.raises(ValueError, match="give every variant a weight"):
        sequential_split_test([{"x": 5}], EVEN)


def test_split__thirty_honest_days__alarm_far_less_than_once_in_a_thousand():
    random, runs = np.random.default_rng(20260322), 400
    days = random.binomial(2000, 0.5, (runs, 30)).cumsum(axis=1)
    alarms = 0
    for path in days:
        looks = [{"a": int(a), "b": 2000 * day - int(a)} for day, a in enumerate(path, start=1)]
        found = sequential_split_test(looks, EVEN)
        assert isinstance(found, SequentialSplitTest)
        alarms += found.mismatch
    assert alarms <= 2


def test_split__51_to_49_at_20_000_a_day__is_found_within_a_fortnight():
    random = np.random.default_rng(20260323)
    for _ in range(100):
        path = random.binomial(20_000, 0.51, 14).cumsum()
        looks = [{"a": int(a), "b": 20_000 * day - int(a)} for day, a in enumerate(path, start=1)]
        found = sequential_split_test(looks, EVEN)
        assert isinstance(found, SequentialSplitTest)
        assert found.mismatch


def test_by_segment__one_broken_browser_under_an_even_total__is_named():
    counts = {"chrome": {"a": 5600, "b": 5000}, "safari": {"a": 5000, "b": 5600}, "firefox": {"a": 1000, "b": 1001}}
    found = split_by_segment(counts, EVEN)
    assert isinstance(found, SplitBySegment)
    assert found.mismatched == ("chrome", "safari")


def test_by_segment__a_hundred_honest_days__share_one_risk():
    random = np.random.default_rng(20260324)
    counts = {f"day {i}": {"a": int(a), "b": 1000 - int(a)} for i, a in enumerate(random.binomial(1000, 0.5, 100))}
    found = split_by_segment(counts, EVEN)
    assert isinstance(found, SplitBySegment)
    raw = [one.p_value for one in found.tests.values()]
    assert all(found.adjusted_p_values[name] >= one.p_value for name, one in found.tests.items())
    assert found.mismatched == ()
    assert min(raw) < 0.05


def test_by_segment__no_segment_large_enough__is_not_computable():
    assert isinstance(split_by_segment({"x": {"a": 1, "b": 1}}, EVEN), NotComputable)


def test_weights__of_zero__are_refused_by_the_bare_formula():
    for bad in itertools.permutations([0.0, 1.0]):
        with pytest.raises(ValueError, match="above 0"):
            log_bayes_factor([1, 1], bad)
