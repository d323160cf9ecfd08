"""Comparisons of one look: means, lifts, ratios, adjusted means, limits, equivalence."""

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from analysis.stats.adjusted import compare_adjusted
from analysis.stats.compare import Difference, compare
from analysis.stats.equivalence import Equivalence, tost
from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.lift import fieller
from analysis.stats.noninferiority import MarginTest, margin_test
from analysis.stats.reference import two_sided_quantile
from analysis.stats.settings import DEFAULTS
from analysis.stats.skewness import kappa
from analysis.stats.unavailable import NotComputable
from benchmarks.calibration.figures import Figure, near, scenario, seeded, tolerance
from benchmarks.calibration.samples import Array, known, moments, revenue, vector_moments


def _welch(random: np.random.Generator, runs: int, n0: int, n1: int) -> Array:
    """Statistic, p-value and skewness of each run without effect: (runs, 3)."""
    found = np.empty((runs, 3))
    for start in range(0, runs, 500):
        size = min(500, runs - start)
        arms = moments(revenue(random, (size, n0))), moments(revenue(random, (size, n1)))
        for i, (control, treatment) in enumerate(zip(*arms, strict=True)):
            one = compare(Form.MEAN, control, treatment).difference
            assert isinstance(one, Difference)
            skew = kappa(control, treatment)
            found[start + i] = one.statistic, one.p_value, skew if isinstance(skew, float) else 0.0
    return found


@scenario
def welch() -> Iterator[Figure]:
    runs = 10_000
    found = _welch(seeded("welch"), runs, 2000, 2000)
    rejected = found[:, 1] < 0.05
    row = {"method": "Welch", "scenario": "no effect, 90 % zeros and a log-normal tail, 2,000 a variant", "runs": runs}
    yield Figure(**row, what="called", measured=rejected.mean(), **near(0.05, runs))
    for name, side in (("upper tail", 1), ("lower tail", -1)):
        tail = rejected & (np.sign(found[:, 0]) == side)
        yield Figure(**row, what=name, measured=tail.mean(), **near(0.025, runs))
    uniform = stats.kstest(found[:, 1], "uniform").pvalue
    yield Figure(**row, what="p of uniform p-values (KS)", measured=uniform, low=0.001)


@scenario
def welch_uneven() -> Iterator[Figure]:
    runs = 3000
    found = _welch(seeded("welch uneven"), runs, 9000, 1000)
    row = {"method": "Welch", "scenario": "the same, 9,000 against 1,000", "runs": runs}
    tails = [((found[:, 1] < 0.05) & (np.sign(found[:, 0]) == side)).mean() for side in (1, -1)]
    warned = (np.abs(found[:, 2]) > DEFAULTS.skew_warning).mean()
    yield Figure(**row, what="runs with the skew warning", measured=warned, low=0.99)
    yield Figure(
        **row, what="larger tail (nominal .025)", measured=max(tails), low=0.025 + tolerance(0.025, runs), control=True
    )


@scenario
def lift() -> Iterator[Figure]:
    random, runs, q = seeded("lift"), 40_000, two_sided_quantile(0.05, math.inf)
    for cv in (0.05, 0.15, 0.30):
        m1, v = 1.2, cv**2
        covered = agreed = unbounded = delta = 0
        for a, b in random.normal([1.0, m1], cv, (runs, 2)):
            found = fieller(known(a, v), known(b, v), q)
            if isinstance(found, NotComputable) or isinstance(found.interval, NotComputable):
                # no bounds are shown; the set of ratios that are not rejected holds the truth or not
                unbounded += 1
                covered += abs(b - m1 * a) <= q * math.sqrt(v + v * m1**2)
                agreed += 1
            else:
                low, high = found.interval
                covered += low <= m1 - 1 <= high
                agreed += (low > 0 or high < 0) == (abs(b - a) > q * math.sqrt(2 * v))
            delta += abs(b / a - m1) <= q * math.sqrt(v + v * (b / a) ** 2) / abs(a)
        row = {"method": "Lift", "scenario": f"control's mean with a coefficient of variation of {cv}", "runs": runs}
        yield Figure(**row, what="Fieller covers", measured=covered / runs, low=0.946, high=0.954)
        yield Figure(**row, what="interval and test agree", measured=agreed / runs, low=1.0, high=1.0)
        if cv == 0.30:
            yield Figure(**row, what="delta method covers", measured=delta / runs, high=0.945, control=True)


