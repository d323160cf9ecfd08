"""Sizes of two shares as other calculators have them: the shared reference, statsmodels over a grid, and each other."""

import pytest
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import (
    power_proportions_2indep,
    proportion_effectsize,
    samplesize_proportions_2indep_onetail,
)

from analysis.stats.planning import Design, proportion_baseline, sample_size
from analysis.stats.share_planning import Null, power_at, units_a_variant
from tests.analysis.stats import cases

GRID = [(0.2, 0.25), (0.05, 0.06), (0.5, 0.45), (0.9, 0.93), (0.001, 0.002)]


def test_units__20_against_25_percent__are_those_of_every_calculator():
    told = cases.reference("evan_miller_n")["expected"]
    assert units_a_variant(0.2, 0.25, null=Null.BASELINE) == pytest.approx(told["evan_miller"], abs=1e-3)
    assert units_a_variant(0.2, 0.25) == pytest.approx(told["unpooled"], abs=1e-3)
    assert units_a_variant(0.2, 0.25, null=Null.ARCSINE) == pytest.approx(told["arcsine"], rel=1e-5)  # the far tail
    assert units_a_variant(0.2, 0.25, null=Null.POOLED) == pytest.approx(told["statsmodels_2indep"], abs=1e-3)
    assert power_at(0.2, 0.25, 1030, null=Null.POOLED) == pytest.approx(told["actual_power_at_1030"], abs=1e-5)


@pytest.mark.parametrize(("control", "treatment"), GRID)
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
@pytest.mark.parametrize("power", [0.6, 0.8, 0.95])
def test_units__over_a_grid__agree_with_statsmodels(control, treatment, alpha, power):
    theirs = samplesize_proportions_2indep_onetail(treatment - control, control, power, alpha=alpha)
    assert units_a_variant(control, treatment, alpha=alpha, power=power, null=Null.POOLED) == pytest.approx(theirs)
    effect = abs(proportion_effectsize(control, treatment))
    cohen = NormalIndPower().solve_power(effect, alpha=alpha, power=power)
    assert units_a_variant(control, treatment, alpha=alpha, power=power, null=Null.ARCSINE) == pytest.approx(
        cohen, rel=1e-3
    )
    ours = sample_size(proportion_baseline(control), treatment / control - 1, Design(alpha=alpha, power=power))
    assert 2 * units_a_variant(control, treatment, alpha=alpha, power=power) == pytest.approx(ours)


@pytest.mark.parametrize(("control", "treatment"), GRID)
@pytest.mark.parametrize("null", list(Null))
def test_power__at_the_units_found__is_the_power_asked(control, treatment, null):
    units = units_a_variant(control, treatment, power=0.85, null=null)
    assert power_at(control, treatment, units, null=null) == pytest.approx(0.85)


@pytest.mark.parametrize("units", [500, 1030, 5000])
def test_power__pooled__agrees_with_statsmodels(units):
    theirs = power_proportions_2indep(0.05, 0.2, units, ratio=1, alpha=0.05, return_results=False)
    assert power_at(0.2, 0.25, units, null=Null.POOLED) == pytest.approx(theirs, abs=1e-3)  # they count the far tail


@pytest.mark.parametrize(("control", "treatment"), [(0.2, 0.2), (0, 0.1), (0.5, 1)])
def test_units__shares_that_cannot_be_planned__are_refused(control, treatment):
    with pytest.raises(ValueError, match="two different shares"):
        units_a_variant(control, treatment)
