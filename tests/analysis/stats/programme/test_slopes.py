"""Slopes by moments: equal to instrumental variables on users, blind to units, unbounded where nothing can be told."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from linearmodels.iv import IV2SLS, IVLIML

from analysis.stats.programme.crossfold import cross_fold
from analysis.stats.programme.effects import Programme, typical_noise
from analysis.stats.programme.regions import Shape, fieller_region
from analysis.stats.programme.slopes import (
    Liml,
    Slope,
    anderson_rubin,
    liml,
    naive,
    spread,
    total_covariance,
    user_level,
    weighted_total_covariance,
)
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE
from tests.analysis.stats.programme.samples import drawn, several, users


def slope(found) -> Slope:
    assert isinstance(found, Slope), found
    return found


def from_users(cell, values) -> tuple[Programme, np.ndarray, np.ndarray]:
    """The cells' means as effects, with the covariance within cells over the size."""
    sizes = np.bincount(cell.astype(int))
    means = np.column_stack([np.bincount(cell.astype(int), v) for v in values.T]) / sizes[:, None]
    off = values - means[cell.astype(int)]
    pooled = off.T @ off / (len(cell) - len(sizes))
    return Programme(effects=means, covariances=pooled / sizes[:, None, None]), sizes, pooled


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_liml__effects_of_cells__is_linearmodels_on_the_users(seed):
    cell, values = users(seed)
    programme, sizes, _ = from_users(cell, values)
    dummies = pd.get_dummies(pd.Series(cell.astype(int)), drop_first=True, dtype=float)
    table = pd.DataFrame({"x": values[:, 0], "y": values[:, 1], "one": 1.0})
    theirs = IVLIML(table["y"], table[["one"]], table[["x"]], dummies).fit()
    two_stage = IV2SLS(table["y"], table[["one"]], table[["x"]], dummies).fit()
    ours = liml(programme, sizes)
    assert isinstance(ours, Liml)
    assert ours.slopes[0] == pytest.approx(theirs.params["x"], abs=1e-10)
    cells, n = len(sizes), len(cell)
    assert 1 + ours.kappa * (cells - 1) / (n - cells) == pytest.approx(theirs.kappa, abs=1e-10)
    assert slope(naive(programme, sizes)).value == pytest.approx(two_stage.params["x"], abs=1e-10)


def test_total_covariance__even_sizes__is_covariance_less_noise():
    programme = drawn(4)
    seen = np.cov(programme.effects.T)
    noise = programme.covariances.mean(axis=0)
    found = slope(total_covariance(programme))
    assert found.value == pytest.approx((seen - noise)[0, 1] / (seen - noise)[0, 0])
    assert spread(programme).covariance == pytest.approx(seen - noise)


@pytest.mark.parametrize("truth", [0.0, 0.5, -0.3])
def test_corrected_slopes__many_runs__centre_on_the_truth_where_the_naive_one_does_not(truth):
    runs = [drawn(seed, slope=truth, signal=1.0) for seed in range(80)]
    weighted = [slope(weighted_total_covariance(one)).value for one in runs]
    fooled = [slope(naive(one)).value for one in runs]
    assert abs(np.median(weighted) - truth) < 0.06
    if truth != 0.5:  # at .5 the users' slope happens to be the truth
        assert np.median(fooled) > truth + 0.2


def test_user_level__shared_noise__is_its_slope():
    assert slope(user_level(drawn(5, correlation=0.4))).value == pytest.approx(0.4)


def test_anderson_rubin__no_signal__has_no_ends():
    shapes = {anderson_rubin(drawn(seed, count=20, signal=0.02)).bounded for seed in range(20)}
    assert False in shapes


def test_total_covariance__spread_below_noise__says_there_is_nothing_to_see():
    quiet = Programme(
        effects=np.random.default_rng(1).normal(size=(10, 2)) * 1e-3, covariances=np.tile(np.eye(2), (10, 1, 1))
    )
    assert isinstance(total_covariance(quiet), NotComputable)
    assert isinstance(weighted_total_covariance(quiet), NotComputable)


@PURE
@given(st.integers(0, 400), st.floats(0.01, 50), st.floats(0.01, 50))
def test_slopes__other_units__are_the_same_slope_in_them(seed, unit_x, unit_y):
    one = drawn(seed, count=40)
    unit = np.array([unit_x, unit_y])
    other = Programme(effects=one.effects * unit, covariances=one.covariances * np.outer(unit, unit))
    for method in (naive, weighted_total_covariance, total_covariance):
        before, after = method(one), method(other)
        if isinstance(before, NotComputable):
            assert isinstance(after, NotComputable)
            continue
        assert slope(after).value == pytest.approx(slope(before).value * unit_y / unit_x, rel=1e-6)


