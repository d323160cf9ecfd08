"""Seeded calibrations: error rates and coverage are what they claim, and a naive method fails as predicted.

Small ones run always; `slow` ones at the size of the acceptance criteria. A share p estimated from R runs may be off by
3 sqrt(p(1-p)/R).
"""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.decisions import reading
from analysis.decisions.horizon import Horizon
from analysis.decisions.inputs import MetricPlan
from analysis.results.schema import Reading
from analysis.stats.compare import Difference, compare
from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.lift import fieller
from analysis.stats.moments import Array, Moments
from analysis.stats.noninferiority import MarginTest, margin_test
from analysis.stats.reference import two_sided_quantile
from analysis.stats.skewness import kappa
from analysis.stats.srm import SplitTest, split_test
from analysis.stats.unavailable import NotComputable
from experiments.domain.metrics import Direction, MetricKind, MetricRole
from tests.analysis.stats.cases import from_mean, tolerance, zero_inflated_lognormal

SLOW = pytest.mark.slow


def aa_runs(random: np.random.Generator, runs: int, n0: int, n1: int) -> Array:
    """Statistic and p-value of Welch's test on revenue without any effect: shape (runs, 2)."""
    found = np.empty((runs, 2))
    for i in range(runs):
        arms = [Moments.from_values(zero_inflated_lognormal(random, (n,))) for n in (n0, n1)]
        difference = compare(Form.MEAN, *arms).difference
        assert isinstance(difference, Difference)
        found[i] = difference.statistic, difference.p_value
    return found


@pytest.mark.parametrize("runs", [600, pytest.param(10_000, marks=SLOW)])
def test_welch__a_a_on_skewed_revenue__rejects_one_in_twenty(runs):
    found = aa_runs(np.random.default_rng(20260302), runs, 2000, 2000)
    rejected = found[:, 1] < 0.05
    assert rejected.mean() == pytest.approx(0.05, abs=tolerance(0.05, runs))
    for side in (1, -1):
        tail = (rejected & (np.sign(found[:, 0]) == side)).mean()
        assert tail == pytest.approx(0.025, abs=tolerance(0.025, runs))
    assert stats.kstest(found[:, 1], "uniform").pvalue > 0.001


@SLOW
def test_welch__nine_to_one_split_of_skewed_revenue__is_bent_as_the_guard_predicts():
    random, runs = np.random.default_rng(20260303), 6000
    found = aa_runs(random, runs, 9000, 1000)
    upper, lower = ((found[:, 1] < 0.05) & (np.sign(found[:, 0]) == side) for side in (1, -1))
    pool = Moments.from_values(zero_inflated_lognormal(random, (2_000_000,)))
    assert pool.third is not None
    arms = [
        Moments(n=n, mean=pool.mean, comoment=pool.comoment * n / pool.n, third=pool.third * n / pool.n)
        for n in (9000, 1000)
    ]
    skew = kappa(arms[0], arms[1])
    assert isinstance(skew, float)
    assert skew > 0.03
    bend = -0.0845 * skew  # a small skewed treatment: its spread is underestimated when its mean is low
    assert upper.mean() - lower.mean() == pytest.approx(2 * bend, abs=0.02)
    assert max(upper.mean(), lower.mean()) > 0.025 + tolerance(0.025, runs)  # the negative control fails


@pytest.mark.parametrize("cv", [0.05, 0.15, 0.30])
def test_fieller__noisy_control__covers_the_true_lift(cv):
    random, runs, q = np.random.default_rng(20260304), 40_000, two_sided_quantile(0.05, math.inf)
    m0, m1, v = 1.0, 1.2, cv**2
    covered = delta_covered = 0
    for a, b in random.normal([m0, m1], cv, (runs, 2)):
        lift = fieller(normal(a, v), normal(b, v), q)
        if isinstance(lift, NotComputable) or isinstance(lift.interval, NotComputable):
            # No bounds are shown; the set of ratios that Fieller does not reject still holds the truth or not.
            covered += abs(b - m1 / m0 * a) <= q * math.sqrt(v + v * (m1 / m0) ** 2)
        else:
            covered += lift.interval[0] <= m1 / m0 - 1 <= lift.interval[1]
        delta_covered += abs(b / a - m1 / m0) <= q * math.sqrt(v + v * (b / a) ** 2) / abs(a)
    assert covered / runs == pytest.approx(0.95, abs=0.004)
    if cv == 0.30:
        assert delta_covered / runs < 0.945  # the delta method, the negative control, does not cover here


