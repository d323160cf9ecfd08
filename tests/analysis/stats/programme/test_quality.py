"""Mixtures of proxies, decision rules and the step from offline to online."""

import math

import numpy as np
import pytest

from analysis.stats.programme.calibration import OfflineOnline, offline_online, predict
from analysis.stats.programme.decision_rules import Rule, RuleDifference, RuleValue, compare_rules, rule_value
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.quality import Composite, Prediction, composite, sharpen, sign_agreement, tradeoffs
from analysis.stats.programme.structural import Structure
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import tolerance
from tests.analysis.stats.programme.samples import drawn

SPREAD = np.array([[1.0, 0.3, 0.5], [0.3, 1.0, 0.7], [0.5, 0.7, 1.0]])


def known(spread: np.ndarray = SPREAD) -> Structure:
    width = len(spread)
    slopes = np.linalg.solve(spread[:-1, :-1], spread[:-1, -1])
    return Structure(
        mean=np.zeros(width),
        mean_covariance=np.zeros((width, width)),
        spread=spread,
        slopes=slopes,
        intercept=0.0,
        residual=0.1,
        log_likelihood=0.0,
    )


def mixture(noise, **asked) -> Composite:
    found = composite(known(), noise, **asked)
    assert isinstance(found, Composite)
    return found


def test_composite__simulated_experiments__has_the_correlation_it_promises():
    random = np.random.default_rng(1)
    noise = np.array([[0.2, 0.1], [0.1, 2.0]])
    true = random.normal(size=(200_000, 3)) @ np.linalg.cholesky(SPREAD).T
    seen = true[:, :2] + random.normal(size=(200_000, 2)) @ np.linalg.cholesky(noise).T
    found = mixture(noise)
    assert np.corrcoef(seen @ found.weights, true[:, 2])[0, 1] == pytest.approx(found.quality, abs=0.006)
    assert np.corrcoef(true[:, :2] @ found.weights, true[:, 2])[0, 1] == pytest.approx(found.accuracy, abs=0.006)
    assert np.mean(true[:, :2] @ found.weights * true[:, 2] > 0) == pytest.approx(found.sign_agreement, abs=0.005)


def test_composite__against_any_single_proxy_or_other_mixture__is_no_worse():
    noise = np.diag([0.1, 3.0])
    best = mixture(noise).quality
    for weights in ([1, 0], [0, 1], [1, 1], [0.3, 2], [1, -0.5]):
        assert mixture(noise, weights=weights).quality <= best + 1e-12


def test_composite__noisier_next_experiment__leans_on_what_is_measured_well():
    noise = np.diag([0.1, 3.0])
    small, large = mixture(10 * noise), mixture(0.001 * noise)
    assert small.weights[0] / small.weights[1] > large.weights[0] / large.weights[1]
    assert small.quality < large.quality


def test_composite__business_metric_that_never_moves__is_not_computable():
    assert isinstance(composite(known(np.diag([1.0, 1.0, 0.0])), np.eye(2)), NotComputable)


def test_sign_agreement__none_and_full__are_a_coin_and_certain():
    assert sign_agreement(0.0) == 0.5
    assert sign_agreement(1.0) == 1.0
    assert sign_agreement(0.5) == pytest.approx(2 / 3)


def test_tradeoffs__more_stress__buys_sensitivity_with_accuracy():
    random = np.random.default_rng(2)
    noise = np.diag([0.1, 3.0, 1.0])  # the proxy that is right is measured badly
    effects = random.normal(size=(400, 3)) @ np.linalg.cholesky(SPREAD).T + random.normal(size=(400, 3)) * np.sqrt(
        np.diag(noise)
    )
    found = tradeoffs(Programme(effects=effects, covariances=np.tile(noise, (400, 1, 1))), known())
    accuracy = [one.accuracy for one in found]
    assert accuracy == sorted(accuracy, reverse=True)
    assert found[-1].sensitivity > 1.2 * found[0].sensitivity


def test_sharpen__simulated_experiments__covers_and_is_narrower_than_the_estimate():
    random = np.random.default_rng(3)
    noise = np.array([[0.2, 0.0, 0.1], [0.0, 0.3, 0.0], [0.1, 0.0, 2.0]])
    true = random.normal(size=(2000, 3)) @ np.linalg.cholesky(SPREAD).T
    seen = true + random.normal(size=(2000, 3)) @ np.linalg.cholesky(noise).T
    found = [sharpen(known(), one, noise) for one in seen]
    covered = [
        p.interval[0] <= t <= p.interval[1] for p, t in zip(found, true[:, 2], strict=True) if isinstance(p, Prediction)
    ]
    assert len(covered) == 2000
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)
    assert isinstance(found[0], Prediction)
    assert found[0].standard_error < math.sqrt(2.0) / 2


# --- decision rules ---------------------------------------------------------------------------------------------------


def bucketed(seed: int, count: int = 4000, folds: int = 10, noise: float = 1.0):
    random = np.random.default_rng(seed)
    x = random.normal(size=count)
    y = 0.8 * x + 0.2 * random.normal(size=count)
    true = np.stack([x, y], axis=-1)
    root = np.linalg.cholesky(noise * np.array([[0.1, 0.1], [0.1, 2.0]]))
    return true, true[:, None] + random.normal(size=(count, folds, 2)) @ root.T * math.sqrt(folds), root @ root.T


