"""Planned looks: published boundaries, agreement with another implementation, and what can never happen."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.stats.group_sequential import (
    Boundaries,
    SequentialPlan,
    boundaries,
    equal_looks,
    look,
    repeated_p_value,
)
from analysis.stats.moments import Array
from analysis.stats.sequential_estimates import AfterStopping, after_stopping
from analysis.stats.sequential_integration import advance, begin, crossings
from analysis.stats.sequential_planning import cost, peeking_error, sequential_power, wang_tsiatis
from analysis.stats.spending import Spending, spent
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE


def plan(spending: Spending = Spending.OBRIEN_FLEMING, looks: int = 5, **changes: object) -> SequentialPlan:
    given_: dict[str, object] = {"alpha": 0.05, "planned_information": 1.0, "planned_looks": looks}
    return SequentialPlan(**{**given_, "spending": spending, **changes})  # type: ignore[arg-type]


# --- published numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spending", "z"),
    [
        # gsDesign sfLDOF and sfLDPocock; spotify-confidence 4.1.0 for rho = 2 (coarser grid, hence 1e-4)
        (Spending.OBRIEN_FLEMING, (4.87688, 3.35705, 2.68029, 2.28982, 2.03104)),
        (Spending.POCOCK, (2.43798, 2.42682, 2.4102, 2.39666, 2.38601)),
        (Spending.POWER, (3.0902, 2.71408, 2.47274, 2.27981, 2.11397)),
    ],
)
def test_boundaries__five_equal_looks__are_the_published_ones(spending, z):
    for sides, alpha in ((2, 0.05), (1, 0.025)):
        found = boundaries(plan(spending, sides=sides, alpha=alpha), equal_looks(5))
        assert found.upper == pytest.approx(z, abs=1e-4)
        assert found.spent[-1] == pytest.approx(0.025)


@pytest.mark.parametrize("case", ["gs_ldof5", "gs_ldpoc5", "gs_power2"])
def test_boundaries__shared_references__agree_to_their_tolerance(case):
    kinds = {"gs_ldof5": Spending.OBRIEN_FLEMING, "gs_ldpoc5": Spending.POCOCK, "gs_power2": Spending.POWER}
    told = cases.reference(case)
    found = boundaries(plan(kinds[case]), equal_looks(5))
    assert found.upper == pytest.approx(told["expected"]["z"], abs=float(told["tol"]))


def test_peeking__armitage_mcpherson_rowe_1969__is_reproduced():
    published = {1: 0.05, 2: 0.083, 3: 0.107, 4: 0.126, 5: 0.142, 10: 0.193, 20: 0.248}
    assert {looks: round(peeking_error(looks), 3) for looks in published} == published


@pytest.mark.parametrize(
    ("shape", "constants"),
    [
        # Jennison and Turnbull 2000, tables 2.1 (Pocock) and 2.3 (O'Brien-Fleming), two-sided 5 %
        (0.5, {2: 2.178, 3: 2.289, 4: 2.361, 5: 2.413, 10: 2.555}),
        (0.0, {2: 1.977, 3: 2.004, 4: 2.024, 5: 2.040, 10: 2.087}),
    ],
)
def test_classical_constants__jennison_turnbull_tables__are_reproduced(shape, constants):
    for looks, constant in constants.items():
        assert wang_tsiatis(equal_looks(looks), 0.05, shape) == pytest.approx(constant, abs=6e-4)


@pytest.mark.parametrize(
    ("spending", "looks", "inflation", "expected"),
    [
        (Spending.OBRIEN_FLEMING, 14, 1.042, 0.786),
        (Spending.OBRIEN_FLEMING, 28, 1.049, None),
        (Spending.POWER, 14, 1.087, 0.755),
        (Spending.POCOCK, 14, 1.258, 0.776),
    ],
)
def test_cost__eighty_percent_power__is_the_known_inflation(spending, looks, inflation, expected):
    found = cost(plan(spending, looks))
    assert found.inflation == pytest.approx(inflation, abs=6e-4)
    if expected is not None:
        assert found.expected == pytest.approx(expected, abs=6e-4)


# --- agreement with another package -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fractions", [equal_looks(14), (0.1, 0.15, 0.6, 1.0), (0.3, 0.8, 1.07), (0.02, 0.021, 0.5, 0.97)]
)
@pytest.mark.parametrize("drift", [0.0, 2.8, -1.5])
def test_crossing__over_a_grid_of_times_and_drifts__agrees_with_gsdesign(fractions, drift):
    gsdesign = pytest.importorskip("gsdesign", reason="another implementation, from the development extra")
    found = boundaries(plan(looks=len(fractions)), fractions)
    mine = crossings(fractions, found.upper, found.lower, drift)
    z, w, h = gsdesign.h1(60, drift, fractions[0], -min(found.upper[0], 20), min(found.upper[0], 20))
    alive = [float(np.sum(h))]
    for before, now, bound in zip(fractions[:-1], fractions[1:], found.upper[1:], strict=True):
        z, w, h = gsdesign.hupdate(60, drift, now, -min(bound, 20), min(bound, 20), drift, before, (z, w, h))
        alive.append(float(np.sum(h)))
    assert mine.alive == pytest.approx(alive[-1], abs=1e-5)


# --- what always holds ------------------------------------------------------------------------------------------------

TIMES = (
    st.lists(st.floats(0.05, 1.3), min_size=1, max_size=7, unique=True)
    .map(sorted)
    .filter(lambda times: all(b - a > 0.01 for a, b in itertools.pairwise(times)))
)
KINDS = st.sampled_from(list(Spending))


@PURE
@given(TIMES, KINDS)
def test_boundaries__any_looks__spend_what_the_function_allows_and_no_more(times, kind):
    found = boundaries(plan(kind), times)
    exits = crossings(times, found.upper, found.lower)
    assert exits.total == pytest.approx(2 * spent(kind, times[-1], 0.025), abs=1e-8)
    assert exits.total + exits.alive == pytest.approx(1, abs=1e-9)
    assert exits.total <= 0.05 + 1e-8


@PURE
@given(TIMES, KINDS, st.floats(0.1, 1e6))
def test_boundaries__information_in_another_unit__are_the_same(times, kind, unit):
    other = plan(kind, planned_information=unit)
    assert boundaries(other, [unit * t for t in times]).upper == pytest.approx(boundaries(plan(kind), times).upper)


@PURE
@given(TIMES, KINDS, st.floats(-6, 6), st.floats(0.01, 100))
def test_look__any_estimate__stops_exactly_when_its_interval_excludes_zero(times, kind, z, se):
    found = look(plan(kind), times, z * se, se)
    assert not isinstance(found, NotComputable)
    low, high = found.interval
    assert found.may_stop == (low > 0 or high < 0)


@PURE
@given(TIMES.filter(lambda times: times[-1] > 0.3 and sum(t >= 1 for t in times) <= 1), st.floats(1.0, 5.0))
def test_repeated_p_value__any_look__is_below_alpha_exactly_when_it_may_stop(times, z):
    found = look(plan(), times, z, 1.0)
    assert not isinstance(found, NotComputable)
    if abs(z - found.boundary) > 1e-5:
        assert (repeated_p_value(plan(), times, z) < 0.05) == found.may_stop


@PURE
@given(TIMES, st.floats(-5, 5))
def test_after_stopping__mirrored__turns_the_sign(times, z):
    bounds = boundaries(plan(), times)
    one, other = (after_stopping(bounds, sign * z, 1.0, 0.05) for sign in (1, -1))
    assert isinstance(one, AfterStopping)
    assert isinstance(other, AfterStopping)
    assert one.estimate == pytest.approx(-other.estimate, abs=1e-6)
    assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]), abs=1e-6)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-6)


# --- single cases -----------------------------------------------------------------------------------------------------


def test_one_look_at_the_end__is_the_fixed_test():
    assert boundaries(plan(), [1.0]).upper[0] == pytest.approx(1.959964, abs=1e-6)
    found = after_stopping(boundaries(plan(), [1.0]), 3.0, 1.0, 0.05)
    assert isinstance(found, AfterStopping)
    assert found.estimate == pytest.approx(3.0, abs=1e-6)
    assert found.interval == pytest.approx((3 - 1.959964, 3 + 1.959964), abs=1e-5)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(3.0), rel=1e-6)
    assert repeated_p_value(plan(), [1.0], 3.0) == pytest.approx(2 * stats.norm.sf(3.0), rel=1e-5)


def test_look__after_everything_is_spent__describes_and_cannot_stop():
    found = look(plan(), [0.5, 1.1, 1.3], 10.0, 1.0)
    assert not isinstance(found, NotComputable)
    assert math.isinf(found.boundary)
    assert not found.may_stop


def test_look__overrunning_end__spends_all_of_it_at_its_actual_information():
    found = boundaries(plan(), [0.5, 1.2])
    exits = crossings((0.5, 1.2), found.upper, found.lower)
    assert exits.total == pytest.approx(0.05, abs=1e-8)


def test_look__declared_final_before_the_planned_information__spends_what_is_left():
    short, final = (boundaries(plan(), [0.5, 0.9], final=last) for last in (False, True))
    assert final.upper[1] < short.upper[1]
    assert crossings((0.5, 0.9), final.upper, final.lower).total == pytest.approx(0.05, abs=1e-8)


def test_look__no_new_information__is_not_computable():
    found = look(plan(), [0.5, 0.5], 1.0, 1.0)
    assert isinstance(found, NotComputable)
    assert "did not grow" in found.reason


def test_look__no_spread__is_not_computable():
    assert isinstance(look(plan(), [0.5], 1.0, 0.0), NotComputable)


def test_look__first_hours__cannot_stop_however_large_the_difference():
    found = look(plan(), [0.01], 30.0, 1.0)
    assert not isinstance(found, NotComputable)
    assert not found.may_stop


def test_futility__planned_effect_absent__is_reached_often_and_does_not_move_the_upper_boundary():
    with_it = plan(futility_risk=0.2, sides=1, alpha=0.025)
    without = plan(sides=1, alpha=0.025)
    found = boundaries(with_it, equal_looks(5))
    assert found.upper == pytest.approx(boundaries(without, equal_looks(5)).upper)
    null = crossings(found.fractions, found.upper, found.futility)
    planned = crossings(found.fractions, found.upper, found.futility, drift=2.8016)
    assert sum(null.lower) > 0.8
    assert sum(planned.lower) <= 0.2 + 1e-6


def test_estimate_after_an_early_stop__is_smaller_than_the_naive_one():
    found = after_stopping(boundaries(plan(), (0.2, 0.4, 0.6)), 3.0, 1.0, 0.05)
    assert isinstance(found, AfterStopping)
    assert 0 < found.estimate < found.naive
    assert found.interval[0] < found.estimate < found.interval[1]


def test_median_unbiased_estimate__over_simulated_stops__is_above_the_truth_half_of_the_time_and_the_interval_covers():
    random, runs, drift, times = np.random.default_rng(20260320), 20_000, 2.0, np.array(equal_looks(4))
    bounds = [boundaries(plan(looks=4), times[: index + 1]) for index in range(4)]
    z = random.normal(drift / 4, 0.5, (runs, 4)).cumsum(axis=1) / np.sqrt(times)
    out = np.abs(z) >= [one.upper[-1] for one in bounds]
    stopped = np.where(out.any(axis=1), out.argmax(axis=1), 3)
    above_truth = covered = 0
    for stop in range(4):
        ends = z[stopped == stop, stop]
        estimates, low, high = at_stop(bounds[stop], times[stop], ends)
        above_truth += (estimates > drift).sum()
        covered += ((low <= drift) & (drift <= high)).sum()
    assert above_truth / runs == pytest.approx(0.5, abs=cases.tolerance(0.5, runs))
    assert covered / runs == pytest.approx(0.95, abs=cases.tolerance(0.05, runs))
    plain = z[np.arange(runs), stopped] / np.sqrt(times[stopped])
    assert plain.mean() > drift + 5 * plain.std() / math.sqrt(runs)  # the negative control: stopping on a high


def at_stop(bounds: Boundaries, time: float, ends: Array) -> tuple[Array, Array, Array]:
    """Estimate and interval of each z at one stop, read off a grid: all three rise with z."""
    grid = np.unique(np.linspace(ends.min() - 1e-9, ends.max() + 1e-9, 25)) if len(ends) else np.zeros(1)
    found = [after_stopping(bounds, z / math.sqrt(time), 1 / math.sqrt(time), 0.05) for z in grid]
    assert all(isinstance(one, AfterStopping) for one in found)
    columns = zip(*((one.estimate, *one.interval) for one in found), strict=True)
    estimate, low, high = (np.interp(ends, grid, column) for column in columns)
    return estimate, low, high


def test_power__effect_planned_for_one_look__loses_little():
    assert sequential_power(plan(looks=14), 2.8016) == pytest.approx(0.786, abs=0.01)


def test_state__boundaries_that_leave_nothing__is_empty():
    assert advance(begin(), 1.0, 0.0, 1.0, -1.0).alive == 0.0


@pytest.mark.parametrize("changes", [{"alpha": 0.0}, {"sides": 3}, {"planned_information": 0.0}, {"planned_looks": 0}])
def test_plan__impossible__is_refused(changes):
    with pytest.raises(ValueError, match="got"):
        plan(**changes)


@pytest.mark.parametrize(("risk", "rho"), [(0.0, 2.0), (0.6, 2.0), (0.025, 0.0)])
def test_spending__impossible__is_refused(risk, rho):
    with pytest.raises(ValueError, match="got"):
        spent(Spending.POWER, 0.5, risk, rho)


def test_repeated_looks__shared_references__agree_to_their_tolerance():
    for case, found in (
        ("armitage", peeking_error),
        ("pocock_c", lambda looks: wang_tsiatis(equal_looks(looks), 0.05, 0.5)),
        ("obf_c", lambda looks: wang_tsiatis(equal_looks(looks), 0.05, 0.0)),
    ):
        told = cases.reference(case)
        for looks, value in told["expected"].items():
            assert found(int(looks)) == pytest.approx(value, abs=float(told["tol"])), (case, looks)
