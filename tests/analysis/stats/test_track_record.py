import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from analysis.stats.track_record import FEWEST_FOR_A_PRIOR, Gain, Impact, Share, impact, share
from analysis.stats.unavailable import NotComputable

DAY = date(2026, 3, 2)
PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=50)


def gains(lifts, errors, shipped) -> list[Gain]:
    return [
        Gain(lift=float(lift), standard_error=float(error), shipped=bool(chosen), ended=DAY + timedelta(days=number))
        for number, (lift, error, chosen) in enumerate(zip(lifts, errors, shipped, strict=True))
    ]


def test_share__golden__newcombe_1998_table_1():
    """Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3: 81/263 is .2553 to .3662."""
    found = share(81, 263)
    assert isinstance(found, Share)
    assert [round(end, 4) for end in found.interval] == [0.2553, 0.3662]


@pytest.mark.parametrize(("count", "of"), [(0, 3), (3, 3), (1, 7), (40, 160), (999, 1000)])
def test_share__agrees_with_scipy(count: int, of: int):
    found = share(count, of)
    expected = stats.binomtest(count, of).proportion_ci(method="wilson")
    assert isinstance(found, Share)
    assert found.interval == pytest.approx((expected.low, expected.high), abs=1e-12)


@PATIENT
@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_share__of_the_others__is_the_mirror_image(pair):
    count, of = pair
    one, other = share(count, of), share(of - count, of)
    assert isinstance(one, Share)
    assert isinstance(other, Share)
    assert one.interval[0] - 1e-12 <= one.value <= one.interval[1] + 1e-12
    assert one.interval == pytest.approx((1 - other.interval[1], 1 - other.interval[0]), abs=1e-9)


def test_share__of_nothing__is_words_and_an_impossible_one_a_mistake():
    assert share(0, 0) == NotComputable("there are none to count")
    with pytest.raises(ValueError, match="4 of 3"):
        share(4, 3)


def test_impact__too_few_experiments__says_how_many_it_takes():
    found = impact(gains([0.01] * 7, [0.01] * 7, [True] * 7))
    assert isinstance(found, NotComputable)
    assert "8 experiments" in found.reason
    assert "there are 7" in found.reason


EIGHT_SCHOOLS = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]
MEDIANS = [10, 8, 7, 8, 5, 6, 10, 8]


def test_impact__golden__eight_schools():
    """Gelman et al. 2013, BDA3, table 5.3: posterior medians of the eight schools (means lie within a point or two)."""
    logs, errors = np.array(EIGHT_SCHOOLS) / 1000
    found = impact(gains(np.expm1(logs), errors * np.exp(logs), [True] * 8))
    assert isinstance(found, Impact)
    believed = np.diff([0, *(step.believed for step in found.steps)]) * 1000
    assert believed == pytest.approx(MEDIANS, abs=1.6)
    assert (found.shipped, found.of) == (8, 8)


def test_impact__agrees_with_integration_by_quadrature():
    """The same posterior by scipy's adaptive quadrature over tau, one effect at a time."""
    logs, errors = np.array(EIGHT_SCHOOLS) / 1000

    def density(tau: float) -> float:
        total = tau**2 + errors**2
        precision = (1 / total).sum()
        centre = (logs / total).sum() / precision
        return float(np.prod(stats.norm.pdf(logs, centre, np.sqrt(total))) / math.sqrt(precision))

    def of_first(tau: float) -> float:
        total = tau**2 + errors**2
        centre = (logs / total).sum() / (1 / total).sum()
        return float((tau**2 * logs[0] + errors[0] ** 2 * centre) / total[0])

    scale = density(0.005)
    whole = integrate.quad(lambda tau: density(tau) / scale, 0, 0.08)[0]
    mean = integrate.quad(lambda tau: of_first(tau) * density(tau) / scale, 0, 0.08)[0] / whole
    found = impact(gains(np.expm1(logs), errors * np.exp(logs), [True] * 8))
    assert isinstance(found, Impact)
    assert found.steps[0].believed == pytest.approx(mean, rel=0.01)


def test_impact__nothing_shipped__is_nothing_gained():
    found = impact(gains([0.01, -0.02] * 5, [0.01] * 10, [False] * 10))
    assert isinstance(found, Impact)
    assert (found.claimed, found.believed, found.interval, found.kept, found.steps) == (0, 0, (0, 0), None, ())


def test_impact__what_cannot_be_a_lift__is_left_out():
    found = impact(gains([0.01, -1.0, 0.02, 0.0, *[0.01] * 8], [0.01, 0.01, 0.0, 0.01, *[0.01] * 8], [True] * 12))
    assert isinstance(found, Impact)
    assert found.of == 10


@PATIENT
@given(st.lists(st.floats(-0.2, 0.2), min_size=FEWEST_FOR_A_PRIOR, max_size=20), st.permutations(range(8)))
def test_impact__the_order_of_experiments__does_not_matter(lifts, order):
    made = gains(lifts, [0.02] * len(lifts), [lift > 0 for lift in lifts])
    turned = [made[i] for i in order] + made[8:]
    one, other = impact(made), impact(turned)
    assert isinstance(one, Impact)
    assert isinstance(other, Impact)
    assert one.believed == pytest.approx(other.believed, abs=1e-6)
    assert one.claimed == pytest.approx(other.claimed, abs=1e-12)


@pytest.mark.parametrize("runs", [120, pytest.param(1500, marks=pytest.mark.slow)])
def test_impact__over_many_programmes__claims_too_much_and_is_believed_about_rightly(runs):
    """60 experiments, effects N(0, 1 %²), errors 1 %, shipped when z > 1.96: seeded, with Monte-Carlo tolerance."""
    rng = np.random.default_rng(11)
    claimed, believed, covered = [], [], 0
    for _ in range(runs):
        truth = rng.normal(0, 0.01, 60)
        seen = truth + rng.normal(0, 0.01, 60)
        shipped = seen > 1.96 * 0.01
        found = impact(gains(np.expm1(seen), 0.01 * np.exp(seen), shipped))
        assert isinstance(found, Impact)
        real = truth[shipped].sum()
        claimed.append(math.log1p(found.claimed) - real)
        believed.append(math.log1p(found.believed) - real)
        covered += math.log1p(found.interval[0]) <= real <= math.log1p(found.interval[1])
    error = np.std(believed) / math.sqrt(runs)
    assert np.mean(claimed) > 10 * error  # the winner's curse
    assert abs(np.mean(believed)) < 4 * error
    assert covered / runs == pytest.approx(0.95, abs=max(0.03, 3 * math.sqrt(0.95 * 0.05 / runs)))
