"""Before and beside the A/B test: logs of another policy, interleaved lists, bandits, versions on the same examples."""

import math
from collections.abc import Iterator

import numpy as np
from scipy import special, stats

from analysis.stats.bandits import adaptive_means
from analysis.stats.funnel import Funnel, funnel
from analysis.stats.interleaving import Preference, preference
from analysis.stats.offpolicy.evaluation import evaluate
from analysis.stats.offpolicy.rewards import RewardTable
from analysis.stats.offpolicy.tally import Chunk
from analysis.stats.paired import PairedDifference, paired_bootstrap
from analysis.stats.unavailable import NotComputable
from benchmarks.calibration.figures import Figure, near, scenario, seeded, tolerance
from benchmarks.calibration.samples import Array, vector_moments

LOGGING = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
TARGET = np.array([[0.2, 0.2, 0.6], [0.6, 0.3, 0.1]])
REWARD = np.array([[0.1, 0.3, 0.5], [0.4, 0.2, 0.1]])


@scenario
def policies() -> Iterator[Figure]:
    """Two contexts, three actions: the policy's value is known exactly."""
    random, runs, n = seeded("policies"), 2000, 2000
    truth = float((TARGET * REWARD).sum(axis=1).mean())
    held, answered, logged_held, users = np.zeros(3), 0, 0, np.arange(n)
    for _ in range(runs):
        context = random.integers(0, 2, n)
        action = (random.random(n)[:, None] > np.cumsum(LOGGING[context], axis=1)).sum(axis=1)
        reward = (random.random(n) < REWARD[context, action]).astype(np.float64)
        table = RewardTable.of(users, context, action, reward, (2, 3))
        expected, of_target = table.expected(users, context, action, TARGET)
        logged, target = LOGGING[context, action], TARGET[context, action]
        found = evaluate(
            [Chunk(rewards=reward, logged=logged, target=target, expected=expected, expected_target=of_target)]
        )
        if isinstance(found, NotComputable):
            continue
        answered += 1
        assert not isinstance(found.doubly_robust, NotComputable)
        for i, one in enumerate((found.ips, found.snips, found.doubly_robust)):
            held[i] += one.interval[0] <= truth <= one.interval[1]
        logged_held += abs(reward.mean() - truth) <= 1.96 * reward.std() / math.sqrt(n)
    title = {"method": "Off-policy", "scenario": "2 contexts, 3 actions, 2,000 decisions", "runs": runs}
    yield Figure(**title, what="answered", measured=answered / runs, low=0.995)
    for what, one in zip(("IPS", "SNIPS", "doubly robust"), held, strict=True):
        yield Figure(**title, what=f"{what} covers", measured=one / answered, low=0.93, high=0.965)
    yield Figure(**title, what="the log's own mean covers", measured=logged_held / answered, high=0.2, control=True)


@scenario
def hopeless_policies() -> Iterator[Figure]:
    """A policy that nearly always does what the log hardly ever did, with a chance of one in two thousand."""
    random, runs, n = seeded("hopeless"), 500, 5000
    refused = held = 0
    for _ in range(runs):
        rare = random.random(n) < 0.0005
        reward = (random.random(n) < np.where(rare, 0.5, 0.1)).astype(np.float64)
        logged, target = np.where(rare, 0.0005, 0.9995), np.where(rare, 0.95, 0.05)
        refused += isinstance(evaluate([Chunk(rewards=reward, logged=logged, target=target)]), NotComputable)
        scores = target / logged * reward
        held += abs(scores.mean() - 0.48) <= 1.96 * scores.std() / math.sqrt(n)
    title = {"method": "Off-policy", "scenario": "an action logged once in 2,000 decisions", "runs": runs}
    yield Figure(**title, what="refused", measured=refused / runs, low=0.995)
    yield Figure(**title, what="IPS without refusal covers", measured=held / runs, high=0.9, control=True)


@scenario
def interleaved() -> Iterator[Figure]:
    random, runs, users = seeded("interleaved"), 2000, 60
    z = 1.959964 + 0.841621
    called = signed = rows = 0
    shifted = 0
    for _ in range(runs):
        who = np.repeat(np.arange(users), random.geometric(0.05, users))
        taste = random.choice([-0.8, 0.8], users)[who]
        credit = np.where(random.random(len(who)) < (1 + taste) / 2, 1.0, -1.0)
        found = preference(who, credit)
        assert isinstance(found, Preference)
        called += found.p_value < 0.05
        signed += found.sign_p_value < 0.05
        rows += stats.ttest_1samp(credit, 0).pvalue < 0.05
        moved = preference(np.arange(400), random.normal(z / 20, 1.0, 400))
        assert isinstance(moved, Preference)
        shifted += moved.p_value < 0.05
    title = {"method": "Interleaving", "scenario": "60 users, few of them heavy, nobody preferred", "runs": runs}
    yield Figure(**title, what="called, users as units", measured=called / runs, **near(0.05, runs))
    yield Figure(**title, what="called, sign test", measured=signed / runs, high=0.05 + tolerance(0.05, runs))
    yield Figure(**title, what="impressions as units", measured=rows / runs, low=0.3, control=True)
    title = {"method": "Interleaving", "scenario": "400 users, the planned preference", "runs": runs}
    yield Figure(**title, what="called (formula .80)", measured=shifted / runs, low=0.77, high=0.83)


