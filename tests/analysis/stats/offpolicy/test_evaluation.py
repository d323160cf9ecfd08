"""Off-policy values: exact on a toy bandit, real figures of the Open Bandit data, and refusals where it is hopeless."""

import csv
import gzip
import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.offpolicy.evaluation import Evaluation, evaluate
from analysis.stats.offpolicy.rewards import FOLDS, RewardTable, fold_of
from analysis.stats.offpolicy.tally import CLIPS, Chunk
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE, shared_file

LOGGING = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])  # context x action
TARGET = np.array([[0.2, 0.2, 0.6], [0.6, 0.3, 0.1]])
REWARD = np.array([[0.1, 0.3, 0.5], [0.4, 0.2, 0.1]])
TRUTH = float((TARGET * REWARD).sum(axis=1).mean())  # contexts are equally frequent


def log(seed: int, n: int = 4000, per_user: int = 1):
    random = np.random.default_rng(seed)
    users = np.repeat(np.arange(n // per_user), per_user)
    context = random.integers(0, 2, n // per_user)[users]
    action = (random.random(n)[:, None] > np.cumsum(LOGGING[context], axis=1)).sum(axis=1)
    reward = (random.random(n) < REWARD[context, action]).astype(float)
    return users, context, action, reward


def chunk(_users, context, action, reward, **more) -> Chunk:
    return Chunk(rewards=reward, logged=LOGGING[context, action], target=TARGET[context, action], **more)


def doubly(users, context, action, reward) -> Chunk:
    table = RewardTable.of(users, context, action, reward, (2, 3))
    expected, of_target = table.expected(users, context, action, TARGET)
    return chunk(users, context, action, reward, users=users, expected=expected, expected_target=of_target)


def value(*chunks: Chunk) -> Evaluation:
    found = evaluate(chunks)
    assert isinstance(found, Evaluation), found
    return found


def test_ips__every_outcome_of_one_decision__has_the_policys_value_as_its_expectation():
    total = 0.0
    for context, action, reward in product(range(2), range(3), (0, 1)):
        chance = 0.5 * LOGGING[context, action] * (REWARD[context, action] if reward else 1 - REWARD[context, action])
        total += chance * TARGET[context, action] / LOGGING[context, action] * reward
    assert total == pytest.approx(TRUTH)


def test_evaluate__by_hand__is_the_published_formulas():
    users, context, action, reward = log(1, 500)
    w = TARGET[context, action] / LOGGING[context, action]
    found = value(chunk(users, context, action, reward))
    assert found.ips.value == pytest.approx(np.mean(w * reward))
    assert found.ips.standard_error == pytest.approx((w * reward).std() / math.sqrt(500))
    snips = (w @ reward) / w.sum()
    assert found.snips.value == pytest.approx(snips)
    assert found.snips.standard_error == pytest.approx(math.sqrt(w**2 @ (reward - snips) ** 2) / w.sum())
    assert found.effective == pytest.approx(w.sum() ** 2 / (w @ w))
    assert found.largest == w.max()
    assert found.logging == reward.mean()
    for one in found.clips:
        assert one.ips == pytest.approx(np.mean(np.minimum(w, one.limit) * reward))


def test_doubly_robust__by_hand__is_model_plus_weighted_residual():
    users, context, action, reward = log(2, 800)
    one = doubly(users, context, action, reward)
    w = TARGET[context, action] / LOGGING[context, action]
    scores = one.expected_target + w * (reward - one.expected)
    found = value(one).doubly_robust
    assert not isinstance(found, NotComputable)
    assert found.value == pytest.approx(scores.mean())


@pytest.mark.parametrize("runs", [100, pytest.param(1500, marks=pytest.mark.slow)])
def test_evaluate__many_logs__covers_the_exact_value_and_doubly_robust_is_narrower(runs):
    covered, width = np.zeros(3), np.zeros(3)
    for seed in range(runs):
        found = value(doubly(*log(seed, 2000)))
        assert not isinstance(found.doubly_robust, NotComputable)
        for i, one in enumerate((found.ips, found.snips, found.doubly_robust)):
            covered[i] += one.interval[0] <= TRUTH <= one.interval[1]
            width[i] += one.standard_error
    assert (np.abs(covered / runs - 0.95) < 3 * math.sqrt(0.95 * 0.05 / runs)).all()
    assert width[2] < width[1] < width[0]


def test_evaluate__decisions_of_the_same_user__widen_the_interval():
    random = np.random.default_rng(5)
    users, context, action, _ = log(5, 4000, per_user=20)
    taste = random.normal(size=200)[users] * 2
    plain = value(chunk(users, context, action, taste))
    whole = value(chunk(users, context, action, taste, users=users))
    assert whole.clusters is not None
    assert 190 <= whole.clusters <= 200
    assert whole.snips.standard_error > 2 * plain.snips.standard_error
    assert whole.snips.value == plain.snips.value


@PURE
@given(st.lists(st.integers(1, 499), max_size=5))
def test_evaluate__log_in_any_pieces__is_the_same(cuts):
    parts = log(7, 500)
    edges = [0, *sorted(set(cuts)), 500]
    pieces = [tuple(one[a:b] for one in parts) for a, b in pairwise(edges)]
    whole = value(chunk(*parts, users=parts[0]))
    split = value(*(chunk(*piece, users=piece[0]) for piece in pieces))
    assert split.snips.value == pytest.approx(whole.snips.value)
    assert split.snips.standard_error == pytest.approx(whole.snips.standard_error)
    assert split.effective == pytest.approx(whole.effective)


@PURE
@given(st.floats(0.01, 100), st.integers(0, 50))
def test_evaluate__rewards_in_another_unit__scale_and_keep_the_effective_size(unit, seed):
    users, context, action, reward = log(seed, 500)
    one, other = value(chunk(users, context, action, reward)), value(chunk(users, context, action, unit * reward))
    assert other.ips.value == pytest.approx(unit * one.ips.value)
    assert other.snips.standard_error == pytest.approx(unit * one.snips.standard_error)
    assert other.effective == one.effective


def test_evaluate__the_logging_policy_itself__is_what_it_earned():
    _, context, action, reward = log(8)
    p = LOGGING[context, action]
    found = value(Chunk(rewards=reward, logged=p, target=p))
    assert found.snips.value == pytest.approx(reward.mean())
    assert found.effective == pytest.approx(len(reward))
    assert found.mean_weight_z == 0


def reason(*chunks: Chunk) -> str:
    found = evaluate(chunks)
    assert isinstance(found, NotComputable), found
    return found.reason


def test_evaluate__hopeless_logs__are_refused_with_their_reason():
    ones = np.ones(1000)
    assert "empty" in reason()
    assert "fewest" in reason(Chunk(rewards=ones, logged=ones * 0.5, target=np.where(np.arange(1000) < 30, 0.5, 0.0)))
    one_row = np.where(np.arange(1000) == 0, 1e-4, 0.9)
    assert "fewest" in reason(Chunk(rewards=ones, logged=one_row, target=ones * 0.9))
    heavy = np.where(np.arange(1000) == 0, 0.0045, 0.5)
    assert "one row carries" in reason(Chunk(rewards=ones, logged=heavy, target=ones * 0.5))
    assert "never tried" in reason(
        Chunk(rewards=ones, logged=ones * 0.5, target=np.where(np.arange(1000) % 2, 0.5, 0.0))
    )
    assert "too low" in reason(Chunk(rewards=ones, logged=ones * 0.3, target=np.where(np.arange(1000) % 2, 0.5, 0.4)))
    assert "3 of 1000 rows" in reason(
        Chunk(rewards=ones, logged=np.where(np.arange(1000) < 3, 0, 0.5), target=ones * 0.5)
    )
    assert "never have done" in reason(Chunk(rewards=ones, logged=ones * 0.5, target=0 * ones))


def test_evaluate__some_chunks_without_users__is_a_mistake_of_the_caller():
    ones = np.ones(100)
    with pytest.raises(ValueError, match="all of them or none"):
        evaluate(
            [Chunk(rewards=ones, logged=ones, target=ones), Chunk(rewards=ones, logged=ones, target=ones, users=ones)]
        )


def test_reward_table__a_users_own_rewards__never_reach_its_model():
    users, context, action, reward = log(9, 300)
    table = RewardTable.of(users, context, action, reward, (2, 3))
    mine = fold_of(users) == 2
    changed = RewardTable.of(users, context, action, np.where(mine, 1 - reward, reward), (2, 3))
    before, after = table.means(), changed.means()
    assert before[2] == pytest.approx(after[2])
    assert not np.allclose(before[0], after[0])
    assert set(fold_of(users)) == set(range(FOLDS))


def test_reward_table__chunks__add_up():
    parts = log(10, 300)
    whole = RewardTable.of(*parts, (2, 3))
    halves = [RewardTable.of(*(one[rows] for one in parts), (2, 3)) for rows in (slice(0, 150), slice(150, 300))]
    assert (halves[0] + halves[1]).means() == pytest.approx(whole.means())


# Open Bandit data, sample of 10,000 impressions a policy (Saito and others 2021); computed independently with numpy.
@pytest.mark.parametrize(
    ("campaign", "actions", "ips", "effective", "truth"),
    [("men", 34, 0.0030, 656, 0.0046), ("all", 80, 0.0024, 340, 0.0038)],
)
def test_open_bandit__uniform_policy_from_the_bandits_log__is_the_known_value(campaign, actions, ips, effective, truth):
    path = shared_file("data/open_bandit/open_bandit_all_men.csv.gz")
    with gzip.open(path, "rt") as file:
        rows = [one for one in csv.DictReader(file) if one["campaign"] == campaign]
    bandit = [(float(one["click"]), float(one["propensity_score"])) for one in rows if one["policy"] == "bts"]
    clicks, logged = np.array(bandit).T
    found = value(Chunk(rewards=clicks, logged=logged, target=np.full(len(clicks), 1 / actions)))
    assert found.ips.value == pytest.approx(ips, abs=5e-5)
    assert found.effective == pytest.approx(effective, abs=0.7)
    uniform = np.array([float(one["click"]) for one in rows if one["policy"] == "random"])
    assert uniform.mean() == pytest.approx(truth)
    both = math.hypot(found.ips.standard_error, uniform.std() / math.sqrt(len(uniform)))
    assert abs(found.ips.value - truth) < 1.96 * both
    assert found.effective_rewards < 20  # a handful of clicks carries it: shown, so that nobody takes it for precise
    assert len(found.clips) == len(CLIPS)
