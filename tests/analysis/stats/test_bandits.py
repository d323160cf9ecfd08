"""Bandits: exact shares, floors, and means that stay honest although the data chose who was played."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.bandits import (
    BanditResult,
    adaptive_means,
    bandit_result,
    best_probabilities,
    floored,
    top_two,
)
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE

MEANS = st.lists(st.floats(-3, 3), min_size=2, max_size=6)


def test_best_probabilities__two_arms__is_the_normal_distribution():
    found = best_probabilities([0.3, 0.1], [0.2, 0.4])
    assert found[0] == pytest.approx(stats.norm.cdf(0.2 / math.hypot(0.2, 0.4)), abs=1e-5)


def test_best_probabilities__several_arms__is_the_share_of_draws():
    random = np.random.default_rng(1)
    m, s = np.array([0.0, 0.2, 0.3, -0.5]), np.array([0.3, 0.1, 0.5, 0.2])
    draws = np.argmax(random.normal(m, s, (400_000, 4)), axis=1)
    assert best_probabilities(m, s) == pytest.approx(np.bincount(draws) / 400_000, abs=0.004)


@PURE
@given(MEANS, st.floats(-5, 5), st.floats(0.1, 10))
def test_best_probabilities__shifted_or_in_another_unit__are_the_same(means, shift, unit):
    one = best_probabilities(means, np.ones(len(means)))
    assert one.sum() == pytest.approx(1)
    other = best_probabilities(unit * (np.array(means) + shift), unit * np.ones(len(means)))
    assert other == pytest.approx(one, abs=1e-6)


def test_best_probabilities__no_spread__is_refused():
    with pytest.raises(ValueError, match="above 0"):
        best_probabilities([0.0, 1.0], [1.0, 0.0])


def test_top_two__draws_until_another_arm_leads__has_its_shares():
    random = np.random.default_rng(2)
    p = np.array([0.7, 0.2, 0.1])
    first = random.choice(3, 200_000, p=p)
    played = first.copy()
    again = np.flatnonzero(random.random(200_000) < 0.5)
    pending = again
    while len(pending):
        played[pending] = random.choice(3, len(pending), p=p)
        pending = pending[played[pending] == first[pending]]
    assert top_two(p) == pytest.approx(np.bincount(played) / 200_000, abs=0.005)


def test_top_two__sure_leader__still_plays_the_others_half_the_time():
    found = top_two([1.0 - 1e-9, 0.6e-9, 0.4e-9])
    assert found[0] == pytest.approx(0.5, abs=1e-3)


@PURE
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8).filter(lambda one: sum(one) > 0.01))
def test_floored__any_shares__keep_the_floor_and_their_order(shares):
    found = floored(shares)
    assert found.sum() == pytest.approx(1)
    assert found.min() >= 0.05 / len(shares) - 1e-12
    order = np.argsort(shares)
    assert (np.diff(found[order]) >= -1e-12).all()


def test_floored__more_than_there_is__is_refused():
    with pytest.raises(ValueError, match="more than all"):
        floored([0.5, 0.5], 0.6)


def played(seed: int, runs: int, steps: int = 1000, batch: int = 50, true=(0.0, 0.0)):
    """Thompson sampling in batches: arms, rewards, propensities."""
    random, k = np.random.default_rng(seed), len(true)
    arms, rewards = np.zeros((runs, steps), dtype=int), np.zeros((runs, steps))
    shares = np.zeros((runs, steps, k))
    total, count = np.zeros((runs, k)), np.zeros((runs, k))
    for start in range(0, steps, batch):
        if start == 0:
            now = np.full((runs, k), 1 / k)
        else:
            now = np.stack(
                [
                    floored(best_probabilities(t / c, 1 / np.sqrt(c)), 0.05 / k)
                    for t, c in zip(total, count, strict=True)
                ]
            )
        rows = slice(start, start + batch)
        shares[:, rows] = now[:, None]
        arms[:, rows] = (random.random((runs, batch))[:, :, None] > np.cumsum(now, axis=1)[:, None]).sum(axis=2)
        rewards[:, rows] = np.array(true)[arms[:, rows]] + random.normal(size=(runs, batch))
        for arm in range(k):
            mine = arms[:, rows] == arm
            total[:, arm] += (rewards[:, rows] * mine).sum(axis=1)
            count[:, arm] += mine.sum(axis=1)
    return arms, rewards, shares


@pytest.mark.parametrize("runs", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_adaptive_means__equal_arms__are_less_biased_than_plain_means_and_cover(runs):
    arms, rewards, shares = played(3, runs=runs)
    value, error = adaptive_means(arms, rewards, shares)
    plain = np.stack([np.where(arms == k, rewards, 0).sum(axis=1) / (arms == k).sum(axis=1) for k in (0, 1)], axis=1)
    assert abs(value.mean()) < abs(plain.mean())
    assert plain.mean() < 0
    assert np.mean(np.abs(value) < 1.96 * error) > 0.91


def test_bandit_result__constant_shares__is_the_augmented_mean_by_hand():
    random = np.random.default_rng(4)
    arms = random.integers(0, 2, 400)
    rewards = arms + random.normal(size=400)
    found = bandit_result(arms, rewards, np.full((400, 2), 0.5))
    assert isinstance(found, BanditResult)
    scores, total, count = [], 0.0, 0
    for arm, reward in zip(arms, rewards, strict=True):
        guess = total / count if count else 0.0
        scores.append(guess + (arm == 1) * 2 * (reward - guess))
        total, count = total + reward * (arm == 1), count + (arm == 1)
    assert found.arms[1].value == pytest.approx(np.mean(scores))
    assert found.arms[1].standard_error == pytest.approx(np.std(scores) / 20)
    assert found.differences[0].value == pytest.approx(found.arms[1].value - found.arms[0].value)
    assert found.differences[0].p_value < 1e-6
    low, high = found.differences[0].interval
    assert low < 1 < high


def test_bandit_result__an_arm_given_up_or_never_played__says_so():
    arms = np.array([0] * 50 + [1] * 5)
    share = np.full((55, 2), 0.5)
    few = bandit_result(arms, np.ones(55), share)
    assert isinstance(few, NotComputable)
    assert "played 5 times" in few.reason
    share[30:, 1] = 0
    none = bandit_result(arms, np.ones(55), share)
    assert isinstance(none, NotComputable)
    assert "keep a floor" in none.reason
    with pytest.raises(ValueError, match="as many rewards"):
        bandit_result(arms, np.ones(3), share)
