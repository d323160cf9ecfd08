"""Deciding: the split, the rule with its shares of risk, families of comparisons, the winner's curse."""

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from analysis.stats.allotment import RuleTests, allot
from analysis.stats.allotment import ships as ships_by_rule
from analysis.stats.multiplicity import Correction, correct, e_bh, selected_intervals
from analysis.stats.sequential_srm import log_bayes_factor
from analysis.stats.srm import SplitTest, split_test
from analysis.stats.winners_curse import CumulativeImpact, cumulative_impact, selection_bias
from benchmarks.calibration.figures import Figure, at_most, scenario, seeded
from benchmarks.calibration.samples import Array

THRESHOLD = 0.001


@scenario
def honest_split() -> Iterator[Figure]:
    random, runs, n = seeded("honest split"), 100_000, 20_000
    counts, times = np.unique(random.binomial(n, 0.5, runs), return_counts=True)
    alarms = 0
    for count, seen in zip(counts, times, strict=True):
        found = split_test({"a": int(count), "b": n - int(count)}, {"a": 1, "b": 1})
        assert isinstance(found, SplitTest)
        alarms += int(seen) * found.mismatch
    row = {"method": "Split (SRM)", "runs": runs}
    yield Figure(**row, scenario="chi-square, honest, one look", what="alarms", measured=alarms / runs, high=0.0013)
    runs = 50_000
    row = {"method": "Split (SRM)", "runs": runs}
    evidence = _evidence(random, runs, 30, 2000, 0.5)
    alarms = (evidence.max(axis=1) > -math.log(THRESHOLD)).mean()
    yield Figure(**row, scenario="sequential, honest, 30 daily looks", what="alarms", measured=alarms, high=THRESHOLD)


def _evidence(random: np.random.Generator, runs: int, looks: int, daily: int, share: float) -> Array:
    """Log Bayes factor at each look: (runs, looks); each count is worked out once."""
    path = random.binomial(daily, share, (runs, looks)).cumsum(axis=1)
    found = np.empty(path.shape)
    for look in range(looks):
        n = daily * (look + 1)
        counts, where = np.unique(path[:, look], return_inverse=True)
        found[:, look] = np.array([log_bayes_factor([int(a), n - int(a)], [1, 1]) for a in counts])[where]
    return found


@scenario
def broken_split() -> Iterator[Figure]:
    random, runs = seeded("broken split"), 10_000
    for share, least, day in ((0.51, 0.99, 3.0), (0.505, 0.87, 9.0)):
        alarmed = _evidence(random, runs, 14, 20_000, share) > -math.log(THRESHOLD)
        row = {"method": "Split (SRM)", "scenario": f"sequential, {share:.1%} in one, 20,000 a day", "runs": runs}
        yield Figure(**row, what="found within 14 days", measured=alarmed.any(axis=1).mean(), low=least)
        first = np.where(alarmed.any(axis=1), alarmed.argmax(axis=1) + 1, 15)
        yield Figure(**row, what="median day", measured=float(np.median(first)), low=day - 1, high=day + 1)


@scenario
def rule() -> Iterator[Figure]:
    """Two success metrics and three guardrails, correlated by .3, on the scale of z."""
    random, runs, successes, guards = seeded("rule"), 200_000, 2, 3
    shares = allot(success_metrics=successes, guardrails=guards)
    gain_at = stats.norm.isf(shares.success_alpha / 2)
    held_at = stats.norm.isf(shares.guardrail_alpha)
    common = random.normal(size=(runs, 1))
    noise = math.sqrt(0.3) * common + math.sqrt(0.7) * random.normal(size=(runs, successes + guards))

    def ships(gains: list[float], safety: list[float]) -> float:
        z = noise + np.array(gains + safety)
        return float(((z[:, :successes] > gain_at).any(axis=1) & (z[:, successes:] > held_at).all(axis=1)).mean())

    agreed, checked = 0, 5000
    for z in noise[:checked] + np.array([2.0, 0.0, 3.0, 3.0, 3.0]):
        success = [(float(2 * stats.norm.sf(abs(one))), bool(one > 0)) for one in z[:successes]]
        tests = RuleTests(success=success, guardrails=stats.norm.sf(z[successes:]).tolist())
        by_hand = (z[:successes] > gain_at).any() and (z[successes:] > held_at).all()
        agreed += ships_by_rule(tests, shares) == bool(by_hand)
    row = {"method": "Decision rule", "runs": runs}
    title = "2 success metrics, 3 guardrails, correlation .3"
    yield Figure(
        method="Decision rule",
        runs=checked,
        scenario=title,
        what="the product's rule agrees",
        measured=agreed / checked,
        low=1.0,
        high=1.0,
    )
    null = ships([0.0, 0.0], [9.0] * guards)
    yield Figure(**row, scenario=f"{title}, no effect", what="ships", measured=null, high=0.05)
    crossed = ships([9.0, 9.0], [0.0, 9.0, 9.0])
    yield Figure(
        **row, scenario=f"{title}, one guardrail at its limit", what="ships", measured=crossed, **at_most(0.05, runs)
    )
    for beta, what, allowed, control in (
        (shares.beta, "beta shared over guardrails", {"low": 0.80}, False),
        (0.2, "each metric at 80 % power", {"high": 0.5}, True),
    ):
        reach = stats.norm.isf(beta)
        power = ships([gain_at + reach, 0.0], [held_at + reach] * guards)
        yield Figure(**row, scenario=f"{title}, one true gain", what=what, measured=power, control=control, **allowed)


