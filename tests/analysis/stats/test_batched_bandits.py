"""Means of a bandit's batches: right by hand, valid although shares followed the results, and not bent by good days."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.bandits import BanditResult, best_probabilities, floored
from analysis.stats.batched_bandits import Batch, Earned, batched_means, batched_result, earned_over_even
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE


def batch(shares, units, totals, squares=None) -> Batch:
    arrays = (shares, units, totals, totals if squares is None else squares)
    return Batch(**dict(zip(("shares", "units", "totals", "squares"), map(np.array, arrays), strict=True)))


def result(*batches: Batch, alpha: float = 0.05) -> BanditResult:
    found = batched_result(batches, alpha)
    assert isinstance(found, BanditResult), found
    return found


def test_result__one_batch__is_two_plain_proportions():
    found = result(batch([0.5, 0.5], [100.0, 100.0], [30.0, 45.0]))
    variance = [0.3 * 0.7 / 99, 0.45 * 0.55 / 99]
    assert [arm.value for arm in found.arms] == [0.3, 0.45]
    assert found.arms[0].standard_error == pytest.approx(math.sqrt(variance[0]))
    assert found.differences[0].value == pytest.approx(0.15)
    assert found.differences[0].standard_error == pytest.approx(math.sqrt(sum(variance)))


def test_result__two_batches__weigh_by_units_and_root_of_the_harmonic_share():
    parts = batch([0.5, 0.5], [50.0, 50.0], [20.0, 25.0]), batch([0.1, 0.9], [20.0, 180.0], [8.0, 108.0])
    weights = np.array([100 * math.sqrt(0.5), 200 * math.sqrt(2 / (1 / 0.1 + 1 / 0.9))])
    weights /= weights.sum()
    found = result(*parts)
    assert found.arms[1].value == pytest.approx(weights @ [0.5, 0.6])
    assert found.arms[0].value == pytest.approx(weights @ [0.4, 0.4])


def test_result__good_days_on_one_arms_larger_share__do_not_make_it_better():
    # Both arms earn .2 on the first day and .6 on the second, when arm 1 has nearly all traffic (Simpson).
    parts = batch([0.5, 0.5], [500.0, 500.0], [100.0, 100.0]), batch([0.1, 0.9], [100.0, 900.0], [60.0, 540.0])
    pooled = 640 / 1400 - 160 / 600
    assert pooled > 0.19
    assert result(*parts).differences[0].value == pytest.approx(0)


def simulated(random: np.random.Generator, means: np.ndarray, drift: float, batches: int = 12, size: int = 150):
    shares, found = np.full(len(means), 1 / len(means)), []
    for number in range(batches):
        arms = random.choice(len(means), size=size, p=shares)
        now = means + drift * math.sin(6 * number / batches)
        rewards = (random.random(size) < now[arms]).astype(float)
        units = np.bincount(arms, minlength=len(means)).astype(float)
        totals = np.bincount(arms, weights=rewards, minlength=len(means))
        found.append(batch(shares.copy(), units, totals))
        known = batched_means(found)
        if not isinstance(known, NotComputable) and (known.errors > 0).all():
            shares = floored(best_probabilities(known.means, known.errors), 0.05)
    return found


@pytest.mark.parametrize("runs", [80, pytest.param(1200, marks=pytest.mark.slow)])
def test_result__thompson_shares_in_a_drifting_world__keep_their_coverage_where_pooling_loses_it(runs):
    means = np.array([0.3, 0.3, 0.3])
    random = np.random.default_rng(11)
    covered = pooled = 0
    for _ in range(runs):
        found = simulated(random, means, drift=0.15)
        difference = result(*found).differences[1]
        covered += difference.interval[0] <= 0 <= difference.interval[1]
        units, totals = (sum(getattr(one, name) for one in found) for name in ("units", "totals"))
        rates = totals / units
        error = math.sqrt(sum(rates[k] * (1 - rates[k]) / units[k] for k in (0, 2)))
        pooled += abs(rates[2] - rates[0]) <= 1.96 * error
    assert covered / runs >= 0.92 - 3 * math.sqrt(0.92 * 0.08 / runs)
    assert pooled / runs < 0.88  # the negative control: plain means must fail here


@PURE
@given(st.floats(0.01, 100), st.integers(0, 30))
def test_result__rewards_in_another_unit__scale_and_keep_p(unit, seed):
    found = simulated(np.random.default_rng(seed), np.array([0.3, 0.5]), 0.0, batches=3)
    scaled = [batch(one.shares, one.units, unit * one.totals, unit**2 * one.squares) for one in found]
    one, other = batched_result(found), batched_result(scaled)
    if isinstance(one, NotComputable):
        return
    assert isinstance(other, BanditResult)
    assert other.arms[1].value == pytest.approx(unit * one.arms[1].value)
    assert other.differences[0].p_value == pytest.approx(one.differences[0].p_value, rel=1e-6)


@PURE
@given(st.integers(0, 30))
def test_result__arms_swapped__flips_the_sign(seed):
    found = simulated(np.random.default_rng(seed), np.array([0.3, 0.5]), 0.0, batches=3)
    turned = [batch(one.shares[::-1], one.units[::-1], one.totals[::-1], one.squares[::-1]) for one in found]
    one, other = batched_result(found), batched_result(turned)
    if not isinstance(one, NotComputable):
        assert isinstance(other, BanditResult)
        assert other.differences[0].value == pytest.approx(-one.differences[0].value)
        assert (one.differences[0].interval[0] > 0 or one.differences[0].interval[1] < 0) == (
            one.differences[0].p_value < 0.05
        )


def test_result__too_little__is_a_reason_and_no_number():
    assert isinstance(batched_result([]), NotComputable)
    lonely = batched_result([batch([0.5, 0.5], [1.0, 50.0], [0.0, 10.0])])
    assert isinstance(lonely, NotComputable)
    assert "2 units of every arm" in lonely.reason
    alike = batched_result([batch([0.5, 0.5], [50.0, 50.0], [0.0, 10.0])])
    assert isinstance(alike, NotComputable)
    assert "all alike" in alike.reason


def test_earned__shares_that_went_to_the_better_arm__is_what_an_even_split_would_have_missed():
    parts = batch([0.5, 0.5], [500.0, 500.0], [100.0, 200.0]), batch([0.1, 0.9], [100.0, 900.0], [20.0, 360.0])
    found = earned_over_even(parts)
    assert isinstance(found, Earned)
    assert found.value == pytest.approx(1000 * 0.4 * (0.4 - 0.2))
    assert found.interval[0] > 0
