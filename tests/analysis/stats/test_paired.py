"""Two versions on the same examples: 95.8 % against 96.0 % with its own uncertainty."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as theirs

from analysis.stats.paired import McNemar, PairedDifference, mcnemar, paired_bootstrap, paired_bootstrap_of
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE


def difference(found) -> PairedDifference:
    assert isinstance(found, PairedDifference), found
    return found


def versions(n: int = 10_000) -> tuple[np.ndarray, np.ndarray]:
    """Right on 95.8 % and 96.0 %; they differ on one example in a hundred."""
    old, new = np.zeros(n), np.zeros(n)
    old[: int(0.958 * n)] = 1
    new[: int(0.954 * n)] = 1
    new[int(0.958 * n) : int(0.964 * n)] = 1
    return old, new


def test_paired_bootstrap__point_two_of_accuracy__comes_with_its_interval_and_the_share_that_changed():
    old, new = versions()
    found = difference(paired_bootstrap(old, new, random=np.random.default_rng(1)))
    assert (found.old, found.new) == pytest.approx((0.958, 0.960))
    assert found.changed == pytest.approx(0.01)
    error = (new - old).std() / math.sqrt(len(old))
    assert found.standard_error == pytest.approx(error, rel=0.05)
    assert found.interval == pytest.approx((0.002 - 1.96 * error, 0.002 + 1.96 * error), abs=2e-4)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(0.002 / error), abs=0.02)


@pytest.mark.parametrize("n", [60, 500])
def test_paired_bootstrap__standard_error__is_scipys(n):
    random = np.random.default_rng(n)
    old = random.exponential(size=n)
    new = old + 0.2 * random.normal(size=n)
    other = stats.bootstrap((new - old,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(3))
    found = difference(paired_bootstrap(old, new, random=np.random.default_rng(4), draws=4000))
    assert found.standard_error == pytest.approx(other.standard_error, rel=0.05)
    assert found.interval == pytest.approx(tuple(other.confidence_interval), abs=0.1 * found.standard_error)


def test_paired_bootstrap__few_kinds_of_scores__agrees_with_many():
    random = np.random.default_rng(5)
    old, new = (random.random((2, 5000)) < 0.7).astype(float)
    coarse = difference(paired_bootstrap(old, new, random=np.random.default_rng(6), draws=4000))
    jitter = 1e-9 * random.random(5000)
    fine = difference(paired_bootstrap(old + jitter, new, random=np.random.default_rng(6), draws=4000))
    assert coarse.standard_error == pytest.approx(fine.standard_error, rel=0.05)


def test_paired_bootstrap__examples_of_the_same_user__widen_the_interval():
    random = np.random.default_rng(7)
    groups = np.repeat(np.arange(100), 20)
    off = random.normal(size=100)[groups] + 0.2 * random.normal(size=2000)
    whole = difference(paired_bootstrap(np.zeros(2000), off, random=random, groups=groups))
    rows = difference(paired_bootstrap(np.zeros(2000), off, random=random))
    assert whole.clusters == 100
    assert whole.standard_error > 3 * rows.standard_error
    assert whole.standard_error == pytest.approx(np.bincount(groups, off).std() / 20 / math.sqrt(100), rel=0.1)


@pytest.mark.parametrize("runs", [200, pytest.param(3000, marks=pytest.mark.slow)])
def test_paired_bootstrap__no_difference__is_called_one_time_in_twenty(runs):
    random, called = np.random.default_rng(8), 0
    for _ in range(runs):
        old, new = (random.random((2, 400)) < 0.8).astype(float)
        found = difference(paired_bootstrap(old, new, random=random, draws=500))
        called += not found.interval[0] <= 0 <= found.interval[1]
    assert called / runs == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / runs))


def test_paired_bootstrap_of__area_under_the_curve__is_near_its_known_standard_error():
    random = np.random.default_rng(9)
    label = np.arange(400) % 2
    good, poor = label + random.normal(size=400), 0.5 * label + random.normal(size=400)

    def area(rows, score):
        y, s = label[rows], score[rows]
        ranks = stats.rankdata(s)
        ones = y.sum()
        return (ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones))

    found = paired_bootstrap_of(
        lambda rows: (area(rows, poor), area(rows, good)), 400, random=random, changed=1.0, draws=400
    )
    one = difference(found)
    assert one.value == pytest.approx(area(np.arange(400), good) - area(np.arange(400), poor))
    jackknife = [
        area(np.delete(np.arange(400), i), good) - area(np.delete(np.arange(400), i), poor) for i in range(0, 400, 2)
    ] + [area(np.delete(np.arange(400), i), good) - area(np.delete(np.arange(400), i), poor) for i in range(1, 400, 2)]
    assert one.standard_error == pytest.approx(math.sqrt(399) * np.std(jackknife), rel=0.15)


def test_paired__too_few_or_unequal__is_said():
    assert isinstance(paired_bootstrap(np.ones(5), np.ones(5), random=np.random.default_rng(1)), NotComputable)
    assert isinstance(
        paired_bootstrap_of(lambda rows: (0, 0), 5, random=np.random.default_rng(1), changed=0), NotComputable
    )
    with pytest.raises(ValueError, match="same examples"):
        paired_bootstrap(np.ones(50), np.ones(51), random=np.random.default_rng(1))


@PURE
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar__any_table__is_statsmodels_exact_one(b, c):
    old = np.array([True] * b + [False] * c + [True, False])
    new = np.array([False] * b + [True] * c + [True, False])
    found = mcnemar(old, new)
    if b + c == 0:
        assert isinstance(found, NotComputable)
        return
    assert isinstance(found, McNemar)
    assert found.p_value == pytest.approx(theirs([[1, b], [c, 1]], exact=True).pvalue)
    swapped = mcnemar(new, old)
    assert isinstance(swapped, McNemar)
    assert swapped.p_value == pytest.approx(found.p_value)
