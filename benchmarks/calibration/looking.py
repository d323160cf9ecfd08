"""Looking early: boundaries, confidence sequences, estimates after a stop, and what naive looking does."""

import math
from collections.abc import Iterator

import numpy as np

from analysis.stats.compare import Difference, compare
from analysis.stats.confidence_sequence import ConfidenceSequence, boundary, confidence_sequence
from analysis.stats.estimates import Form
from analysis.stats.group_sequential import Look, SequentialPlan, boundaries, equal_looks, fixed_quantile, look
from analysis.stats.moments import merge
from analysis.stats.sequential_estimates import AfterStopping, after_stopping
from analysis.stats.sequential_planning import cost, peeking_error
from analysis.stats.spending import Spending
from analysis.stats.unavailable import NotComputable
from benchmarks.calibration.figures import Figure, at_most, near, scenario, seeded, tolerance
from benchmarks.calibration.samples import Array, moments, revenue

PUBLISHED = {
    Spending.OBRIEN_FLEMING: (4.87688, 3.35705, 2.68029, 2.28982, 2.03104),
    Spending.POCOCK: (2.43798, 2.42682, 2.4102, 2.39666, 2.38601),
    Spending.POWER: (3.0902, 2.71408, 2.47274, 2.27981, 2.11397),
}
"""Boundaries of five equal looks at 5 %: gsDesign's sfLDOF and sfLDPocock, spotify-confidence for rho = 2."""


def _plan(looks: int, spending: Spending = Spending.OBRIEN_FLEMING) -> SequentialPlan:
    return SequentialPlan(alpha=0.05, planned_information=1.0, planned_looks=looks, spending=spending)


def _brownian(random: np.random.Generator, runs: int, times: Array, drift: float = 0.0) -> Array:
    """Z at each look: (runs, looks)."""
    steps = np.diff(times, prepend=0.0)
    path = (random.normal(size=(runs, len(times))) * np.sqrt(steps) + drift * steps).cumsum(axis=1)
    return path / np.sqrt(times)


@scenario
def tables() -> Iterator[Figure]:
    row = {"method": "Group-sequential", "what": "largest distance of a boundary"}
    for spending, z in PUBLISHED.items():
        found = boundaries(_plan(5, spending), equal_looks(5)).upper
        gap = max(abs(a - b) for a, b in zip(found, z, strict=True))
        yield Figure(**row, scenario=f"published table, {spending}, 5 looks", measured=gap, high=1e-4)
    for looks, inflation in ((14, 1.042), (28, 1.049)):
        found_cost = cost(_plan(looks))
        yield Figure(
            method="Group-sequential",
            scenario=f"O'Brien-Fleming, {looks} looks, 80 % power",
            what="largest sample over one look's",
            measured=found_cost.inflation,
            low=inflation - 6e-4,
            high=inflation + 6e-4,
        )


@scenario
def brownian() -> Iterator[Figure]:
    random, runs = seeded("brownian"), 20_000
    for name, times in (
        ("14 equal looks", np.array(equal_looks(14))),
        ("7 uneven looks, over-running to 1.15", np.array([0.05, 0.08, 0.3, 0.35, 0.7, 0.93, 1.15])),
    ):
        found = boundaries(_plan(len(times)), list(times))
        bounds = np.array(found.upper)
        row = {"method": "Group-sequential", "scenario": f"Brownian motion, {name}", "runs": runs}
        alarms = (np.abs(_brownian(random, runs, times)) > bounds).any(axis=1).mean()
        yield Figure(**row, what="called without effect", measured=alarms, **near(0.05, runs))
        if len(times) == 14:
            power = (np.abs(_brownian(random, runs, times, 2.8016)) > bounds).any(axis=1).mean()
            yield Figure(**row, what="power where one look has 80 %", measured=power, low=0.776, high=0.796)


@scenario
def user_level() -> Iterator[Figure]:
    """Whole path: users, moments merged day by day, Welch, information from the units, the look's reading."""
    random, runs, days, daily = seeded("user level"), 2000, 14, 300
    plan = SequentialPlan(alpha=0.05, planned_information=2.0 * days * daily, planned_looks=days)
    stopped = disagreed = 0
    for _ in range(runs):
        cells = [moments(revenue(random, (days, daily))) for _ in range(2)]
        control, treatment, information = cells[0][0], cells[1][0], []
        called = False
        for day in range(days):
            if day:
                control, treatment = merge(control, cells[0][day]), merge(treatment, cells[1][day])
            information.append(float(control.n + treatment.n))
            one = compare(Form.MEAN, control, treatment).difference
            assert isinstance(one, Difference)
            found = _look(plan, tuple(information), one.value, one.standard_error)
            called |= found.may_stop
            disagreed += found.may_stop != (found.interval[0] > 0 or found.interval[1] < 0)
        stopped += called
    row = {"method": "Group-sequential", "scenario": "14 days of 300 skewed users a variant", "runs": runs}
    yield Figure(**row, what="called without effect", measured=stopped / runs, **near(0.05, runs))
    yield Figure(**row, what="readings against their interval", measured=disagreed, high=0.0)


