"""Blocks of time and groups of units as what is randomised."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from analysis.stats.clusters import ClusterDifference, cluster_difference
from analysis.stats.switchback import Block, Switchback, switchback
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats.cases import tolerance

# --- clusters ---------------------------------------------------------------------------------------------------------


def test_clusters__even_sizes__is_the_t_test_of_cluster_means():
    random = np.random.default_rng(20260340)
    values, treated = random.normal(5, 1, 12), np.arange(12) % 2 == 0
    found = cluster_difference(list(50 * values), [50.0] * 12, list(treated))
    welch = stats.ttest_ind(values[treated], values[~treated], equal_var=False)
    assert isinstance(found, ClusterDifference)
    assert found.value == pytest.approx(values[treated].mean() - values[~treated].mean())
    assert found.p_value == pytest.approx(welch.pvalue, rel=1e-9)
    assert (found.few, found.clusters) == (True, (6, 6))


def test_clusters__uneven_sizes__cr2_lies_between_statsmodels_cr0_and_its_jackknife():
    random = np.random.default_rng(20260341)
    rows = []
    for g in range(20):
        for y in random.normal(random.normal(0, 0.5), 1, random.integers(5, 80)):
            rows.append((g, g % 2, y))
    data = pd.DataFrame(rows, columns=["g", "w", "y"])
    fit = sm.OLS(data.y, sm.add_constant(data.w)).fit(
        cov_type="cluster", cov_kwds={"groups": data.g, "use_correction": False}
    )
    by = data.groupby("g")
    found = cluster_difference(list(by.y.sum()), list(by.y.size()), list(by.w.first() == 1))
    assert isinstance(found, ClusterDifference)
    assert found.value == pytest.approx(fit.params["w"])
    assert fit.bse["w"] < found.standard_error < 1.3 * fit.bse["w"]
    share = {w: by.y.size()[by.w.first() == w] / by.y.size()[by.w.first() == w].sum() for w in (0, 1)}
    meat = 0.0
    for g, part in data.groupby("g"):
        w = int(part.w.iloc[0])
        arm = data[data.w == w]
        meat += ((part.y - arm.y.mean()).sum() / len(arm)) ** 2 / (1 - share[w][g])
    assert found.standard_error == pytest.approx(math.sqrt(meat))


@pytest.mark.parametrize("runs", [700, pytest.param(6000, marks=pytest.mark.slow)])
def test_clusters__ten_without_effect__rejects_one_in_twenty_where_the_normal_rejects_more(runs):
    random = np.random.default_rng(20260342)
    treated = [True, False] * 5
    t_test = shuffled = normal = 0
    for _ in range(runs):
        sizes = random.integers(20, 120, 10).astype(float)
        totals = sizes * random.normal(0, 0.3, 10) + random.normal(0, 1, 10) * np.sqrt(sizes)
        found = cluster_difference(list(totals), list(sizes), treated, random=random, draws=200)
        assert isinstance(found, ClusterDifference)
        assert found.randomisation_p_value is not None
        t_test += found.p_value < 0.05
        shuffled += found.randomisation_p_value < 0.05
        normal += abs(found.value) / found.standard_error > 1.96
    assert t_test / runs <= 0.05 + tolerance(0.05, runs)
    assert shuffled / runs == pytest.approx(0.05, abs=tolerance(0.05, runs) + 0.005)
    assert normal / runs > 0.05 + tolerance(0.05, runs)  # the negative control


def test_clusters__too_few_or_alike__is_not_computable():
    assert isinstance(cluster_difference([1, 2, 3], [1, 1, 1], [True, False, False]), NotComputable)
    assert isinstance(cluster_difference([1, 1, 2, 2], [1, 1, 1, 1], [True, True, False, False]), NotComputable)
    with pytest.raises(ValueError, match="above 0"):
        cluster_difference([1, 1], [0, 1], [True, False])


# --- switchback -------------------------------------------------------------------------------------------------------


def test_switchback__block_means__are_compared_by_welch():
    random = np.random.default_rng(20260343)
    values = [list(random.normal(size=5)) for _ in range(14)]
    found = switchback([Block(treated=i % 2 == 0, values=one) for i, one in enumerate(values)])
    means = [np.mean(one) for one in values]
    welch = stats.ttest_ind(means[0::2], means[1::2], equal_var=False)
    assert isinstance(found, Switchback)
    assert found.p_value == pytest.approx(welch.pvalue)
    assert found.df == pytest.approx(welch.df)


def test_switchback__carry_over_of_two_steps__biases_without_burn_in_and_not_with_it():
    treated = [True, False] * 10
    blocks = [
        Block(treated=now, values=[float(before if i < 2 else now) + 0.01 * ((7 * k + i) % 5) for i in range(6)])
        for k, (now, before) in enumerate(zip(treated, [True, *treated], strict=False))
    ]
    with_it, without = switchback(blocks, burn_in=2), switchback(blocks)
    assert isinstance(with_it, Switchback)
    assert isinstance(without, Switchback)
    assert with_it.value == pytest.approx(1.0, abs=0.01)
    assert without.value < 0.8
    assert with_it.dropped == 2 * 19


def test_switchback__same_variant_again__keeps_all_observations():
    found = switchback(
        [Block(treated=t, values=[float(i), float(i) + 1]) for i, t in enumerate([True, True, False, False])], burn_in=1
    )
    assert isinstance(found, Switchback)
    assert found.dropped == 1


def test_switchback__exact_schedules__randomisation_p_is_their_share():
    values = [[0.0], [0.2], [1.0], [1.1]]
    schedules = iter([[True, True, False, False], [True, False, True, False], [True, False, False, True]] * 2)
    found = switchback(
        [Block(treated=i >= 2, values=one) for i, one in enumerate(values)], redraw=lambda: next(schedules), draws=6
    )
    assert isinstance(found, Switchback)
    assert found.randomisation_p_value == pytest.approx((1 + 2) / (1 + 6))


@pytest.mark.parametrize("runs", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_switchback__correlated_blocks_without_effect__rejects_one_in_twenty_where_observations_reject_half(runs):
    random, naive, right = np.random.default_rng(20260344), 0, 0
    for _ in range(runs):
        level = random.normal(0, 1, 40)
        treated = random.permutation([True, False] * 20)
        values = level[:, None] + random.normal(size=(40, 12))
        found = switchback([Block(treated=bool(t), values=list(v)) for t, v in zip(treated, values, strict=True)])
        assert isinstance(found, Switchback)
        right += found.p_value < 0.05
        naive += stats.ttest_ind(values[treated].ravel(), values[~treated].ravel(), equal_var=False).pvalue < 0.05
    assert right / runs == pytest.approx(0.05, abs=tolerance(0.05, runs))
    assert naive / runs > 0.3


def test_switchback__too_few_blocks_or_nothing_left__is_not_computable():
    assert isinstance(switchback([Block(treated=True, values=[1.0])]), NotComputable)
    alternating = [Block(treated=i % 2 == 0, values=[1.0]) for i in range(6)]
    assert isinstance(switchback(alternating, burn_in=1), NotComputable)
    assert isinstance(switchback(alternating), NotComputable)
