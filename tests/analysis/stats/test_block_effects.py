"""Effects over blocks: as least squares have it, honest under chance, and unmoved by large regions and busy hours."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from analysis.stats.block_effects import BlockEffect, block_effect
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import PURE


def effect(*args, **more) -> BlockEffect:
    found = block_effect(*args, **more)
    assert isinstance(found, BlockEffect), found
    return found


def drawn(seed: int, blocks: int = 120, gain: float = 0.0):
    """Blocks of three regions over the hours of days, each region with slow ups and downs of its own."""
    random = np.random.default_rng(seed)
    region = np.repeat(["a", "b", "c"], blocks // 3)
    hour = np.tile(np.arange(blocks // 3) % 24, 3)
    treated = random.random(blocks) < 0.5
    slow = np.concatenate([np.cumsum(random.normal(size=blocks // 3)) * 0.3 for _ in range(3)])
    level = np.array([10.0, 50.0, 200.0])[np.searchsorted(["a", "b", "c"], region)]
    y = level + 5 * np.sin(hour / 24 * 6.28) + slow + random.normal(size=blocks) + gain * treated
    return y, treated, [region, hour]


def test_effect__without_levels__is_the_plain_difference():
    y, w = [1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 9.0], [False] * 4 + [True] * 4
    found = effect(y, w)
    assert found.value == pytest.approx(np.mean(y[4:]) - np.mean(y[:4]))
    assert found.standard_error == pytest.approx(np.sqrt(np.var(y[:4], ddof=1) / 4 + np.var(y[4:], ddof=1) / 4))
    assert (found.control, found.blocks) == (2.5, (4, 4))


def test_effect__with_levels__agrees_with_statsmodels_hc2():
    y, w, levels = drawn(1, gain=2.0)
    dummies = [np.asarray(label)[:, None] == np.unique(label)[None, 1:] for label in levels]
    x = sm.add_constant(np.column_stack([w, *dummies]).astype(float))
    known = sm.OLS(y, x).fit(cov_type="HC2", use_t=True)
    found = effect(y, w, levels)
    assert found.value == pytest.approx(known.params[1])
    assert found.standard_error == pytest.approx(known.bse[1])
    assert found.p_value == pytest.approx(known.pvalues[1])
    assert found.interval == pytest.approx(tuple(known.conf_int()[1]))


@pytest.mark.parametrize("runs", [120, pytest.param(2000, marks=pytest.mark.slow)])
def test_effect__no_effect_in_slowly_moving_regions__is_called_in_five_percent(runs):
    called = again = 0
    for seed in range(runs):
        y, w, levels = drawn(seed)
        random = np.random.default_rng(seed)
        found = effect(y, w, levels, redraw=lambda r=random: (r.random(120) < 0.5).astype(float), draws=99)
        called += found.p_value < 0.05
        again += (found.randomisation_p_value or 1.0) <= 0.05
    limit = 3 * np.sqrt(0.05 * 0.95 / runs)
    assert abs(called / runs - 0.05) < limit + 0.01
    assert abs(again / runs - 0.05) < limit


def test_effect__levels_taken_out__find_what_the_plain_difference_cannot():
    y, w, levels = drawn(3, gain=1.5)
    assert effect(y, w, levels).p_value < 0.001
    assert effect(y, w).p_value > 0.2


@PURE
@given(st.integers(0, 50), st.floats(0.01, 100), st.floats(-50, 50))
def test_effect__units_and_origin__scale_it_and_keep_p(seed, scale, shift):
    y, w, levels = drawn(seed, 60)
    one, other = effect(y, w, levels), effect(scale * y + shift, w, levels)
    assert other.value == pytest.approx(scale * one.value, rel=1e-6, abs=1e-9 * scale)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-6)


@PURE
@given(st.integers(0, 50))
def test_effect__variants_swapped__flips_the_sign_and_the_interval_excludes_0_when_p_says_so(seed):
    y, w, levels = drawn(seed, 60, gain=0.6)
    one, other = effect(y, w, levels), effect(y, ~w, levels)
    assert other.value == pytest.approx(-one.value)
    assert (one.interval[0] > 0 or one.interval[1] < 0) == (one.p_value < 0.05)


@pytest.mark.parametrize(
    ("values", "treated", "levels", "words"),
    [
        ([1.0] * 7, [True] * 4 + [False] * 3, (), "3 and 4 blocks are over"),
        ([1.0] * 8, [True] * 4 + [False] * 4, (), "no block differs"),
        ([1.0, 2.0] * 4, [True] * 4 + [False] * 4, (["x"] * 4 + ["y"] * 4,), "one variant only"),
        ([1.0, 2.0] * 4, [True, False] * 4, (list(range(8)),), "too few for"),
    ],
)
def test_effect__what_cannot_be_told__is_said_in_words(values, treated, levels, words):
    found = block_effect(values, treated, levels)
    assert isinstance(found, NotComputable)
    assert words in found.reason
