"""Effects of many segments and many experiments: how much they differ, and how much of the best is luck."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from analysis.stats.heterogeneity import Effect, Heterogeneity, explore, heterogeneity
from analysis.stats.shrinkage import Prior, learn_prior, shrink
from analysis.stats.unavailable import NotComputable
from analysis.stats.winners_curse import CumulativeImpact, cumulative_impact, selection_bias
from tests.analysis.stats.cases import PURE, tolerance

# --- heterogeneity ----------------------------------------------------------------------------------------------------

# Colditz et al. 1994, thirteen trials of BCG vaccine: log risk ratio and its variance, as in metafor's dat.bcg
BCG = (
    (-0.8893113, 0.325584765), (-1.5853887, 0.194581121), (-1.3480731, 0.415367965), (-1.4415512, 0.020010032),
    (-0.2175473, 0.051210172), (-0.7861156, 0.006905618), (-1.6208982, 0.223017248), (0.0119523, 0.003961579),
    (-0.4694176, 0.056434210), (-1.3713448, 0.073024794), (-0.3393588, 0.012412214), (0.4459134, 0.532505845),
    (-0.0173139, 0.071404660),
)  # fmt: skip


def effects(pairs) -> dict[str, Effect]:
    return {f"s{i}": Effect(value=value, standard_error=math.sqrt(v)) for i, (value, v) in enumerate(pairs)}


def test_heterogeneity__bcg_trials__is_the_published_q():
    found = heterogeneity(effects(BCG))
    assert isinstance(found, Heterogeneity)
    assert found.statistic == pytest.approx(152.233, abs=1e-3)  # metafor: Q(df = 12) = 152.2330
    assert found.df == 12
    assert found.share == pytest.approx(1 - 12 / 152.233, abs=1e-5)


@pytest.mark.parametrize("segments", [2, 5, 12])
@pytest.mark.parametrize("spread", [0.0, 0.5, 3.0])
def test_heterogeneity__over_a_grid__agrees_with_statsmodels(segments, spread):
    random = np.random.default_rng(segments)
    v = random.uniform(0.1, 2, segments)
    x = random.normal(0, np.sqrt(v + spread**2))
    with np.errstate(invalid="ignore"):  # it takes the root of a negative variance where there is no heterogeneity
        other = combine_effects(x, v, method_re="dl")
    found = heterogeneity(effects(zip(x, v, strict=True)))
    assert isinstance(found, Heterogeneity)
    assert found.statistic == pytest.approx(other.q)
    assert found.pooled.value == pytest.approx(other.mean_effect_fe)
    assert found.pooled.standard_error == pytest.approx(other.sd_eff_w_fe)
    tau2 = max(0.0, other.tau2)
    expected = {f"s{i}": tau2 / (tau2 + one) for i, one in enumerate(v)}
    assert {name: one.weight for name, one in found.shrunk.items()} == pytest.approx(expected)


EFFECTS = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 4)), min_size=2, max_size=8)


@PURE
@given(EFFECTS, st.floats(-3, 3), st.floats(0.1, 10))
def test_heterogeneity__shifted_or_in_another_unit__is_the_same(pairs, shift, unit):
    one = heterogeneity(effects(pairs))
    moved = heterogeneity(effects([(unit * (x + shift), unit**2 * v) for x, v in pairs]))
    assert isinstance(one, Heterogeneity)
    assert isinstance(moved, Heterogeneity)
    assert moved.p_value == pytest.approx(one.p_value, rel=1e-6, abs=1e-9)


@PURE
@given(EFFECTS)
def test_heterogeneity__shrunk_effects__lie_between_their_own_and_the_pooled(pairs):
    found = heterogeneity(effects(pairs))
    assert isinstance(found, Heterogeneity)
    for name, raw in effects(pairs).items():
        low, high = sorted([raw.value, found.pooled.value])
        assert low - 1e-9 <= found.shrunk[name].value <= high + 1e-9
        assert found.shrunk[name].standard_error <= raw.standard_error


def test_heterogeneity__one_segment_known__is_not_computable():
    assert isinstance(
        heterogeneity({"a": Effect(value=1, standard_error=1), "b": NotComputable("none")}), NotComputable
    )


def test_explore__twenty_dimensions_one_of_them_real__names_that_one_alone():
    random = np.random.default_rng(20260330)
    quiet = [(f"d{i}", effects([(x, 1.0) for x in random.normal(size=4)])) for i in range(20)]
    found = explore([*quiet, ("device", effects([(0.0, 1.0), (8.0, 1.0)])), ("none", {})])
    assert [one.name for one in found if one.differs] == ["device"]
    assert found[-1].adjusted_p_value is None


@pytest.mark.parametrize("runs", [150, pytest.param(4000, marks=pytest.mark.slow)])
def test_explore__no_difference_anywhere__calls_something_at_most_one_time_in_twenty(runs):
    random = np.random.default_rng(20260331)
    called = sum(
        any(one.differs for one in explore([(f"d{i}", effects([(x, 1.0) for x in row])) for i, row in enumerate(draw)]))
        for draw in random.normal(size=(runs, 10, 4))
    )
    assert called / runs <= 0.05 + tolerance(0.05, runs)


# --- shrinkage and the winner's curse ---------------------------------------------------------------------------------


def test_learn_prior__many_effects__finds_mean_and_spread():
    random = np.random.default_rng(20260332)
    se = random.uniform(0.5, 2, 4000)
    found = learn_prior(list(random.normal(0.3, np.sqrt(0.49 + se**2))), list(se))
    assert isinstance(found, Prior)
    assert found.mean == pytest.approx(0.3, abs=0.1)
    assert math.sqrt(found.variance) == pytest.approx(0.7, abs=0.1)


def test_learn_prior__bcg_trials_by_maximum_likelihood__is_metafors():
    # metafor rma(yi, vi, data = dat.bcg, method = "ML"): tau² = 0.2800, estimate -0.7112
    found = learn_prior([x for x, _ in BCG], [math.sqrt(v) for _, v in BCG])
    assert isinstance(found, Prior)
    assert found.variance == pytest.approx(0.2800, abs=2e-4)
    assert found.mean == pytest.approx(-0.7112, abs=2e-4)


def test_learn_prior__nothing_but_noise__shrinks_to_one_value():
    found = learn_prior([0.1, -0.1, 0.05, 0.0], [1.0] * 4, mean=0.0)
    assert found == Prior(mean=0.0, variance=0.0)
    assert shrink(0.1, 1.0, found).value == 0.0


def test_learn_prior__two_effects__is_not_computable():
    assert isinstance(learn_prior([1.0, 2.0], [1.0, 1.0]), NotComputable)


@pytest.mark.parametrize("runs", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_winners__two_thousand_tests__shrinkage_is_unbiased_and_the_plain_sum_is_not(runs):
    random = np.random.default_rng(20260333)
    gaps, corrected, plain = [], [], []
    for _ in range(runs):
        truth = random.normal(0, 0.7, 2000)
        x = truth + random.normal(size=2000)
        found = cumulative_impact(list(x), [1.0] * 2000, 1.96)
        assert isinstance(found, CumulativeImpact)
        real = truth[x > 1.96].sum()
        gaps.append(found.shrunk - real)
        plain.append(found.claimed - real)
        corrected.append(found.claimed - selection_bias(list(truth), [1.0] * 2000, [1.96] * 2000) - real)
    for unbiased in (gaps, corrected):
        assert abs(np.mean(unbiased)) < 3 * np.std(unbiased) / math.sqrt(runs)
    assert np.mean(plain) > 100  # the negative control: winners' sum 420 for a true 237
