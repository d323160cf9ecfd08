"""A/A replays: honest metrics are certified, dishonest ones are found, and each draw is a comparison like any other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.adjusted import compare_adjusted
from analysis.stats.compare import Difference, compare
from analysis.stats.estimates import Form
from analysis.stats.moments import Moments
from analysis.stats.replay import Metric, Verdict, rehashed, replay
from tests.analysis.stats.cases import PURE, tolerance, zero_inflated_lognormal

SLOW = pytest.mark.slow
MEAN = Metric(form=Form.MEAN, columns=(0,))


def test_replay__each_draw__is_the_comparison_of_that_split():
    random = np.random.default_rng(1)
    x = random.normal(3, 1, 20_000)
    values = np.column_stack([x + random.normal(0, 1, 20_000), 1 + random.poisson(2, 20_000), x])
    metrics = [
        MEAN,
        Metric(form=Form.RATIO, columns=(0, 1)),
        Metric(form=Form.MEAN, columns=(0, 2)),
        Metric(form=Form.RATIO, columns=(1, 0, 2)),
    ]
    assign = rehashed(np.arange(20_000), share=0.3, seed=5)
    found = replay(values, metrics, assign, draws=30)
    for draw in (0, 29):
        treated = assign(draw, 0, 20_000)
        for one, metric in zip(found, metrics, strict=True):
            arms = [Moments.from_values(values[side][:, list(metric.columns)]) for side in (~treated, treated)]
            expected = compare_adjusted(metric.form, *arms).difference
            assert isinstance(expected, Difference)
            assert one.p_values[draw] == pytest.approx(expected.p_value, rel=1e-7)


def test_replay__totals_far_from_zero__keeps_its_digits():
    values = 1e6 + np.random.default_rng(2).normal(0, 1, (9000, 1))
    assign = rehashed(np.arange(9000))
    found = replay(values, [MEAN], assign, draws=25)[0]
    treated = assign(7, 0, 9000)
    expected = compare(Form.MEAN, *(Moments.from_values(values[side]) for side in (~treated, treated))).difference
    assert isinstance(expected, Difference)
    assert found.p_values[7] == pytest.approx(expected.p_value, rel=1e-6)


@pytest.mark.parametrize("draws", [1000, pytest.param(10_000, marks=SLOW)])
def test_replay__honest_metrics__are_certified_with_uniform_p_values(draws):
    random = np.random.default_rng(3)
    revenue = zero_inflated_lognormal(random, (40_000,))
    values = np.column_stack([revenue, (revenue > 0).astype(float)])
    metrics = [MEAN, Metric(form=Form.PROPORTION, columns=(1,))]
    for one in replay(values, metrics, rehashed(np.arange(40_000)), draws=draws):
        assert one.verdict is Verdict.CERTIFIED, one.sentence
        assert one.false_positives == pytest.approx(0.05, abs=tolerance(0.05, draws))
        assert one.interval[0] < one.false_positives < one.interval[1]
        assert one.uniformity > 0.001
        assert 0.9 < one.variance_ratio < 1.1
        assert one.upper + one.lower == pytest.approx(one.false_positives)
        assert "the metric's test is honest" in one.sentence


def test_replay__sessions_counted_as_units_though_users_were_randomised__raises_too_many_alarms():
    random = np.random.default_rng(4)
    user = np.repeat(np.arange(4000), 1 + random.poisson(4, 4000))
    orders = random.binomial(1, random.beta(1, 4, 4000)[user]).astype(float)[:, None]
    found = replay(orders, [Metric(form=Form.PROPORTION, columns=(0,))], rehashed(user), draws=1000)[0]
    assert found.verdict is Verdict.TOO_MANY_ALARMS
    assert found.variance_ratio > 1.3
    assert "is a unit what was randomised?" in found.sentence


def test_replay__a_few_whales_in_a_small_variant__is_uneven_or_misses():
    random = np.random.default_rng(5)
    revenue = zero_inflated_lognormal(random, (3000, 1)) ** 1.6
    found = replay(revenue, [MEAN], rehashed(np.arange(3000), share=0.05), draws=2000)[0]
    assert found.verdict is not Verdict.CERTIFIED
    assert found.lower > 2 * found.upper  # a small variant without whales looks certain of being low


def test_replay__the_same_for_every_unit__is_not_computable():
    found = replay(np.ones((500, 1)), [MEAN], rehashed(np.arange(500)), draws=50)[0]
    assert found.verdict is Verdict.NOT_COMPUTABLE
    assert found.draws == 0


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_rehashed__share_of_units__is_the_one_asked_for_and_draws_do_not_repeat(share):
    assign = rehashed(np.arange(100_000), share=share)
    draws = np.array([assign(draw, 0, 100_000) for draw in range(20)])
    assert draws.mean(axis=1) == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / 100_000))
    agreement = np.corrcoef(draws.astype(float)) - np.eye(20)
    assert np.abs(agreement).max() < 5 / np.sqrt(100_000)


@PURE
@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 50))
def test_rehashed__in_parts__is_what_it_is_as_a_whole(first, length, draw):
    assign = rehashed(np.arange(1000))
    whole = assign(draw, 0, 1000)
    np.testing.assert_array_equal(assign(draw, first, first + length), whole[first : first + length])
