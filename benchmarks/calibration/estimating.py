"""Estimates and beliefs: quantiles, strata, the standard error's self-check, A/A replays, priors."""

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from analysis.stats.bayes import LearnedPrior, learn_prior, posterior
from analysis.stats.compare import Difference, compare
from analysis.stats.estimates import Estimate, Form
from analysis.stats.jackknife import SelfCheck, self_check
from analysis.stats.moment_matrix import MomentMatrix
from analysis.stats.moments import merge_all
from analysis.stats.poststratification import compare_stratified
from analysis.stats.quantiles import quantile
from analysis.stats.replay import Metric, rehashed, replay
from analysis.stats.shrinkage import Prior
from benchmarks.calibration.figures import Figure, near, scenario, seeded
from benchmarks.calibration.samples import revenue, vector_moments


@scenario
def quantiles() -> Iterator[Figure]:
    random, runs, units = seeded("quantiles"), 1000, 1000
    levels = (0.5, 0.9, 0.99)
    covered, naive = dict.fromkeys(levels, 0), dict.fromkeys(levels, 0)
    for _ in range(runs):
        rows = 1 + random.poisson(9, units)
        owner = np.repeat(np.arange(units), rows)
        values = np.exp(0.8 * random.normal(size=units)[owner] + 0.6 * random.normal(size=len(owner)))
        for level in levels:
            truth = math.exp(stats.norm.ppf(level))  # the spreads add up to 1
            for tally, who in ((covered, owner), (naive, np.arange(len(owner)))):
                one = quantile(values, who, level)
                tally[level] += isinstance(one, Estimate) and abs(one.value - truth) <= 1.96 * math.sqrt(one.variance)
    for level in levels:
        row = {"method": "Quantile", "scenario": f"p{level * 100:g} over rows clustered in 1,000 units", "runs": runs}
        yield Figure(**row, what="covers", measured=covered[level] / runs, low=0.93, high=0.97)
        if level == 0.5:
            yield Figure(**row, what="rows as units cover", measured=naive[level] / runs, high=0.9, control=True)


@scenario
def self_checks() -> Iterator[Figure]:
    random, runs, n = seeded("self checks"), 200, 4000
    for name, form in (("skewed revenue", Form.MEAN), ("revenue a session", Form.RATIO)):
        ratios = []
        for _ in range(runs):
            arms = []
            for _arm in range(2):
                spent = revenue(random, (n,))
                sessions = 1.0 + random.poisson(2, n) + (spent > 0)
                values = spent[:, None] if form is Form.MEAN else np.column_stack([spent, sessions])
                arms.append(MomentMatrix.from_values(values, random.integers(0, 50, n), 50))
            found = self_check(form, arms[0], arms[1])
            assert isinstance(found, SelfCheck)
            ratios.append(found.ratio)
        row = {"method": "Standard error", "scenario": f"jackknife over 50 hash buckets, {name}", "runs": runs}
        yield Figure(**row, what="jackknife over formula", measured=float(np.mean(ratios)), low=0.97, high=1.03)


@scenario
def strata() -> Iterator[Figure]:
    random, runs, effect = seeded("strata"), 4000, 0.2
    covered, narrower = 0, 0.0
    for _ in range(runs):
        arms = []
        for treated in (False, True):
            label = random.integers(0, 4, 400)
            y = label + treated * effect * (0.5 + label / 3) + random.normal(size=400)
            arms.append({str(s): vector_moments(y[label == s][:, None]) for s in range(4)})
        found = compare_stratified(Form.MEAN, arms[0], arms[1]).numbers.difference
        plain = compare(Form.MEAN, *(merge_all(arm.values()) for arm in arms)).difference
        assert isinstance(found, Difference)
        assert isinstance(plain, Difference)
        covered += found.interval[0] <= effect <= found.interval[1]
        narrower += found.standard_error / plain.standard_error / runs
    row = {"method": "Post-stratification", "scenario": "4 strata of about 100, effects differ", "runs": runs}
    yield Figure(**row, what="covers", measured=covered / runs, **near(0.95, runs))
    yield Figure(**row, what="width over the plain one", measured=narrower, high=0.75)


@scenario
def replays() -> Iterator[Figure]:
    random, draws, n = seeded("replays"), 2000, 20_000
    spent = revenue(random, (n,))
    values = np.column_stack([spent, 1.0 + random.poisson(2, n)])
    found = replay(values, [Metric(form=Form.MEAN, columns=(0,))], rehashed(np.arange(n)), draws)[0]
    row = {"method": "A/A replay", "scenario": "20,000 skewed users split again by hash", "runs": draws}
    yield Figure(**row, what="called", measured=found.false_positives, **near(0.05, draws))
    yield Figure(**row, what="variance over standard error²", measured=found.variance_ratio, low=0.9, high=1.1)
    yield Figure(**row, what="p of uniform p-values (KS)", measured=found.uniformity, low=0.001)


@scenario
def beliefs() -> Iterator[Figure]:
    """Effects drawn from a normal; 'likely better' must be better as often as it says."""
    random, runs, tau, se = seeded("beliefs"), 400_000, 0.5, 0.5
    past = random.normal(0, tau, 2000) + se * random.normal(size=2000)
    learned = learn_prior(past.tolist(), [se] * len(past))
    assert isinstance(learned, LearnedPrior)
    truth = random.normal(0, tau, runs)
    x = truth + se * random.normal(size=runs)
    grid = np.linspace(x.min(), x.max(), 2000)
    for name, prior, control in (
        ("the true prior", Prior(mean=0.0, variance=tau**2), False),
        ("a prior learned from 2,000 experiments", learned.prior, False),
        ("a flat prior", None, True),
    ):
        chance = np.interp(x, grid, [posterior(float(one), se, prior).better for one in grid])
        chosen = (chance > 0.85) & (chance < 0.95)
        gap = float(chance[chosen].mean() - (truth[chosen] > 0).mean())
        title = {"method": "Bayes", "scenario": f"{name}, 'better' with 85 % to 95 %", "runs": int(chosen.sum())}
        allowed = {"low": 0.03} if control else {"low": -0.01, "high": 0.01}
        yield Figure(**title, what="claimed - true share", measured=gap, control=control, **allowed)
