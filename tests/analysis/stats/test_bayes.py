"""The Bayesian reading: published numbers, exact integration, and beliefs that come true as often as they say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.meta_analysis import combine_effects

from analysis.stats.bayes import LearnedPrior, learn_prior, posterior, share_better
from analysis.stats.random_effects import RandomEffects, random_effects
from analysis.stats.shrinkage import Prior
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE

SLOW = pytest.mark.slow

# Thirteen trials of the BCG vaccine (Colditz et al. 1994; metafor's dat.bcg): cases and others, vaccinated and not;
# latitude.
BCG = np.array(
    [
        [4, 119, 11, 128, 44],
        [6, 300, 29, 274, 55],
        [3, 228, 11, 209, 42],
        [62, 13536, 248, 12619, 52],
        [33, 5036, 47, 5761, 13],
        [180, 1361, 372, 1079, 44],
        [8, 2537, 10, 619, 19],
        [505, 87886, 499, 87892, 13],
        [29, 7470, 45, 7232, 27],
        [17, 1699, 65, 1600, 42],
        [186, 50448, 141, 27197, 18],
        [5, 2493, 3, 2338, 33],
        [27, 16886, 29, 17825, 33],
    ],
    dtype=float,
)


def bcg() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a, b, c, d, latitude = BCG.T
    return np.log(a / (a + b) / (c / (c + d))), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d), latitude


def fitted(found: RandomEffects | NotComputable) -> RandomEffects:
    assert isinstance(found, RandomEffects), found
    return found


# --- golden numbers ---------------------------------------------------------------------------------------------------


def test_random_effects__bcg_vaccine__agrees_with_metafor():
    effects, variances, latitude = bcg()
    found = fitted(random_effects(effects, variances))
    # metafor documentation, rma(yi, vi, data=dat.bcg): REML
    assert found.coefficients[0] == pytest.approx(-0.7145, abs=1e-4)
    assert found.standard_errors[0] == pytest.approx(0.1798, abs=1e-4)
    assert (found.tau2, found.q) == (pytest.approx(0.3132, abs=1e-4), pytest.approx(152.2330, abs=1e-4))
    # rma(yi, vi, mods = ~ ablat, data=dat.bcg)
    moderated = fitted(random_effects(effects, variances, latitude))
    assert moderated.coefficients == pytest.approx([0.2515, -0.0291], abs=1e-4)
    assert moderated.standard_errors == pytest.approx([0.2491, 0.0072], abs=1e-4)
    assert moderated.tau2 == pytest.approx(0.0764, abs=1e-4)


def test_random_effects__shared_reference__agrees():
    expected = cases.reference("bcg")["expected"]
    effects, variances, latitude = bcg()
    found = fitted(random_effects(effects, variances))
    numbers = (found.coefficients[0], found.standard_errors[0], found.tau2, found.q)
    assert numbers == pytest.approx(tuple(expected[name] for name in ("mu", "se", "tau2", "Q")), abs=1e-4)
    moderated = fitted(random_effects(effects, variances, latitude))
    assert moderated.coefficients == pytest.approx(expected["mods_ablat"]["b"], abs=1e-4)
    assert moderated.standard_errors == pytest.approx(expected["mods_ablat"]["se"], abs=1e-4)
    assert moderated.tau2 == pytest.approx(expected["mods_ablat"]["tau2"], abs=1e-4)


def test_loss__gbstats_risk__agrees():
    found = posterior(0.1, 0.05, None)
    # gbstats get_risk: E[max(D, 0)] for D ~ N(.1, .05²)
    assert found.loss_if_kept == pytest.approx(0.1004245351308, abs=1e-12)
    assert found.loss_if_shipped == pytest.approx(0.0004245351308414, abs=1e-12)


def test_loss__shared_reference__agrees():
    expected = cases.reference("exp_loss")["expected"]
    found = posterior(0.1, 0.05, None)
    assert found.loss_if_kept == pytest.approx(expected["risk_ctrl"], abs=1e-12)
    assert found.loss_if_shipped == pytest.approx(expected["risk_trt"], abs=1e-12)


# --- agreement with independent ways ----------------------------------------------------------------------------------


def test_random_effects__statsmodels_paule_mandel__agrees_nearly_on_the_mean():
    effects, variances, _ = bcg()
    found, other = fitted(random_effects(effects, variances)), combine_effects(effects, variances, method_re="iterated")
    assert found.coefficients[0] == pytest.approx(other.mean_effect_re, abs=0.01)
    assert found.q == pytest.approx(other.q, rel=1e-9)


@pytest.mark.parametrize("value", [-0.3, 0.0, 0.02, 1.5])
@pytest.mark.parametrize("se", [0.05, 0.4])
@pytest.mark.parametrize("prior", [Prior(mean=0.0, variance=0.01), Prior(mean=-0.1, variance=0.5)])
def test_posterior__grid__agrees_with_numerical_integration(value, se, prior):
    found = posterior(value, se, prior)
    x = np.linspace(found.mean - 12 * found.sd, found.mean + 12 * found.sd, 40_001)
    density = stats.norm.pdf(value, x, se) * stats.norm.pdf(x, prior.mean, math.sqrt(prior.variance))
    density = density / integrate.simpson(density, x=x)
    assert found.mean == pytest.approx(integrate.simpson(x * density, x=x), abs=1e-9)
    assert found.better == pytest.approx(integrate.simpson(density * (x > 0), x=x), abs=2e-4)
    assert found.loss_if_shipped == pytest.approx(integrate.simpson(np.maximum(-x, 0) * density, x=x), abs=1e-6)
    assert found.loss_if_kept == pytest.approx(integrate.simpson(np.maximum(x, 0) * density, x=x), abs=1e-6)


@pytest.mark.parametrize(
    "counts", [((3, 20), (7, 18)), ((120, 1000), (150, 1010)), ((0, 5), (1, 5)), ((9, 9), (2, 40))]
)
def test_share_better__grid__agrees_with_numerical_integration(counts):
    (x0, n0), (x1, n1) = counts
    x = np.linspace(0, 1, 200_001)
    below = stats.beta.cdf(x, 1 + x0, 1 + n0 - x0)
    expected = integrate.simpson(below * stats.beta.pdf(x, 1 + x1, 1 + n1 - x1), x=x)
    assert share_better(*counts) == pytest.approx(expected, abs=1e-6)


def test_share_better__many_units__agrees_with_the_normal_reading_of_a_flat_prior():
    p0, p1, n = 0.1, 0.104, 50_000
    se = math.sqrt(p0 * (1 - p0) / n + p1 * (1 - p1) / n)
    exact = share_better((round(n * p0), n), (round(n * p1), n))
    assert posterior(p1 - p0, se, None).better == pytest.approx(exact, abs=2e-4)


# --- properties -------------------------------------------------------------------------------------------------------

numbers = st.floats(-10, 10)
positives = st.floats(0.01, 10)
priors = st.one_of(st.none(), st.builds(lambda m, v: Prior(mean=m, variance=v), numbers, positives))


@PURE
@given(numbers, positives, priors)
def test_posterior__losses__differ_by_the_mean_and_are_never_negative(value, se, prior):
    found = posterior(value, se, prior)
    assert found.loss_if_kept - found.loss_if_shipped == pytest.approx(found.mean, abs=1e-9)
    assert min(found.loss_if_kept, found.loss_if_shipped) >= 0


@PURE
@given(numbers, positives, priors)
def test_posterior__other_direction__swaps_everything(value, se, prior):
    one, other = (posterior(value, se, prior, higher_is_better=way) for way in (True, False))
    assert one.better == pytest.approx(1 - other.better, abs=1e-12)
    assert (one.loss_if_kept, one.loss_if_shipped) == (other.loss_if_shipped, other.loss_if_kept)


@PURE
@given(numbers, positives, positives)
def test_posterior__prior_at_zero__draws_in_and_never_turns_the_sign(value, se, variance):
    found = posterior(value, se, Prior(mean=0.0, variance=variance))
    assert abs(found.mean) <= abs(value)
    assert found.mean * value >= 0
    assert found.sd < se


@PURE
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_share_better__variants_swapped__is_the_rest(a, b, c, d):
    control, treatment = (a, a + b), (c, c + d)
    assert share_better(control, treatment) == pytest.approx(1 - share_better(treatment, control), abs=1e-9)


@PURE
@given(numbers, positives)
def test_posterior__flat_prior__is_the_one_sided_p_value_and_says_so(value, se):
    found = posterior(value, se, None)
    assert found.better == pytest.approx(1 - float(stats.norm.sf(value / se)), abs=1e-12)
    assert any("one-sided p-value" in note for note in found.notes)


# --- learning ---------------------------------------------------------------------------------------------------------


def test_learn_prior__normal_effects__finds_their_spread_and_not_the_noise():
    random = np.random.default_rng(1)
    errors = random.uniform(0.5, 2, 2000)
    found = learn_prior(list(random.normal(0.2, 0.7, 2000) + random.normal(0, errors)), list(errors))
    assert isinstance(found, LearnedPrior)
    assert math.sqrt(found.prior.variance) == pytest.approx(0.7, abs=0.08)
    assert found.prior.mean == pytest.approx(0.2, abs=0.1)
    assert not found.heavy_tailed


def test_learn_prior__a_few_huge_effects__are_said():
    random = np.random.default_rng(2)
    effects = random.standard_t(3, 300) * 0.5 + random.normal(0, 0.1, 300)
    found = learn_prior(list(effects), [0.1] * 300)
    assert isinstance(found, LearnedPrior)
    assert found.heavy_tailed
    assert "drawn in too far" in found.notes[1]


def test_learn_prior__nothing_but_noise__has_no_spread_and_believes_the_mean():
    random = np.random.default_rng(3)
    effects = np.concatenate([random.normal(0, 0.2, 30), -random.normal(0, 0.2, 30)])
    found = learn_prior(list(effects), [1.0] * 60)
    assert isinstance(found, LearnedPrior)
    assert found.prior.variance == 0.0
    assert posterior(3.0, 1.0, found.prior).sd == 0.0


def test_learn_prior__few_experiments__is_not_computable():
    found = learn_prior([0.1] * 4, [0.1] * 4)
    assert isinstance(found, NotComputable)
    assert "too few to learn from" in found.reason


def test_random_effects__too_few_for_the_coefficients__is_not_computable():
    assert isinstance(random_effects([1.0, 2.0], [1.0, 1.0]), NotComputable)


def test_posterior_and_shares__impossible_input__is_refused():
    with pytest.raises(ValueError, match="above 0"):
        posterior(1.0, 0.0, None)
    with pytest.raises(ValueError, match="whole priors"):
        share_better((1, 2), (3, 4), prior=(0.5, 0.5))
    with pytest.raises(ValueError, match="above 0"):
        random_effects([1.0, 2.0, 3.0], [1.0, 0.0, 1.0])


# --- calibration ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [20_000, pytest.param(200_000, marks=SLOW)])
def test_posterior__effects_drawn_from_the_prior__are_better_as_often_as_believed(runs):
    random, prior, se = np.random.default_rng(20260340), Prior(mean=0.0, variance=0.5), 1.0
    true = random.normal(0, math.sqrt(prior.variance), runs)
    seen = true + random.normal(0, se, runs)
    weight = prior.variance / (prior.variance + se**2)
    for value in np.quantile(seen, [0.05, 0.5, 0.95]):  # the belief vectorised below is the one of the product
        believed = stats.norm.cdf(weight * value / (math.sqrt(weight) * se))
        assert posterior(float(value), se, prior).better == pytest.approx(float(believed), rel=1e-12)
    for flat in (False, True):
        believed = stats.norm.cdf(seen / se if flat else weight * seen / (math.sqrt(weight) * se))
        worst = 0.0
        for low in np.arange(0.0, 1.0, 0.1):
            inside = (believed >= low) & (believed < low + 0.1)
            off = abs(float(believed[inside].mean()) - float((true[inside] > 0).mean()))
            worst = max(worst, off - cases.tolerance(0.25, int(inside.sum())) * (runs < 100_000))
        if flat:
            assert worst > 0.04  # the negative control: a flat prior believes too much
        else:
            assert worst < 0.01
