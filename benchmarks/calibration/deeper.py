"""Looking deeper: segments, time, pairs of experiments, triggers, blocks and clusters."""

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from analysis.stats.clusters import ClusterDifference, cluster_difference
from analysis.stats.estimates import Estimate, Form, mean
from analysis.stats.heterogeneity import Effect, Heterogeneity, explore, heterogeneity
from analysis.stats.interaction import Interaction, interaction, units_needed
from analysis.stats.moments import Moments
from analysis.stats.novelty import TimeCourse, course
from analysis.stats.switchback import Block, Switchback, switchback
from analysis.stats.triggered import Diluted, triggered
from benchmarks.calibration.figures import Figure, at_most, near, scenario, seeded, tolerance

RUNS = 5000


@scenario
def segments() -> Iterator[Figure]:
    random, spread = seeded("segments"), np.array([0.3, 0.5, 1.0, 0.4, 0.8])
    shift = np.array([0.6, -0.6, 0.0, 0.6, -0.6])
    weights = 1 / spread**2
    off = shift - (weights @ shift) / weights.sum()
    predicted = float(stats.ncx2.sf(stats.chi2.isf(0.05, 4), 4, weights @ off**2))
    for name, truth, allowed in (
        ("no difference between segments", 0 * shift, near(0.05, RUNS)),
        ("segments differ", shift, {"low": predicted - 0.02, "high": predicted + 0.02}),
    ):
        called = 0
        for row in truth + spread * random.normal(size=(RUNS, 5)):
            pairs = {
                str(i): Effect(value=x, standard_error=s) for i, (x, s) in enumerate(zip(row, spread, strict=True))
            }
            found = heterogeneity(pairs)
            assert isinstance(found, Heterogeneity)
            called += found.p_value < 0.05
        title = {"method": "Heterogeneity", "scenario": f"5 segments, {name}", "runs": RUNS}
        yield Figure(**title, what="called", measured=called / RUNS, **allowed)
    runs, called, uncorrected = 1000, 0, 0
    for draw in random.normal(size=(runs, 20, 4)):
        cells = [
            (str(d), {str(i): Effect(value=x, standard_error=1.0) for i, x in enumerate(r)}) for d, r in enumerate(draw)
        ]
        found_all = explore(cells)
        called += any(one.differs for one in found_all)
        uncorrected += any(isinstance(one.found, Heterogeneity) and one.found.p_value < 0.05 for one in found_all)
    title = {"method": "Heterogeneity", "scenario": "20 breakdowns, none differs", "runs": runs}
    yield Figure(**title, what="any called, Benjamini-Hochberg", measured=called / runs, **at_most(0.05, runs))
    yield Figure(**title, what="any called, uncorrected", measured=uncorrected / runs, low=0.5, control=True)


@scenario
def days() -> Iterator[Figure]:
    random, count = seeded("days"), 14
    own, noise = 0.0002, 0.0006
    covariance = own * np.ones((count, count)) + noise * np.eye(count)
    root = np.linalg.cholesky(covariance)
    logs = np.log1p(np.arange(count))
    centred = (logs - logs.mean()) / ((logs - logs.mean()) @ (logs - logs.mean()))
    slope_se = math.sqrt(centred @ covariance @ centred)
    fading = -2.8016 * slope_se * logs
    naive = 0
    for name, truth in (("the same effect every day", 0 * logs), ("fading with log(day)", fading)):
        slope = shape = 0
        for draw in random.normal(size=(RUNS, count)):
            found = course(truth + root @ draw, covariance)
            assert isinstance(found, TimeCourse)
            slope += found.slope_p_value < 0.05
            shape += found.p_value < 0.05
            independent = abs(found.slope) / math.sqrt((own + noise) * (centred @ centred))
            naive += independent > 1.96 and not truth.any()
        title = {"method": "Novelty", "scenario": f"14 days of the same users, {name}", "runs": RUNS}
        if truth.any():
            yield Figure(**title, what="trend called (formula .80)", measured=slope / RUNS, low=0.78, high=0.82)
        else:
            yield Figure(**title, what="trend called", measured=slope / RUNS, **near(0.05, RUNS))
            yield Figure(**title, what="any shape called", measured=shape / RUNS, **near(0.05, RUNS))
            off = {"high": 0.05 - tolerance(0.05, RUNS)}
            yield Figure(**title, what="days taken as independent", measured=naive / RUNS, control=True, **off)


