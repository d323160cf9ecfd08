"""Planning: the power that a calculator promises is the power that simulated experiments of that size have."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from analysis.stats.adjusted import compare_adjusted
from analysis.stats.compare import Difference, compare
from analysis.stats.estimates import Form, estimate
from analysis.stats.group_sequential import SequentialPlan, boundaries, equal_looks
from analysis.stats.moments import Moments, proportion_moments
from analysis.stats.noninferiority import MarginTest, margin_test
from analysis.stats.planning import Baseline, Design, guardrail_size, mean_baseline, proportion_baseline, sample_size
from analysis.stats.sequential_planning import cost
from analysis.stats.unavailable import NotComputable
from benchmarks.calibration.figures import Figure, scenario, seeded

RUNS = 5000
Draw = Callable[[int, bool], Moments]


def _units(baseline: Baseline, lift: float, design: Design) -> tuple[int, int]:
    """Return the units of control and treatment that the calculator asks for."""
    total = sample_size(baseline, lift, design)
    assert not isinstance(total, NotComputable)
    return math.ceil(total * design.control_share), math.ceil(total * design.treatment_share)


def _power(form: Form, draw: Draw, units: tuple[int, int], alpha: float) -> float:
    called = 0
    for _ in range(RUNS):
        found = compare(form, draw(units[0], False), draw(units[1], True), alpha).difference
        called += isinstance(found, Difference) and found.p_value < alpha and found.value > 0
    return called / RUNS


def _figure(what: str, measured: float, promised: float = 0.8) -> Figure:
    return Figure(
        method="Planning",
        scenario=what,
        what=f"power (promised {promised:.2f})",
        measured=measured,
        low=promised - 0.02,
        high=promised + 0.02,
        runs=RUNS,
    )


@scenario
def shares() -> Iterator[Figure]:
    random = seeded("shares")

    def draw(n: int, treated: bool) -> Moments:
        return proportion_moments(n, int(random.binomial(n, 0.25 if treated else 0.2)))

    even, uneven = Design(), Design(control_share=0.8, treatment_share=0.2)
    both = Design(comparisons=2, guardrails=3)
    base = proportion_baseline(0.2)
    for design, what in ((even, "even split"), (uneven, "four to one"), (both, "two metrics, three guardrails")):
        measured = _power(Form.PROPORTION, draw, _units(base, 0.25, design), design.alpha / design.comparisons)
        yield _figure(f"share of units 20 % to 25 %, {what}", measured, design.test_power)


@scenario
def amounts() -> Iterator[Figure]:
    random = seeded("amounts")

    def draw(n: int, treated: bool) -> Moments:
        squares = 900.0 * float(random.chisquare(n - 1))
        centre = random.normal(10.5 if treated else 10.0, 30 / math.sqrt(n))
        return Moments(n=n, mean=np.array([centre]), comoment=np.array([[squares]]))

    measured = _power(Form.MEAN, draw, _units(mean_baseline(10, 30), 0.05, Design()), 0.05)
    yield _figure("mean 10 with standard deviation 30, +5 %", measured)


@scenario
def ratios() -> Iterator[Figure]:
    """Orders a session: the baseline is learned from past users, as the planning page does."""
    random = seeded("ratios")

    def draw(n: int, treated: bool) -> Moments:
        sessions = 1.0 + random.poisson(3, n)
        orders = random.binomial(sessions.astype(int), random.beta(2, 8, n)) * (1 + 0.1 * treated)
        values = np.column_stack([orders, sessions])
        off = values - values.mean(axis=0)
        return Moments(n=n, mean=values.mean(axis=0), comoment=off.T @ off)

    past = estimate(Form.RATIO, draw(200_000, False))
    assert not isinstance(past, NotComputable)
    baseline = Baseline(value=past.value, unit_variance=past.variance * past.n, growth=2.0)
    measured = _power(Form.RATIO, draw, _units(baseline, 0.1, Design()), 0.05)
    yield _figure("orders a session, +10 %", measured)


@scenario
def adjusted_means() -> Iterator[Figure]:
    random, design = seeded("adjusted means"), Design(variance_reduction=0.36)
    units = _units(mean_baseline(10, 10), 0.05, design)
    called = 0
    for _ in range(RUNS):
        arms = []
        for n, centre in zip(units, (10.0, 10.5), strict=True):
            x = random.normal(size=n)
            values = np.column_stack([centre + 6 * x + 8 * random.normal(size=n), x])
            off = values - values.mean(axis=0)
            arms.append(Moments(n=n, mean=values.mean(axis=0), comoment=off.T @ off))
        found = compare_adjusted(Form.MEAN, arms[0], arms[1]).difference
        called += isinstance(found, Difference) and found.p_value < 0.05 and found.value > 0
    yield _figure("mean adjusted by a covariate with R² .36", called / RUNS)


@scenario
def sequential_size() -> Iterator[Figure]:
    """A sample inflated for 14 looks keeps the power of one look."""
    random, looks = seeded("sequential size"), 14
    plan = SequentialPlan(alpha=0.05, planned_information=1.0, planned_looks=looks)
    design = Design(inflation=cost(plan).inflation)
    units = _units(mean_baseline(10, 30), 0.05, design)
    drift = 0.5 / math.sqrt(900 / units[0] + 900 / units[1])
    times = np.array(equal_looks(looks))
    path = (random.normal(size=(RUNS, looks)) / math.sqrt(looks) + drift / looks).cumsum(axis=1) / np.sqrt(times)
    called = (path > np.array(boundaries(plan, list(times)).upper)).any(axis=1).mean()
    yield _figure("mean +5 %, 14 looks, sample inflated", float(called))


@scenario
def guardrail_sizes() -> Iterator[Figure]:
    random, design, margin = seeded("guardrail sizes"), Design(guardrails=3), 0.02
    total = guardrail_size(mean_baseline(200, 50), margin, design)
    assert not isinstance(total, NotComputable)
    n, held = math.ceil(total / 2), 0
    for _ in range(RUNS):
        arms = []
        for _arm in range(2):
            squares = np.array([[2500.0 * float(random.chisquare(n - 1))]])
            one = Moments(n=n, mean=np.array([random.normal(200, 50 / math.sqrt(n))]), comoment=squares)
            arms.append(estimate(Form.MEAN, one))
        control, treatment = arms
        assert not isinstance(control, NotComputable)
        assert not isinstance(treatment, NotComputable)
        found = margin_test(control, treatment, margin, higher_is_better=False)
        held += isinstance(found, MarginTest) and found.p_held < design.alpha
    yield _figure("guardrail with a limit of 2 %, one of three", held / RUNS, design.test_power)
