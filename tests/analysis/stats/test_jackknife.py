"""The jackknife over hash buckets agrees with every formula on average, and finds a wrong one."""

import numpy as np
import pytest

from analysis.stats.adjustment import Method
from analysis.stats.estimates import Form
from analysis.stats.jackknife import SelfCheck, self_check
from analysis.stats.moment_matrix import MomentMatrix
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import zero_inflated_lognormal

SLOW = pytest.mark.slow
BUCKETS = 50


def done(found: SelfCheck | NotComputable) -> SelfCheck:
    assert isinstance(found, SelfCheck), found
    return found


def bucketed(values: np.ndarray, random: np.random.Generator) -> MomentMatrix:
    return MomentMatrix.from_values(values, random.integers(0, BUCKETS, len(values)), BUCKETS)


def revenue(random: np.random.Generator) -> np.ndarray:
    return zero_inflated_lognormal(random, (3000, 1))


def orders_per_session(random: np.random.Generator) -> np.ndarray:
    sessions = 1 + random.poisson(3, 3000)
    return np.column_stack([random.binomial(sessions, random.beta(2, 6, 3000)), sessions]).astype(float)


def revenue_with_past(random: np.random.Generator) -> np.ndarray:
    past = random.gamma(2, 2, 3000)
    return np.column_stack([past * 0.8 + random.normal(5, 1, 3000), past, past**2])


@pytest.mark.parametrize("draws", [40, pytest.param(200, marks=SLOW)])
@pytest.mark.parametrize(
    ("form", "make"), [(Form.MEAN, revenue), (Form.RATIO, orders_per_session), (Form.MEAN, revenue_with_past)]
)
def test_self_check__on_average__is_the_formula(form, make, draws):
    random, ratios = np.random.default_rng(20260380), []
    for _ in range(draws):
        arms = [bucketed(make(random), random) for _ in range(2)]
        ratios.append(done(self_check(form, *arms)).ratio)
    assert 0.97 - 0.04 * (draws < 200) <= np.mean(ratios) <= 1.03 + 0.04 * (draws < 200)  # 200: STATISTICS 5
    assert max(ratios) < 1.5


def test_self_check__equals_leaving_each_bucket_out_by_hand():
    random = np.random.default_rng(1)
    values, bucket = random.exponential(1, (2, 800, 1)), random.integers(0, 10, (2, 800))
    arms = [MomentMatrix.from_values(values[i], bucket[i], 10) for i in (0, 1)]
    left = np.array([values[1][bucket[1] != b].mean() - values[0][bucket[0] != b].mean() for b in range(10)])
    expected = np.sqrt(0.9 * ((left - left.mean()) ** 2).sum())
    assert done(self_check(Form.MEAN, *arms)).jackknife == pytest.approx(expected, rel=1e-9)


def test_self_check__units_that_hang_together_within_buckets__do_not_agree_with_the_formula():
    random, arms = np.random.default_rng(2), []
    for _ in range(2):  # households share a bucket, and were counted as if each member had been randomised
        bucket = np.repeat(np.arange(BUCKETS), 60)
        values = np.repeat(random.normal(0, 1, BUCKETS), 60) + random.normal(0, 1, 3000)
        arms.append(MomentMatrix.from_values(values[:, None], bucket, BUCKETS))
    found = done(self_check(Form.MEAN, *arms))
    assert not found.agree
    assert found.ratio > 3


@pytest.mark.parametrize("method", [Method.LIN, Method.POOLED])
def test_self_check__adjusted_either_way__agrees(method):
    random = np.random.default_rng(3)
    arms = [bucketed(revenue_with_past(random), random) for _ in range(2)]
    assert done(self_check(Form.MEAN, *arms, method=method)).agree


def test_self_check__few_buckets_or_nothing_to_compare__is_not_computable():
    random = np.random.default_rng(4)
    few = MomentMatrix.from_values(random.normal(0, 1, (100, 1)), random.integers(0, 4, 100), 4)
    assert isinstance(self_check(Form.MEAN, few, few), NotComputable)
    alike = MomentMatrix.from_values(np.ones((100, 1)), random.integers(0, 20, 100), 20)
    assert isinstance(self_check(Form.MEAN, alike, alike), NotComputable)
