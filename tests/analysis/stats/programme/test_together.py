"""Experiments that belong together, archives that were picked over, and what launches add up to."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.programme.archive import Archive, archive, at_most
from analysis.stats.programme.clustering import independent, inflation
from analysis.stats.programme.effects import Programme
from analysis.stats.programme.launches import Launch, account
from analysis.stats.programme.structural import structural_slope, structure
from analysis.stats.programme.study import study
from analysis.stats.shrinkage import Prior
from tests.analysis.stats.cases import PURE
from tests.analysis.stats.programme.samples import drawn


def doubled(programme: Programme) -> tuple[Programme, np.ndarray]:
    """The same experiments entered twice: no new evidence at all."""
    both = Programme(
        effects=np.repeat(programme.effects, 2, axis=0), covariances=np.repeat(programme.covariances, 2, axis=0)
    )
    return both, np.repeat(np.arange(programme.count), 2)


def test_inflation__every_experiment_entered_twice__is_two():
    # Doubling the likelihood halves the variance that it claims, and adding scores up by pair puts it right: on
    # average, as a sandwich equals the claimed variance of a single programme only on average.
    ratios = []
    for seed in range(20):
        both, groups = doubled(drawn(seed))
        ratios.append(inflation(both, structure(both), groups))
    assert np.median(ratios) == pytest.approx(2.0, rel=0.15)


def test_inflation__experiments_on_their_own__is_one():
    programme = drawn(1)
    assert inflation(programme, structure(programme), None) == 1.0
    assert inflation(programme, structure(programme), np.arange(programme.count)) == 1.0


def test_study__of_a_programme_entered_twice__claims_no_more_than_once():
    single = drawn(4)
    both, groups = doubled(single)
    once, twice, naive = study(single), study(both, groups=groups), study(both)
    assert twice.identified.strength == pytest.approx(once.identified.strength, rel=0.02)
    assert twice.corrected.standard_error == pytest.approx(once.corrected.standard_error, rel=0.3)
    assert naive.corrected.standard_error == pytest.approx(once.corrected.standard_error / math.sqrt(2), rel=0.05)
    assert twice.region.high - twice.region.low == pytest.approx(once.region.high - once.region.low, rel=0.02)
    assert independent(groups, both.count) == single.count


@pytest.mark.parametrize("unit", [1e-3, 0.2, 40.0, 1e3])
def test_inflation__in_other_units__stays(unit):
    programme = drawn(7, count=40)
    groups = np.repeat(np.arange(20), 2)
    found = inflation(programme, structure(programme), groups)
    scale = np.array([unit, 1.0])
    moved = Programme(effects=programme.effects * scale, covariances=programme.covariances * np.outer(scale, scale))
    assert inflation(moved, structure(moved), groups) == pytest.approx(found, rel=0.02)


def test_structural_slope__inflated__ends_where_the_widened_limit_is():
    programme = drawn(2)
    plain, wider = structural_slope(programme), structural_slope(programme, inflation=2.25)
    assert wider.standard_error == pytest.approx(1.5 * plain.standard_error, rel=0.05)


def test_at_most__equal_coins__is_the_binomial():
    assert at_most(np.full(40, 0.3), 9) == pytest.approx(stats.binom.cdf(9, 40, 0.3))


def test_at_most__unequal_coins__is_what_counting_finds():
    chances = np.array([0.1, 0.5, 0.9])
    two = 0.1 * 0.5 * 0.1 + 0.1 * 0.5 * 0.9 + 0.9 * 0.5 * 0.9
    assert at_most(chances, 2) == pytest.approx(1 - 0.1 * 0.5 * 0.9)
    assert at_most(chances, 2) - at_most(chances, 1) == pytest.approx(two)


def test_archive__of_everything__is_not_doubted_and_of_winners_is():
    whole = drawn(3, count=300)
    found = archive(whole, structure(whole))
    assert isinstance(found, Archive)
    assert not found.doubtful
    clear = whole.effects[:, 1] > 1.96 * np.sqrt(whole.covariances[:, 1, 1])
    kept = Programme(effects=whole.effects[clear], covariances=whole.covariances[clear])
    winners = archive(kept, structure(kept))
    assert winners.doubtful
    assert winners.unclear == 0
    assert winners.expected > 3


def test_archive__of_a_few__says_nothing():
    few = drawn(3, count=9)
    assert "nothing about what is missing" in archive(few, structure(few)).reason


PRIOR = Prior(mean=0.0, variance=0.01**2)


def test_account__by_hand():
    # Shrunk by half each: two launches of +2 % +- 1 %, one of them felt half of the time; a holdback of +1.2 % +- .8 %.
    two = [Launch(effect=0.02, standard_error=0.01, weight=1.0), Launch(effect=0.02, standard_error=0.01, weight=0.5)]
    found = account(two, PRIOR, (0.012, 0.008))
    assert found.claimed == pytest.approx(0.04)
    assert [one.value for one in found.shrunk] == pytest.approx([0.01, 0.01])
    assert found.together.value == pytest.approx(0.02)
    assert found.expected.value == pytest.approx(0.015)
    assert found.expected.standard_error == pytest.approx(math.sqrt(0.01**2 / 2 * 1.25))
    assert found.unexplained.value == pytest.approx(-0.003)
    assert found.unexplained.standard_error == pytest.approx(math.hypot(0.008, found.expected.standard_error))


def test_account__without_prior_or_holdout__takes_estimates_as_they_are():
    found = account([Launch(effect=0.02, standard_error=0.01, weight=1.0)], None, None)
    assert (found.together.value, found.unexplained) == (0.02, None)
    assert account([], PRIOR, (0.01, 0.01)).unexplained.value == 0.01


@PURE
@given(scale=st.floats(1e-3, 1e3), sign=st.sampled_from([-1.0, 1.0]))
def test_account__in_other_units_or_turned__is_the_same_in_them(scale, sign):
    unit = scale * sign
    launches = [
        Launch(effect=0.03, standard_error=0.01, weight=0.7),
        Launch(effect=-0.01, standard_error=0.02, weight=1),
    ]
    moved = [
        Launch(effect=one.effect * unit, standard_error=one.standard_error * scale, weight=one.weight)
        for one in launches
    ]
    plain = account(launches, Prior(mean=0.005, variance=1e-4), (0.02, 0.01))
    other = account(moved, Prior(mean=0.005 * unit, variance=1e-4 * scale**2), (0.02 * unit, 0.01 * scale))
    assert other.unexplained.value == pytest.approx(plain.unexplained.value * unit)
    assert other.expected.standard_error == pytest.approx(plain.expected.standard_error * scale)
