"""Post-stratification: published vectors, the regression it equals, and strata that are too thin."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.compare import ComparisonNumbers, Difference, compare
from analysis.stats.estimates import Estimate, Form
from analysis.stats.lift import LiftEstimate, delta_lift
from analysis.stats.moments import Moments, mean_moments, merge_all, pair_moments, proportion_moments
from analysis.stats.poststratification import compare_stratified
from tests.analysis.stats.cases import PURE, tolerance

SLOW = pytest.mark.slow


def of(numbers: ComparisonNumbers) -> Difference:
    assert isinstance(numbers.difference, Difference), numbers.notes
    return numbers.difference


# GrowthBook gbstats (MIT), test_post_strat.py: five browsers; n, sum and squares of a count, then of its denominator
# and their product, control and treatment.
BROWSERS = [
    (
        (21, 330.0696210595999, 5377.811252605509, 890.9766550739607, 38220.95223835553, 14263.937571840695),
        (42, 708.1220000911836, 12249.255519049513, 1745.9858250014954, 73194.53424221886, 29826.620793423102),
    ),
    (
        (65, 1391.96628040659, 30546.63404187155, 2769.8126179473184, 118719.96077578884, 59924.702385890436),
        (75, 1807.4703052657744, 45000.287664918586, 3184.8395612061063, 136710.92474497214, 78119.14871556411),
    ),
    (
        (102, 2916.824124651419, 86396.06886690554, 4445.780384331884, 195387.7733842407, 129041.55268673625),
        (101, 3104.5399914554023, 98365.40553530994, 4235.277718489282, 179690.4720421368, 132444.36911739354),
    ),
    (
        (151, 5172.587929941052, 182453.04528037464, 6510.170220892494, 283094.7243365024, 226127.20135744457),
        (121, 4613.696610070716, 180520.64781229294, 5079.943060454901, 215529.32009367683, 196562.8269130501),
    ),
    (
        (160, 6539.348445231273, 274981.98909352464, 6906.305872710853, 300900.3106781779, 286483.9732935189),
        (162, 7431.953259880505, 349244.6690736718, 6899.004661928157, 296839.44355002965, 321057.8410309036),
    ),
]


def browsers(*, ratio: bool) -> tuple[dict[str, Moments], dict[str, Moments]]:
    arms: tuple[dict[str, Moments], dict[str, Moments]] = ({}, {})
    for i, pair in enumerate(BROWSERS):
        for arm, (n, y, yy, x, xx, xy) in zip(arms, pair, strict=True):
            arm[f"browser {i}"] = pair_moments(n, y, x, yy, xy, xx) if ratio else mean_moments(n, y, yy)
    return arms


# The same file states in full: the difference's and the lift's standard errors (delta method) of both.
@pytest.mark.parametrize(
    ("ratio", "value", "error", "lift", "lift_error"),
    [
        (False, 3.548094377986586, 0.37634374823059685, 0.10994584851937336, 0.012225394656480164),
        (True, 0.10008903417216031, 0.005071004003792392, 0.13371299783026003, 0.007131233706378072),
    ],
)
def test_stratified__growthbook_count_and_ratio__agree_to_all_digits(ratio, value, error, lift, lift_error):
    numbers = compare_stratified(Form.RATIO if ratio else Form.MEAN, *browsers(ratio=ratio)).numbers
    assert of(numbers).value == pytest.approx(value, rel=1e-11)
    assert of(numbers).standard_error == pytest.approx(error, rel=1e-11)
    assert isinstance(numbers.control, Estimate)
    assert isinstance(numbers.treatment, Estimate)
    relative = delta_lift(numbers.control, numbers.treatment, numbers.covariance)
    assert isinstance(relative, LiftEstimate)
    assert (relative.value, relative.standard_error) == pytest.approx((lift, lift_error), rel=1e-11)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stratified__grid__is_ols_with_stratum_dummies_and_their_products(seed):
    random = np.random.default_rng(seed)
    stratum, treated = random.integers(0, 4, 1200), random.random(1200) < 0.4
    y = 3.0 * stratum + treated * (0.5 + 0.4 * stratum) + random.normal(0, 1, 1200)
    arms = [{str(s): Moments.from_values(y[(stratum == s) & side]) for s in range(4)} for side in (~treated, treated)]
    found = compare_stratified(Form.MEAN, *arms)
    dummies = (stratum[:, None] == np.arange(1, 4)).astype(float)
    centred, t = dummies - dummies.mean(axis=0), treated.astype(float)
    fitted = sm.OLS(y, np.column_stack([np.ones(1200), t, centred, t[:, None] * centred])).fit(cov_type="HC2")
    assert of(found.numbers).value == pytest.approx(fitted.params[1], rel=1e-9)
    effects = np.array([y[(stratum == s) & treated].mean() - y[(stratum == s) & ~treated].mean() for s in range(4)])
    weights = np.bincount(stratum) / 1200
    shares = float(weights @ (effects - weights @ effects) ** 2) / 1200  # a population's shares are estimated
    assert of(found.numbers).standard_error == pytest.approx(math.sqrt(fitted.bse[1] ** 2 + shares), rel=1e-9)


def test_stratified__one_stratum__is_the_plain_comparison_with_a_note():
    one = {"all": mean_moments(100, 50, 90)}, {"all": mean_moments(100, 60, 95)}
    found = compare_stratified(Form.MEAN, *one)
    assert of(found.numbers) == of(compare(Form.MEAN, one[0]["all"], one[1]["all"]))
    assert any("fewer than two strata" in note for note in found.numbers.notes)


def test_stratified__thin_strata__are_merged_and_named():
    strata = {name: proportion_moments(n, n // 3) for name, n in (("big", 500), ("mid", 200), ("a", 12), ("b", 11))}
    found = compare_stratified(Form.PROPORTION, strata, strata)
    assert (found.strata, found.merged) == (3, ("a", "b"))
    thinner = {**strata, "a": proportion_moments(3, 1)}
    assert compare_stratified(Form.PROPORTION, thinner, strata).strata == 2  # together still thin: into "mid"


def test_stratified__stratum_seen_in_one_variant_only__loses_no_unit():
    control = {"a": mean_moments(60, 30, 40), "b": mean_moments(50, 40, 60)}
    treatment = {**control, "new": mean_moments(30, 60, 130)}
    found = compare_stratified(Form.MEAN, control, treatment)
    assert found.merged == ("new",)
    assert isinstance(found.numbers.treatment, type(compare(Form.MEAN, control["a"], control["b"]).treatment))
    assert found.numbers.treatment.n == 140


@PURE
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.2]))
def test_stratified__variants_swapped__turns_the_sign_and_interval_agrees_with_p(seed, alpha):
    random = np.random.default_rng(seed)
    arms = [
        {str(s): Moments.from_values(random.normal(s + 5, 1, int(random.integers(20, 60)))) for s in range(3)}
        for _ in range(2)
    ]
    one, other = (of(compare_stratified(Form.MEAN, *two, alpha).numbers) for two in (arms, arms[::-1]))
    assert one.value == pytest.approx(-other.value)
    assert one.standard_error == pytest.approx(other.standard_error)
    assert (one.interval[0] > 0 or one.interval[1] < 0) == (one.p_value < alpha)


@pytest.mark.parametrize("runs", [200, pytest.param(4000, marks=SLOW)])
def test_stratified__effects_that_differ_between_strata__covers(runs):
    random, truth = np.random.default_rng(20260350), 0.5
    covered, gain = 0, []
    for _ in range(runs):
        stratum, treated = random.integers(0, 3, 600), random.random(600) < 0.3
        y = 2.0 * stratum + treated * stratum * truth + random.normal(0, 1, 600)
        arms = [
            {str(s): Moments.from_values(y[(stratum == s) & side]) for s in range(3)} for side in (~treated, treated)
        ]
        found = compare_stratified(Form.MEAN, *arms)
        low, high = of(found.numbers).interval
        covered += low <= truth <= high
        plain = of(compare(Form.MEAN, *(merge_all(arm.values()) for arm in arms)))
        gain.append(of(found.numbers).standard_error / plain.standard_error)
    assert covered / runs == pytest.approx(0.95, abs=max(0.01, tolerance(0.05, runs)))
    assert np.mean(gain) < 0.65