@scenario
def ratio() -> Iterator[Figure]:
    random, runs, truth = seeded("ratio"), 4000, 0.2
    covered = naive = 0
    for _ in range(runs):
        sessions = 1 + random.negative_binomial(1, 0.3, 1000)
        orders = random.binomial(sessions, random.beta(1.0, 4.0, 1000))
        one = estimate(Form.RATIO, vector_moments(np.column_stack([orders, sessions]).astype(float)))
        assert isinstance(one, Estimate)
        covered += abs(one.value - truth) <= two_sided_quantile(0.05, one.df) * math.sqrt(one.variance)
        naive += abs(one.value - truth) <= 1.96 * math.sqrt(one.value * (1 - one.value) / sessions.sum())
    row = {"method": "Ratio", "scenario": "sessions clustered in 1,000 users", "runs": runs}
    yield Figure(**row, what="covers", measured=covered / runs, low=0.94, high=0.96)
    yield Figure(**row, what="sessions as units cover", measured=naive / runs, high=0.92, control=True)


@scenario
def adjusted() -> Iterator[Figure]:
    random, runs, effect = seeded("adjusted"), 4000, 0.3
    covered, errors, reduction = 0, np.empty(runs), 0.0
    for i in range(runs):
        arms = []
        for n, slope, shift in ((600, 0.5, 0.0), (200, 1.5, effect)):
            x = random.normal(size=n)
            arms.append(vector_moments(np.column_stack([shift + slope * x + random.normal(size=n), x])))
        found = compare_adjusted(Form.MEAN, arms[0], arms[1])
        assert isinstance(found.difference, Difference)
        low, high = found.difference.interval
        covered += low <= effect <= high
        errors[i] = found.difference.value - effect
        reduction += (found.variance_reduction or 0.0) / runs
    row = {"method": "Lin", "scenario": "600 against 200, slopes .5 and 1.5", "runs": runs}
    bias = errors.mean() / (errors.std() / math.sqrt(runs))
    yield Figure(**row, what="covers", measured=covered / runs, low=0.94, high=0.96)
    yield Figure(**row, what="bias in standard errors", measured=bias, low=-3.0, high=3.0)
    yield Figure(**row, what="variance saved", measured=reduction, low=0.1)


@scenario
def limit() -> Iterator[Figure]:
    random, runs, margin = seeded("limit"), 200_000, 0.02
    v0, v1 = 0.006**2, 0.009**2
    held = 0
    for a, b in random.normal([1.0, 1.0 - margin], [0.006, 0.009], (runs, 2)):
        found = margin_test(known(a, v0), known(b, v1), margin, higher_is_better=True)
        assert isinstance(found, MarginTest)
        held += found.p_held < 0.05
    row = {"method": "Non-inferiority", "scenario": "truth at a relative limit of 2 %", "runs": runs}
    yield Figure(**row, what="called held", measured=held / runs, **near(0.05, runs))


@scenario
def equivalent() -> Iterator[Figure]:
    random, runs, se, margin = seeded("equivalent"), 20_000, 0.02, 0.1
    row = {"method": "Equivalence", "runs": runs}
    for truth, what, allowed in ((margin, "truth at the limit", near(0.05, runs)), (0.0, "no effect", {"low": 0.99})):
        called = 0
        for x in random.normal(truth, se, runs):
            found = tost(float(x), se, math.inf, low=-margin, high=margin, alpha=0.05)
            assert isinstance(found, Equivalence)
            called += found.p_value < 0.05
        yield Figure(**row, scenario=what, what="called too small to matter", measured=called / runs, **allowed)
