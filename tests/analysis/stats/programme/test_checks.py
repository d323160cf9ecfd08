"""Checks of a slope: York's line, direct effects, the intercept, and what one experiment carries."""

import numpy as np
import pytest
from scipy import stats

from analysis.stats.programme.checks import (
    DirectEffects,
    Intercept,
    direct_effects,
    effective_experiments,
    intercept,
    leave_one_out,
    weighted_median,
)
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.regions import Region
from analysis.stats.programme.slopes import Slope, total_covariance
from analysis.stats.programme.slopes import efficient_weights as weights_of
from analysis.stats.programme.study import Study, study
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import tolerance
from tests.analysis.stats.programme.samples import drawn, several

# Pearson 1901 with the weights of York 1966: x, weight of x, y, weight of y; the standard data of a line with errors in
# both coordinates. Slope -0.4805 and intercept 5.4799 (York and others 2004, American Journal of Physics 72, table II).
YORK = (
    (0.0, 1000.0, 5.9, 1.0), (0.9, 1000.0, 5.4, 1.8), (1.8, 500.0, 4.4, 4.0), (2.6, 800.0, 4.6, 8.0),
    (3.3, 200.0, 3.5, 20.0), (4.4, 80.0, 3.7, 20.0), (5.2, 60.0, 2.8, 70.0), (6.1, 20.0, 2.8, 70.0),
    (6.5, 1.8, 2.4, 100.0), (7.4, 1.0, 1.5, 500.0),
)  # fmt: skip


def direct(programme: Programme) -> DirectEffects:
    found = direct_effects(programme)
    assert isinstance(found, DirectEffects), found
    return found


def test_direct_effects__york_and_pearson__is_the_published_line():
    x, wx, y, wy = np.array(YORK).T
    noise = np.zeros((10, 2, 2))
    noise[:, 0, 0], noise[:, 1, 1] = 1 / wx, 1 / wy
    found = direct(Programme(effects=np.column_stack([x, y]), covariances=noise))
    assert found.slope == pytest.approx(-0.4805334, abs=1e-6)
    assert found.intercept == pytest.approx(5.4799102, abs=1e-5)
    assert found.statistic / found.df == pytest.approx(1.4833, abs=1e-4)


def test_direct_effects__proxy_the_only_way__p_values_are_uniform():
    found = [direct(drawn(seed, count=60, tau=0.0)).p_value for seed in range(150)]
    assert stats.kstest(found, "uniform").pvalue > 0.001


def test_direct_effects__other_ways__are_found():
    assert direct(drawn(1, tau=1.0)).p_value < 1e-6


def test_intercept__none__is_covered_and_a_real_one_found():
    covered = 0
    for seed in range(60):
        found = intercept(drawn(seed, count=80))
        assert isinstance(found, Intercept)
        covered += found.interval[0] <= 0 <= found.interval[1]
    assert 52 <= covered <= 60
    one = drawn(1)
    moved = intercept(Programme(effects=one.effects + np.array([0.0, 1.0]), covariances=one.covariances))
    assert isinstance(moved, Intercept)
    assert moved.value == pytest.approx(1.0, abs=0.2)
    assert moved.p_value < 1e-6


def test_leave_one_out__by_hand__is_the_slope_without_each():
    one = drawn(3, count=25)
    found = leave_one_out(one)
    assert not isinstance(found, NotComputable)
    weights = weights_of(one)
    for i in (0, 7, 24):
        again = total_covariance(one.without(i), np.delete(weights, i))
        assert isinstance(again, Slope)
        assert found[i] == pytest.approx(again.value)


def test_leave_one_out__one_experiment_that_carries_all__shows():
    one = drawn(4, count=40, slope=0.0)
    effects = one.effects.copy()
    effects[5] = 12.0, 12.0
    found = leave_one_out(Programme(effects=effects, covariances=one.covariances))
    assert not isinstance(found, NotComputable)
    assert found[5] < 0.3 < np.delete(found, 5).min()