_MEMORY: dict[tuple[float, ...], float] = {}


def _look(plan: SequentialPlan, information: tuple[float, ...], value: float, se: float) -> Look:
    """Read a look through the product, whose boundary for the same information is worked out once."""
    if information not in _MEMORY:
        found = look(plan, information, value, se)
        assert isinstance(found, Look)
        _MEMORY[information] = found.boundary
        return found
    bound = _MEMORY[information]
    return Look(
        number=len(information),
        planned_looks=plan.planned_looks,
        fraction=information[-1] / plan.planned_information,
        boundary=bound,
        statistic=value / se,
        may_stop=abs(value / se) > bound,
        futile=False,
        interval=(value - bound * se, value + bound * se),
        spent=0.0,
    )


@scenario
def after_a_stop() -> Iterator[Figure]:
    random, runs, drift, times = seeded("after a stop"), 4000, 2.0, np.array(equal_looks(5))
    bounds = [boundaries(_plan(5), list(times[: k + 1])) for k in range(5)]
    above = covered = 0
    naive = np.empty(runs)
    for i, z in enumerate(_brownian(random, runs, times, drift)):
        stop = next((k for k in range(5) if abs(z[k]) >= bounds[k].upper[-1]), 4)
        value, se = z[stop] / math.sqrt(times[stop]), 1 / math.sqrt(times[stop])
        found = after_stopping(bounds[stop], value, se, 0.05)
        assert isinstance(found, AfterStopping)
        above += found.estimate > drift
        naive[i] = value - drift
        covered += found.interval[0] <= drift <= found.interval[1]
    row = {"method": "After a stop", "scenario": "5 looks, mean of Z at the end 2", "runs": runs}
    yield Figure(**row, what="median-unbiased estimate too high", measured=above / runs, **near(0.5, runs))
    yield Figure(**row, what="interval covers", measured=covered / runs, **near(0.95, runs))
    bias = naive.mean() / (naive.std() / math.sqrt(runs))
    yield Figure(**row, what="naive estimate, bias in standard errors", measured=bias, low=3.0, control=True)


@scenario
def sequence() -> Iterator[Figure]:
    random, runs, tuned = seeded("sequence"), 8000, 10_000.0
    n = np.unique(np.geomspace(100, 100 * tuned, 500).round())
    for name, one_sided in (("two-sided", False), ("one-sided", True)):
        bounds = np.array([boundary(float(one), 0.05, tuned, one_sided=one_sided) for one in n])
        alarms = 0
        for _ in range(8):
            z = _brownian(random, runs // 8, n)
            alarms += int(((z if one_sided else np.abs(z)) > bounds).any(axis=1).sum())
        row = {"method": "Confidence sequence", "scenario": f"{name}, 500 looks up to 100 times the tuned n"}
        yield Figure(**row, runs=runs, what="called without effect", measured=alarms / runs, high=0.05)
    width = boundary(tuned, 0.05, tuned) / fixed_quantile(0.05)
    yield Figure(
        method="Confidence sequence",
        scenario="at the tuned n",
        what="width over one look's",
        measured=width,
        low=1.5481,
        high=1.5491,
    )


@scenario
def sequence_on_skewed_users() -> Iterator[Figure]:
    random, runs, looks, batch = seeded("skewed sequence"), 600, 40, 500
    called = 0
    for _ in range(runs):
        cells = [moments(revenue(random, (looks, batch))) for _ in range(2)]
        control, treatment = cells[0][0], cells[1][0]
        for k in range(looks):
            if k:
                control, treatment = merge(control, cells[0][k]), merge(treatment, cells[1][k])
            one = compare(Form.MEAN, control, treatment).difference
            assert isinstance(one, Difference)
            n = control.n + treatment.n
            found = confidence_sequence(one.value, one.standard_error, n, tuned_for=10_000, alpha=0.05)
            assert isinstance(found, ConfidenceSequence)
            if found.p_value < 0.05:
                called += 1
                break
    row = {"method": "Confidence sequence", "scenario": "skewed users, from 500 to 20,000 a variant", "runs": runs}
    yield Figure(**row, what="called without effect", measured=called / runs, **at_most(0.05, runs))
    early = confidence_sequence(1.0, 0.1, 800, tuned_for=10_000, alpha=0.05)
    yield Figure(
        method="Confidence sequence",
        scenario="400 units a variant",
        what="refused (1 is yes)",
        measured=float(isinstance(early, NotComputable)),
        low=1.0,
        high=1.0,
    )


@scenario
def peeking() -> Iterator[Figure]:
    random, runs = seeded("peeking"), 20_000
    for looks, least in ((14, 0.20), (100, 0.33)):
        z = _brownian(random, runs, np.array(equal_looks(looks)))
        called = (np.abs(z) > fixed_quantile(0.05)).any(axis=1).mean()
        row = {"method": "Peeking", "scenario": f"p < .05 at any of {looks} looks, no effect", "runs": runs}
        yield Figure(**row, what="called", measured=called, low=least, control=True)
        predicted = peeking_error(looks)
        yield Figure(
            **row, what="distance from the recursion", measured=abs(called - predicted), high=tolerance(0.3, runs)
        )