def valued(effects, covariance, rule) -> RuleValue:
    found = rule_value(effects, np.tile(covariance, (len(effects), 1, 1)), rule)
    assert isinstance(found, RuleValue)
    return found


CLICKS = Rule(name="clicks", weights=np.array([1.0, 0.0]), threshold=0.0)
MONEY = Rule(name="money", weights=np.array([0.0, 1.0]), threshold=0.0)


def test_rule_value__simulated_truth__is_what_the_rule_brings():
    true, effects, covariance = bucketed(1)
    found = valued(effects, covariance, CLICKS)
    shipped = effects.mean(axis=1)[:, 0] > 0
    assert found.gain == pytest.approx(np.mean(shipped * true[:, 1]), abs=3 * found.standard_error)
    assert found.shipped == pytest.approx(0.5, abs=0.05)


def test_rule_value__business_metric_without_any_effect__is_not_fooled_by_its_noise():
    random = np.random.default_rng(4)
    nothing = random.normal(size=(3000, 10, 2)) * math.sqrt(10)
    found = valued(nothing, np.eye(2), MONEY)
    assert abs(found.gain) < 3 * found.standard_error
    whole = nothing.mean(axis=1)[:, 1]
    assert np.mean((whole > 0) * whole) > 0.3  # what choosing and counting on the same users claims


def test_compare_rules__good_proxy_against_noisy_money__is_better():
    _, effects, covariance = bucketed(2, noise=3.0)
    found = compare_rules(valued(effects, covariance, CLICKS), valued(effects, covariance, MONEY))
    assert isinstance(found, RuleDifference)
    assert found.interval[0] > 0
    assert isinstance(
        compare_rules(valued(effects, covariance, CLICKS), valued(effects, covariance, CLICKS)), NotComputable
    )


def test_rule_value__weights_of_another_width__are_refused():
    with pytest.raises(ValueError, match="weighs 2"):
        rule_value(np.zeros((6, 3, 2)), np.tile(np.eye(2), (6, 1, 1)), Rule(name="", weights=np.ones(3), threshold=0))


# --- offline to online ------------------------------------------------------------------------------------------------


def models(seed: int, count: int = 60, slope: float = 0.8, noise: float = 0.2):
    random = np.random.default_rng(seed)
    gain = 0.5 + random.normal(size=count)
    online = 0.1 + slope * gain + 0.3 * random.normal(size=count)
    variances = noise * np.exp(0.5 * random.normal(size=(2, count)))
    seen = np.stack([gain, online]) + np.sqrt(variances) * random.normal(size=(2, count))
    return seen[0], variances[0], seen[1], variances[1]


def fitted(seed: int, **asked) -> OfflineOnline:
    found = offline_online(*models(seed, **asked))
    assert isinstance(found, OfflineOnline)
    return found


@pytest.mark.parametrize("runs", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_predict__next_model__is_covered_as_often_as_promised(runs):
    """The few runs of every day notice an interval that leaves out the spread; 400 hold coverage to 3 points."""
    random, covered, by_the_line = np.random.default_rng(9), 0, 0
    for seed in range(runs):
        gain = 0.5 + random.normal()
        truth = 0.1 + 0.8 * gain + 0.3 * random.normal()
        past = fitted(seed, count=40)
        found = predict(past, gain + math.sqrt(0.2) * random.normal(), 0.2)
        assert isinstance(found, Prediction)
        covered += found.interval[0] <= truth <= found.interval[1]
        by_the_line += abs(found.value - truth) <= 1.96 * math.sqrt(past.fitted.mean_covariance[1, 1])
    assert covered / runs == pytest.approx(0.95, abs=tolerance(0.05, runs))
    assert by_the_line / runs < 0.6  # the negative control: the error of the mean alone


def test_offline_online__gains_known_exactly__is_a_meta_regression():
    gains, _, effects, variances = models(3)
    found = offline_online(gains, np.zeros(60), effects, variances)
    assert isinstance(found, OfflineOnline)
    weights = 1 / (found.fitted.residual**2 + variances)
    line = np.polyfit(gains, effects, 1, w=np.sqrt(weights))
    assert found.slope.value == pytest.approx(line[0], rel=1e-3)
    assert found.fitted.intercept == pytest.approx(line[1], abs=1e-3)
    assert found.identified.identified


def test_offline_online__gain_within_noise__is_not_identified_and_does_not_predict():
    found = fitted(5, count=12, noise=60.0)
    assert not found.identified.identified
    assert isinstance(predict(found, 1.0), NotComputable)


def test_predict__gain_with_noise_of_its_own__is_drawn_towards_past_models():
    one = fitted(7)
    sure, unsure = predict(one, 3.0), predict(one, 3.0, 5.0)
    assert isinstance(sure, Prediction)
    assert isinstance(unsure, Prediction)
    assert abs(unsure.value - one.fitted.mean[1]) < abs(sure.value - one.fitted.mean[1])
    assert isinstance(offline_online([1.0], [0.1], [1.0], [0.1]), NotComputable)


def test_rank_correlation__strong_and_no_relation__are_told_apart():
    assert fitted(1).rank_correlation > 0.6
    assert abs(fitted(1, slope=0.0).rank_correlation) < 0.6


def test_programme__one_metric__is_refused():
    with pytest.raises(ValueError, match="p >= 2"):
        Programme(effects=np.zeros((6, 1)), covariances=np.zeros((6, 1, 1)))
    assert drawn(1).proxies == 1