def test_effective_experiments__equal_ones_and_one_giant__are_all_and_one():
    x = np.where(np.arange(40) % 2, 1.0, -1.0)
    noise = np.tile(0.01 * np.eye(2), (40, 1, 1))
    assert effective_experiments(Programme(effects=np.column_stack([x, x]), covariances=noise)) == pytest.approx(40)
    x[3] = 1000.0
    assert effective_experiments(Programme(effects=np.column_stack([x, x]), covariances=noise)) < 1.3


def test_weighted_median__strong_proxy_and_a_third_going_other_ways__still_holds():
    random = np.random.default_rng(7)
    x = random.normal(size=150)
    y = 0.5 * x + np.where(np.arange(150) < 45, 3.0, 0.0)
    noise = np.tile(np.diag([1e-4, 1e-4]), (150, 1, 1))
    found = weighted_median(Programme(effects=np.column_stack([x, y]), covariances=noise))
    assert found == pytest.approx(0.5, abs=0.05)
    assert isinstance(weighted_median(Programme(effects=np.zeros((6, 2)), covariances=noise[:6])), NotComputable)


def region(found: Slope | NotComputable) -> Region:
    assert isinstance(found, Slope)
    assert found.region is not None
    return found.region


@pytest.mark.parametrize("runs", [15, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("truth", [0.0, -0.3])
def test_study__three_slopes__the_corrected_ones_cover_the_truth_and_the_others_do_not(truth, runs):
    """Fifteen programmes tell a slope that holds the truth from one that does not; 200 hold coverage near 95 %."""
    held = dict.fromkeys(("corrected", "weighted", "total", "region", "naive"), 0)
    for seed in range(runs):
        found = study(drawn(seed, slope=truth, count=100))
        assert isinstance(found, Study)
        held["region"] += found.region.holds(truth)
        for name in ("corrected", "weighted", "total", "naive"):
            held[name] += region(getattr(found, name)).holds(truth)
    honest = [held[name] for name in ("corrected", "weighted", "total", "region")]
    assert min(honest) >= (0.95 - tolerance(0.05, runs)) * runs
    assert held["naive"] < 0.4 * runs


def test_study__second_of_two_proxies__is_that_of_the_pair_alone():
    whole = several(5)
    one, other = study(whole, proxy=1), study(whole.pair(1))
    assert isinstance(one, Study)
    assert isinstance(other, Study)
    assert one.corrected == other.corrected
    assert one.correlation == other.correlation


def test_study__proxy_known_exactly__is_fitted_and_what_needs_its_noise_says_so():
    one = drawn(2, count=40)
    covariances = one.covariances * np.array([[0.0, 0.0], [0.0, 1.0]])
    found = study(Programme(effects=one.effects, covariances=covariances))
    assert isinstance(found, Study)
    assert isinstance(found.corrected, Slope)
    assert isinstance(found.kappa, NotComputable)
    assert isinstance(found.user_level, NotComputable)
    assert found.identified.missing == 0


def test_study__business_effects_without_variance__is_not_computable():
    one = drawn(2, count=40)
    found = study(Programme(effects=one.effects, covariances=0 * one.covariances))
    assert isinstance(found, NotComputable)
    assert "variance is missing" in found.reason


@pytest.mark.parametrize("seed", [*range(5), *(pytest.param(n, marks=pytest.mark.slow) for n in range(5, 40))])
def test_study__few_odd_experiments_in_any_unit__never_break(seed):
    random = np.random.default_rng(seed)
    count, unit = int(random.integers(5, 9)), 10.0 ** random.integers(-6, 4)
    shared = random.uniform(-1, 1)
    noise = 10.0 ** random.uniform(-3, 2) * np.array([[1.0, shared], [shared, 1.0]])
    covariances = unit**2 * noise * np.exp(2 * random.normal(size=count))[:, None, None]
    found = study(Programme(effects=unit * random.normal(size=(count, 2)), covariances=covariances))
    assert isinstance(found, Study)
    assert found.identified.experiments == count