@scenario
def families() -> Iterator[Figure]:
    random, runs, m, nulls = seeded("families"), 5000, 100, 80
    truth = np.where(np.arange(m) < nulls, 0.0, 3.0)
    false_share = np.empty((3, runs))
    any_false = uncorrected = 0
    for i in range(runs):
        x = truth + random.normal(size=m)
        p = (2 * stats.norm.sf(np.abs(x))).tolist()
        called = np.array(correct(p, Correction.BENJAMINI_HOCHBERG).called)
        evidence = np.exp(2.5 * x - 2.5**2 / 2)  # a likelihood ratio is an e-value
        by_e = np.array(e_bh(evidence.tolist(), 0.05))
        intervals = selected_intervals([(float(one), 1.0) for one in x], called.tolist(), 0.05)
        missed = sum(one is not None and not one[0] <= t <= one[1] for one, t in zip(intervals, truth, strict=True))
        false_share[0, i] = called[:nulls].sum() / max(1, called.sum())
        false_share[1, i] = by_e[:nulls].sum() / max(1, by_e.sum())
        false_share[2, i] = missed / max(1, called.sum())
        any_false += any(correct(p, Correction.HOLM).called[:nulls])
        uncorrected += min(p[:nulls]) < 0.05
    row = {"method": "Families", "scenario": "100 comparisons, 80 without effect", "runs": runs}
    names = ("false share of calls, Benjamini-Hochberg", "false share of calls, e-BH", "chosen intervals that miss")
    for name, level, shares in zip(names, (0.04, 0.04, 0.05), false_share, strict=True):
        high = level + 3 * float(shares.std()) / math.sqrt(runs)
        yield Figure(**row, what=name, measured=float(shares.mean()), high=high)
    yield Figure(**row, what="any false call, Holm", measured=any_false / runs, **at_most(0.05, runs))
    yield Figure(**row, what="any false call, uncorrected", measured=uncorrected / runs, low=0.9, control=True)


@scenario
def winners() -> Iterator[Figure]:
    random, runs, tests = seeded("winners"), 200, 2000
    plain, shrunk, plugged, known = (np.empty(runs) for _ in range(4))
    for i in range(runs):
        truth = random.normal(0, 0.7, tests)
        x = truth + random.normal(size=tests)
        found = cumulative_impact(x.tolist(), [1.0] * tests, 1.96)
        assert isinstance(found, CumulativeImpact)
        real = truth[x > 1.96].sum()
        plain[i], shrunk[i], plugged[i] = found.claimed - real, found.shrunk - real, found.corrected - real
        known[i] = plain[i] - selection_bias(truth.tolist(), [1.0] * tests, [1.96] * tests)
    row = {"method": "Winner's curse", "scenario": "effects N(0, .7²), 2,000 tests", "runs": runs}
    for what, gaps in (("shrunk sum", shrunk), ("Lee-Shen with the true effects", known)):
        bias = gaps.mean() / (gaps.std() / math.sqrt(runs))
        yield Figure(**row, what=f"{what}, bias in standard errors", measured=bias, low=-3, high=3)
    yield Figure(**row, what="Lee-Shen plug-in, bias (over-corrects)", measured=plugged.mean(), high=0.0)
    yield Figure(**row, what="plain sum of winners, bias", measured=plain.mean(), low=150.0, control=True)