@PURE
@given(st.integers(0, 400))
def test_slopes__arms_swapped__stay(seed):
    one = drawn(seed, count=40)
    other = Programme(effects=-one.effects, covariances=one.covariances)
    assert slope(naive(other)).value == pytest.approx(slope(naive(one)).value)
    assert anderson_rubin(other).low == pytest.approx(anderson_rubin(one).low)


@PURE
@given(st.integers(0, 10_000), st.floats(-3, 3))
def test_fieller_region__holds_a_slope__exactly_when_its_test_does_not_reject(seed, truth):
    random = np.random.default_rng(seed)
    b = random.normal(0.3, 1, 12)
    a = truth * b + random.normal(size=12)
    region = fieller_region(a, b, 2.2)
    for candidate in (-10.0, -1.0, 0.0, 0.7, truth, 5.0):
        left = a - candidate * b
        t = left.mean() / (left.std(ddof=1) / math.sqrt(12))
        if abs(abs(t) - 2.2) > 1e-6:
            assert region.holds(candidate) == (abs(t) < 2.2)


def test_fieller_region__denominator_near_zero__is_outside_or_everything():
    b = np.array([1.0, -1.0, 0.5, -0.4])
    assert fieller_region(np.array([5.0, 5.1, 5.2, 4.9]), b, 2.0).shape is Shape.OUTSIDE
    assert fieller_region(np.array([1.0, -1.0, 1.0, -1.0]), b, 2.0).shape is Shape.EVERYTHING


def test_anderson_rubin__experiments_that_share_a_treatment__count_once():
    one = drawn(8, count=60)
    doubled = Programme(effects=np.repeat(one.effects, 2, axis=0), covariances=np.repeat(one.covariances, 2, axis=0))
    groups = np.repeat(np.arange(60), 2)
    alone, twice, grouped = anderson_rubin(one), anderson_rubin(doubled), anderson_rubin(doubled, groups=groups)
    assert twice.high - twice.low < 0.8 * (alone.high - alone.low)
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.05)


# --- buckets ----------------------------------------------------------------------------------------------------------


def in_buckets(seed: int, folds: int = 10, truth: float = -0.3) -> np.ndarray:
    random = np.random.default_rng(seed)
    x = random.normal(size=200)
    y = truth * x + 0.2 * random.normal(size=200)
    noise = random.normal(size=(200, folds, 2)) @ np.linalg.cholesky([[1.0, 0.7], [0.7, 1.0]]).T * math.sqrt(folds)
    return np.stack([x, y], axis=-1)[:, None, :] + noise


def test_cross_fold__by_hand__is_the_sum_over_pairs_of_buckets():
    d = np.random.default_rng(2).normal(size=(6, 3, 2)) + np.arange(6)[:, None, None]
    off = d - d.mean(axis=0)
    pairs = [(f, g) for f in range(3) for g in range(3) if f != g]
    above = sum(off[k, f, 0] * off[k, g, 1] for k in range(6) for f, g in pairs)
    below = sum(off[k, f, 0] * off[k, g, 0] for k in range(6) for f, g in pairs)
    assert slope(cross_fold(d)).value == pytest.approx(above / below)


def test_cross_fold__shared_noise__finds_the_truth_that_the_naive_slope_misses():
    found = [slope(cross_fold(in_buckets(seed))).value for seed in range(60)]
    whole = [in_buckets(seed).mean(axis=1) for seed in range(60)]
    fooled = [np.polyfit(one[:, 0], one[:, 1], 1)[0] for one in whole]
    assert np.median(found) == pytest.approx(-0.3, abs=0.06)
    assert np.median(fooled) > 0.1


def test_cross_fold__one_bucket__is_not_computable():
    assert isinstance(cross_fold(np.zeros((10, 1, 2))), NotComputable)


# --- what goes in -----------------------------------------------------------------------------------------------------


def test_programme__effects_that_are_missing__are_left_out_and_too_few_said():
    effects, covariances = several(1).effects.copy(), several(1).covariances
    effects[:50, 1] = np.nan
    kept = Programme.of(effects, covariances)
    assert isinstance(kept, Programme)
    assert kept.count == 150
    assert isinstance(Programme.of(effects[46:54], covariances[46:54]), NotComputable)
    with pytest.raises(ValueError, match="finite"):
        Programme(effects=effects, covariances=covariances)


def test_typical_noise__sizes__is_that_of_the_mean_size():
    sizes = np.array([100.0, 400.0, 1000.0])
    assert typical_noise(3.0 / sizes) == pytest.approx(3.0 / sizes.mean())