def normal(value: float, variance: float) -> Estimate:
    return Estimate(n=10_000, value=float(value), variance=variance, df=math.inf)


@pytest.mark.parametrize("runs", [800, pytest.param(4000, marks=SLOW)])
def test_ratio__sessions_clustered_in_users__covers_where_sessions_counted_as_units_do_not(runs):
    random, truth = np.random.default_rng(20260305), 0.2
    covered = naive_covered = 0
    for _ in range(runs):
        sessions = 1 + random.negative_binomial(1, 0.3, 1000)
        orders = random.binomial(sessions, random.beta(1.0, 4.0, 1000))
        one = estimate(Form.RATIO, Moments.from_values(np.column_stack([orders, sessions])))
        assert isinstance(one, Estimate)
        covered += abs(one.value - truth) <= two_sided_quantile(0.05, one.df) * math.sqrt(one.variance)
        naive_covered += abs(one.value - truth) <= 1.96 * math.sqrt(one.value * (1 - one.value) / sessions.sum())
    assert covered / runs == pytest.approx(0.95, abs=max(0.01, tolerance(0.05, runs)))
    assert naive_covered / runs < 0.92


@pytest.mark.parametrize("runs", [20_000, pytest.param(100_000, marks=SLOW)])
def test_srm__honest_split__is_called_broken_once_in_a_thousand(runs):
    random, n = np.random.default_rng(20260306), 20_000
    counts, times = np.unique(random.binomial(n, 0.5, runs), return_counts=True)
    alarms = 0
    for count, seen in zip(counts, times, strict=True):
        found = split_test({"a": int(count), "b": n - int(count)}, {"a": 1, "b": 1})
        assert isinstance(found, SplitTest)
        alarms += int(seen) * found.mismatch
    assert alarms / runs <= 0.001 + tolerance(0.001, runs)


def test_srm__51_to_49_over_a_week_of_20_000_a_day__is_found():
    random = np.random.default_rng(20260307)
    found = [
        split_test({"a": int(a), "b": 140_000 - int(a)}, {"a": 1, "b": 1}) for a in random.binomial(140_000, 0.51, 200)
    ]
    assert all(isinstance(one, SplitTest) and one.mismatch for one in found)


@pytest.mark.parametrize("runs", [6000, pytest.param(200_000, marks=SLOW)])
def test_margin__true_effect_at_the_limit__is_called_held_one_time_in_twenty(runs):
    random, margin = np.random.default_rng(20260308), 0.02
    held = 0
    for a, b in random.normal([1.0, 1.0 - margin], [0.006, 0.009], (runs, 2)):
        found = margin_test(normal(a, 0.006**2), normal(b, 0.009**2), margin, higher_is_better=True)
        assert isinstance(found, MarginTest)
        held += found.p_held < 0.05
    assert held / runs == pytest.approx(0.05, abs=tolerance(0.05, runs))


@pytest.mark.parametrize("runs", [150, pytest.param(4000, marks=SLOW)])
def test_peeking__fourteen_daily_looks_without_effect__never_show_a_gain_early(runs):
    random, looks, per_day = np.random.default_rng(20260309), 14, 500
    plan = MetricPlan(
        key="m", name="Revenue", kind=MetricKind.SUM, role=MetricRole.PRIMARY, direction=Direction.INCREASE
    )
    naive = early_gain = early_harm = final = 0
    for _ in range(runs):
        days = random.normal(10, 5 / math.sqrt(per_day), (looks, 2)).cumsum(axis=0)
        readings, p_values = [], []
        for look in range(looks):
            n = (look + 1) * per_day
            arms = [from_mean(n, total / (look + 1), 25.0 * (n - 1)) for total in days[look]]
            numbers = compare(Form.MEAN, *arms)
            assert isinstance(numbers.difference, Difference)
            p_values.append(numbers.difference.p_value)
            where = Horizon(day=look + 1, planned_days=looks, running=True, reached=look + 1 == looks)
            readings.append(reading.read(plan, numbers, where, trustworthy=True).reading)
        naive += min(p_values) < 0.05
        early_gain += Reading.BETTER in readings[:-1]
        early_harm += Reading.WORSE in readings[:-1]
        final += readings[-1] in (Reading.BETTER, Reading.WORSE)
    assert early_gain == 0
    assert early_harm / runs <= 0.005 + tolerance(0.005, runs)
    assert final / runs == pytest.approx(0.05, abs=tolerance(0.05, runs))
    assert naive / runs > 0.20 - tolerance(0.22, runs)  # the negative control: p < .05 on any day