def _thompson(random: np.random.Generator, runs: int, steps: int) -> tuple[Array, Array, Array]:
    """Two equal arms, Thompson's shares renewed after each step (two arms: in closed form), 2.5 % kept for each."""
    arms, rewards, shares = np.zeros((runs, steps)), np.zeros((runs, steps)), np.zeros((runs, steps, 2))
    total, count = np.zeros((runs, 2)), np.zeros((runs, 2))
    rows = np.arange(runs)
    for step in range(steps):
        second = np.full(runs, 0.5)
        if step >= 20:
            known = np.maximum(count, 1)
            off = total[:, 1] / known[:, 1] - total[:, 0] / known[:, 0]
            second = 0.025 + 0.95 * special.ndtr(off / np.sqrt((1 / known).sum(axis=1)))
        played = (random.random(runs) < second).astype(int)
        drawn = random.normal(size=runs)
        arms[:, step], rewards[:, step] = played, drawn
        shares[:, step] = np.stack([1 - second, second], axis=1)
        total[rows, played] += drawn
        count[rows, played] += 1
    return arms, rewards, shares


@scenario
def bandits() -> Iterator[Figure]:
    runs, steps = 600, 2000
    arms, rewards, shares = _thompson(seeded("bandits"), runs, steps)
    value, error = adaptive_means(arms, rewards, shares)
    counts = np.stack([(arms == k).sum(axis=1) for k in (0, 1)], axis=1)
    plain = np.stack([(rewards * (arms == k)).sum(axis=1) for k in (0, 1)], axis=1) / counts
    title = {"method": "Bandit", "scenario": "two equal arms, Thompson sampling, 2,000 steps", "runs": runs}
    covers = float((np.abs(value) <= 1.96 * error).mean())
    yield Figure(**title, what="adaptively weighted covers", measured=covers, low=0.92)
    bias = abs(float(value.mean())) / abs(float(plain.mean()))
    yield Figure(**title, what="its bias over the plain mean's", measured=bias, high=0.8)
    covers = float((np.abs(plain) <= 1.96 / np.sqrt(counts)).mean())
    yield Figure(
        **title, what="plain mean covers", measured=covers, high=0.95 - tolerance(0.95, 2 * runs), control=True
    )


@scenario
def versions() -> Iterator[Figure]:
    """Accuracy 80 % against 82 % on the same 1,000 examples."""
    random, runs, n = seeded("versions"), 1000, 1000
    held = apart = 0
    for _ in range(runs):
        u = random.random(n)
        old = (u < 0.80).astype(np.float64)
        new = np.where(random.random(n) < 0.05, random.random(n) < 0.82, u < 0.82).astype(np.float64)
        found = paired_bootstrap(old, new, random=random, draws=1000)
        assert isinstance(found, PairedDifference)
        held += found.interval[0] <= 0.02 <= found.interval[1]
        apart += 2 * 1.96 * math.sqrt((old.var() + new.var()) / n) > 1.5 * (found.interval[1] - found.interval[0])
    title = {"method": "Versions", "scenario": "80 % against 82 % right of 1,000 examples", "runs": runs}
    yield Figure(**title, what="paired bootstrap covers", measured=held / runs, **near(0.95, runs))
    yield Figure(**title, what="unpaired interval over 1.5 times as wide", measured=apart / runs, low=0.95)


@scenario
def funnels() -> Iterator[Figure]:
    random, runs, users, moved = seeded("funnels"), 1000, 1500, 0.1
    held, worst = np.zeros(4), 0.0
    truth = np.array([0.0, moved, 0.0, 0.0])
    for _ in range(runs):
        arms = []
        for lift in (0.0, moved):
            seen = 1 + random.poisson(10 * random.gamma(2.0, 0.5, users))
            clicked = random.binomial(seen, 0.1 * math.exp(lift))
            bought = random.binomial(clicked, 0.3)
            spent = bought * np.exp(3 + 0.5 * random.normal(size=users))
            arms.append(vector_moments(np.column_stack([seen, clicked, bought, spent]).astype(np.float64)))
        found = funnel(("impressions", "clicks", "orders", "value"), arms[0], arms[1])
        assert isinstance(found, Funnel)
        held += [one.interval[0] <= t <= one.interval[1] for one, t in zip(found.steps, truth, strict=True)]
        whole = math.log(arms[1].mean[3] / arms[0].mean[3])
        worst = max(worst, abs(sum(one.value for one in found.steps) - whole))
    title = {"method": "Funnel", "scenario": "1,500 users a variant, clicks moved", "runs": runs}
    for name, one in zip(("impressions", "clicks", "orders", "value"), held, strict=True):
        yield Figure(**title, what=f"{name}: covers", measured=one / runs, **near(0.95, runs))
    yield Figure(**title, what="steps less the whole, largest", measured=worst, high=1e-10)