@scenario
def pairs() -> Iterator[Figure]:
    random, effect = seeded("pairs"), 0.2
    n = math.ceil(units_needed(1.0, effect))
    for name, size in (("effects add up", 0.0), ("interaction of the planned size", effect)):
        called = 0
        for _ in range(RUNS):
            cells: dict[tuple[int, int], Estimate] = {}
            for cell in ((0, 0), (0, 1), (1, 0), (1, 1)):
                centre = 0.1 * sum(cell) + (size if cell == (1, 1) else 0.0)
                squares = float(random.chisquare(n - 1))
                drawn = np.array([random.normal(centre, 1 / math.sqrt(n))])
                cells[cell] = mean(Moments(n=n, mean=drawn, comoment=np.array([[squares]])))
            found = interaction(cells)
            assert isinstance(found, Interaction)
            called += found.p_value < 0.05
        title = {"method": "Interaction", "scenario": f"two experiments, {name}", "runs": RUNS}
        if size:
            yield Figure(**title, what="called (formula .80)", measured=called / RUNS, low=0.78, high=0.82)
        else:
            yield Figure(**title, what="called", measured=called / RUNS, **near(0.05, RUNS))


@scenario
def triggers() -> Iterator[Figure]:
    random, runs, n, rate, effect = seeded("triggers"), 4000, 2000, 0.2, 0.3
    covered = fine = 0
    narrower = 0.0
    for _ in range(runs):
        arms = []
        for shift in (0.0, effect):
            touched = int(random.binomial(n, rate))
            arms.append((_drawn(random, touched, shift), _drawn(random, n - touched, 0.0)))
        found = triggered(Form.MEAN, arms[0], arms[1], {"control": 1, "treatment": 1})
        assert isinstance(found.diluted, Diluted)
        low, high = found.diluted.interval
        covered += low <= rate * effect <= high
        fine += found.trustworthy is True
        narrower += found.diluted.standard_error / math.sqrt(2 / n) / runs
    title = {"method": "Triggered", "scenario": "one unit in five triggered, diluted effect", "runs": runs}
    yield Figure(**title, what="covers", measured=covered / runs, **near(0.95, runs))
    yield Figure(**title, what="width over that of all units", measured=narrower, high=0.55)
    yield Figure(**title, what="honest triggers trusted", measured=fine / runs, low=0.995)


def _drawn(random: np.random.Generator, n: int, centre: float) -> Moments:
    squares = np.array([[float(random.chisquare(n - 1))]])
    return Moments(n=n, mean=np.array([random.normal(centre, 1 / math.sqrt(n))]), comoment=squares)


@scenario
def blocks() -> Iterator[Figure]:
    random, runs = seeded("blocks"), 2000
    called = shuffled = naive = 0
    for i in range(runs):
        treated = random.permutation([True, False] * 20)
        values = random.normal(size=(40, 1)) + random.normal(size=(40, 24))
        redraw = (lambda: random.permutation([True, False] * 20).tolist()) if i < 400 else None
        found = switchback(
            [Block(treated=bool(t), values=v.tolist()) for t, v in zip(treated, values, strict=True)],
            redraw=redraw,
            draws=199,
        )
        assert isinstance(found, Switchback)
        called += found.p_value < 0.05
        shuffled += found.randomisation_p_value is not None and found.randomisation_p_value <= 0.05
        naive += stats.ttest_ind(values[treated].ravel(), values[~treated].ravel(), equal_var=False).pvalue < 0.05
    title = {"method": "Switchback", "scenario": "40 correlated blocks of 24, no effect"}
    yield Figure(**title, runs=runs, what="called, blocks as units", measured=called / runs, **near(0.05, runs))
    yield Figure(**title, runs=400, what="called, re-randomised", measured=shuffled / 400, **near(0.05, 400))
    yield Figure(**title, runs=runs, what="observations as units", measured=naive / runs, low=0.4, control=True)


@scenario
def clusters() -> Iterator[Figure]:
    random, runs = seeded("clusters"), 4000
    treated = [True, False] * 6
    called = normal = 0
    for _ in range(runs):
        sizes = random.integers(20, 120, 12).astype(float)
        totals = sizes * random.normal(0, 0.3, 12) + random.normal(0, 1, 12) * np.sqrt(sizes)
        found = cluster_difference(totals.tolist(), sizes.tolist(), treated)
        assert isinstance(found, ClusterDifference)
        called += found.p_value < 0.05
        normal += abs(found.value) / found.standard_error > 1.96
    title = {"method": "Clusters", "scenario": "12 clusters of uneven size, no effect", "runs": runs}
    yield Figure(**title, what="called, CR2 and t", measured=called / runs, low=0.03, high=0.05 + tolerance(0.05, runs))
    least = 0.05 + tolerance(0.05, runs)
    yield Figure(**title, what="called, normal distribution", measured=normal / runs, low=least, control=True)
