"""Structural likelihood: a fixed point of EM, equal to scipy's, with intervals that are open when they must be."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from analysis.stats.programme.effects import Programme
from analysis.stats.programme.identification import Identification, identification
from analysis.stats.programme.slopes import Slope
from analysis.stats.programme.structural import Structure, deviance, em_step, structural_slope, structure
from analysis.stats.shrinkage import Prior, learn_prior
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.programme.samples import drawn, several


def fit(programme: Programme) -> Structure:
    found = structure(programme)
    assert isinstance(found, Structure), found
    return found


def interval(programme: Programme, **asked) -> tuple[float, float]:
    found = structural_slope(programme, **asked)
    assert isinstance(found, Slope)
    assert found.region is not None
    return found.region.low, found.region.high


@pytest.mark.parametrize("programme", [drawn(1), drawn(2, signal=0.7), several(3)], ids=["strong", "weak", "several"])
def test_structure__its_maximum__stays_under_a_step_of_em(programme):
    found = fit(programme)
    mean, spread = em_step(programme, found.mean, found.spread)
    assert mean == pytest.approx(found.mean, abs=1e-4)
    assert spread == pytest.approx(found.spread, abs=1e-4)


def test_structure__likelihood__is_scipys():
    programme = drawn(3, count=20)
    found = fit(programme)
    each = [
        stats.multivariate_normal(found.mean, found.spread + noise).logpdf(effect)
        for effect, noise in zip(programme.effects, programme.covariances, strict=True)
    ]
    assert found.log_likelihood == pytest.approx(sum(each))


@pytest.mark.parametrize("width", [2, 3])
def test_structure__of_metrics_that_make_up_each_other__is_what_the_others_say(width: int):
    random = np.random.default_rng(8)
    mix = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) if width == 3 else np.array([[1.0], [2.0]])
    size = np.exp(random.normal(size=80))
    seen = random.normal(size=(80, width - 1)) * np.sqrt(1 + 1 / size)[:, None]
    noise = np.einsum("pi,qi,k->kpq", mix, mix, 1 / size)
    found = fit(Programme(effects=seen @ mix.T, covariances=noise))
    assert found.slopes == pytest.approx(np.ones(2) if width == 3 else [2.0], abs=0.01)
    assert found.residual < 0.05
    assert np.isfinite(found.log_likelihood)


def test_structure__metrics_without_anything_shared__are_two_separate_priors():
    random = np.random.default_rng(6)
    noise = np.zeros((400, 2, 2))
    noise[:, 0, 0], noise[:, 1, 1] = random.uniform(0.1, 1, 400), random.uniform(0.1, 1, 400)
    effects = random.normal(size=(400, 2)) + random.normal(size=(400, 2)) * np.sqrt(noise[:, [0, 1], [0, 1]])
    found = fit(Programme(effects=effects, covariances=noise))
    for metric in (0, 1):
        alone = learn_prior(effects[:, metric].tolist(), np.sqrt(noise[:, metric, metric]).tolist())
        assert isinstance(alone, Prior)
        assert found.spread[metric, metric] == pytest.approx(alone.variance, rel=0.02)
        assert found.mean[metric] == pytest.approx(alone.mean, abs=0.02)


def test_structural_slope__several_proxies__finds_each_ones_own():
    found = [fit(several(seed)).slopes for seed in range(10)]
    assert np.median(found, axis=0) == pytest.approx([0.6, 0.2], abs=0.05)
    low, high = interval(several(3), proxy=1)
    assert low < 0.2 < high


@pytest.mark.parametrize("seed", [1, 5, 9])
def test_structural_slope__interval__ends_where_the_deviance_is_at_its_limit(seed):
    programme = drawn(seed)
    limit = stats.chi2.isf(0.05, 1)
    for end in interval(programme):
        assert deviance(programme, end) == pytest.approx(limit, abs=0.01)
    assert deviance(programme, float(fit(programme).slopes[0])) == pytest.approx(0.0, abs=1e-5)


def test_deviance__against_a_search_without_gradient__is_the_same():
    programme = drawn(11, count=60)

    def cost(point):
        sx, t, mx, my = point
        lam = np.array([[sx**2, 0.2 * sx**2], [0.2 * sx**2, 0.04 * sx**2 + t**2]])
        v, off = programme.covariances + lam, programme.effects - [mx, my]
        return 0.5 * float(
            np.linalg.slogdet(v)[1].sum() + np.einsum("ki,ki->", off, np.linalg.solve(v, off[..., None])[..., 0])
        )

    least = optimize.minimize(
        cost, [1.0, 0.3, 0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000}
    )
    top = fit(programme).log_likelihood
    assert deviance(programme, 0.2) == pytest.approx(2 * (top + least.fun + 60 * math.log(2 * math.pi)), abs=1e-4)


def test_structural_slope__no_signal__is_open_on_a_side():
    open_sides = [not all(map(math.isfinite, interval(drawn(seed, count=20, signal=0.02)))) for seed in range(3)]
    assert any(open_sides)


def test_structure__other_units__are_the_same_fit_in_them():
    one = drawn(13)
    unit = np.array([100.0, 0.01])
    other = fit(Programme(effects=one.effects * unit, covariances=one.covariances * np.outer(unit, unit)))
    assert other.slopes[0] == pytest.approx(fit(one).slopes[0] * 1e-4, rel=1e-4)
    assert other.log_likelihood == pytest.approx(fit(one).log_likelihood, abs=1e-3)


def test_structure__effects_all_alike__is_not_computable():
    same = Programme(effects=np.ones((6, 2)), covariances=np.tile(np.eye(2), (6, 1, 1)))
    assert isinstance(structure(same), NotComputable)


# --- is there enough? -------------------------------------------------------------------------------------------------


def identified(programme: Programme) -> Identification:
    found = identification(programme)
    assert isinstance(found, Identification)
    return found


def test_identification__strong_programme__is_identified_and_nothing_is_missing():
    found = identified(drawn(1, count=150, signal=2.0))
    assert found.identified
    assert found.missing == 0
    assert found.strength == pytest.approx(300, rel=0.35)


def test_identification__thirty_weak_experiments__says_about_how_many_are_missing():
    found = [identified(drawn(seed, count=30, signal=0.5)) for seed in range(30)]
    assert sum(one.identified for one in found) <= 1
    missing = [one.missing for one in found if one.missing is not None]
    assert np.median(missing) == pytest.approx(120, abs=50)


def test_identification__no_signal_seen__does_not_invent_a_number():
    quiet = Programme(
        effects=np.random.default_rng(1).normal(size=(10, 2)) * 0.1, covariances=np.tile(np.eye(2), (10, 1, 1))
    )
    found = identified(quiet)
    assert not found.identified
    assert found.missing is None
