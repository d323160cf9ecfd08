"""Planning: published sizes, statsmodels' power, what must grow with what, and the power that simulations find."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import (
    power_proportions_2indep,
    proportion_effectsize,
    samplesize_proportions_2indep_onetail,
)

from analysis.stats.duration import Duration, Traffic, duration, forecast, percent, units_by_day
from analysis.stats.estimates import Estimate, Form, estimate
from analysis.stats.group_sequential import SequentialPlan, boundaries, equal_looks
from analysis.stats.many import Many, compare_many
from analysis.stats.moment_matrix import MomentMatrix
from analysis.stats.moments import Array, Moments
from analysis.stats.noninferiority import MarginTest, margin_test
from analysis.stats.planning import (
    Baseline,
    Design,
    baseline_of,
    detectable,
    guardrail_power,
    guardrail_size,
    mean_baseline,
    power,
    proportion_baseline,
    sample_size,
)
from analysis.stats.sequential_planning import cost
from analysis.stats.unavailable import NotComputable
from tests.analysis.stats import cases
from tests.analysis.stats.cases import PURE

SLOW = pytest.mark.slow
POWER_RUNS = [1500, pytest.param(5000, marks=SLOW)]
WITHIN = 0.02  # STATISTICS 5: every calculator's simulated power


def number(found: float | NotComputable) -> float:
    assert isinstance(found, float), found
    return found


# --- golden numbers ---------------------------------------------------------------------------------------------------


def test_sample_size__20_against_25_percent__is_the_unpooled_1091_and_not_1030():
    base = proportion_baseline(0.20)
    # by hand: (1.959964 + .841621)² (.20 * .80 + .25 * .75) / .05²
    assert number(sample_size(base, 0.25)) / 2 == pytest.approx(1090.9943, abs=1e-3)
    # Evan Miller's calculator prints 1,030, by the pooled variance; the unpooled test then has less than 80 % power
    assert power(base, 0.25, 2 * 1030) == pytest.approx(0.77702, abs=1e-5)
    k = np.arange(1031)  # every outcome of two binomials, weighed: .77743
    low, high = (k / 1030)[:, None], (k / 1030)[None, :]
    se = np.sqrt((low * (1 - low) + high * (1 - high)) / 1030)
    seen_in = (high - low) > stats.norm.isf(0.025) * se
    weight = np.outer(stats.binom.pmf(k, 1030, 0.2), stats.binom.pmf(k, 1030, 0.25))
    assert power(base, 0.25, 2 * 1030) == pytest.approx(float(weight[seen_in].sum()), abs=5e-4)


def test_sample_size__shared_references__agree():
    miller = cases.reference("evan_miller_n")["expected"]
    assert number(sample_size(proportion_baseline(0.2), 0.25)) / 2 == pytest.approx(miller["unpooled"], abs=1e-3)
    # statsmodels takes the null's spread as pooled; ours is the power of the test that we make, .0011 more
    theirs = power_proportions_2indep(0.05, 0.2, 1030, ratio=1, alpha=0.05).power
    assert theirs == pytest.approx(miller["actual_power_at_1030"], abs=1e-5)
    assert power(proportion_baseline(0.2), 0.25, 2 * 1030) == pytest.approx(theirs, abs=1.1e-3)
    p0, p1, z_a, z_b = 0.2, 0.25, stats.norm.isf(0.025), stats.norm.isf(0.2)
    pooled = (z_a * math.sqrt(2 * p0 * (1 - p0)) + z_b * math.sqrt(p0 * (1 - p0) + p1 * (1 - p1))) ** 2 / 0.05**2
    assert pooled == pytest.approx(miller["evan_miller"], abs=1e-3)  # what the calculator does and we do not
    arcsine = NormalIndPower().solve_power(proportion_effectsize(p1, p0), None, 0.05, 0.8)
    assert arcsine == pytest.approx(miller["arcsine"], abs=1e-3)
    known = samplesize_proportions_2indep_onetail(0.05, 0.2, 0.8, alpha=0.05)
    assert known == pytest.approx(miller["statsmodels_2indep"], abs=1e-3)
    kohavi = cases.reference("kohavi_n")["expected"]  # a rule of thumb: 16 where the formula has 15.7
    rule = 16 / (2 * (z_a + z_b) ** 2)
    five = number(sample_size(Baseline(value=0.05, unit_variance=0.05 * 0.95), 0.05)) / 2
    assert five * rule == pytest.approx(kohavi["conv_5pct_5pct_rel"], rel=1e-9)
    revenue = number(sample_size(mean_baseline(3.75, 30), 0.05)) / 2
    assert revenue * rule == pytest.approx(kohavi["rev_3_75_sd30_5pct"], rel=1e-9)
    gpower = cases.reference("gpower")["expected"]
    sure = Design(power=0.85)
    assert number(sample_size(mean_baseline(1, 10), 0.3, sure)) == pytest.approx(
        gpower["cont_mde03_var100_total"], rel=0.005
    )
    rare = number(sample_size(proportion_baseline(0.34), 0.003 / 0.34, sure))
    assert rare == pytest.approx(gpower["bin_34_0003_total"], rel=0.005)


def test_sample_size__g_power_totals__agree_to_half_a_percent():
    # G*Power, as quoted in spotify-confidence's tests: alpha .05, power .85, variance 100 and change .3; 34 % and .3 pp
    assert number(sample_size(mean_baseline(1, 10), 0.3, Design(power=0.85))) == pytest.approx(39_906, rel=0.005)
    found = number(sample_size(proportion_baseline(0.34), 0.003 / 0.34, Design(power=0.85)))
    assert found == pytest.approx(897_348, rel=0.005)


def test_test_power__guardrails__take_their_share_of_beta():
    assert Design(guardrails=3).test_power == pytest.approx(0.95)  # 1 - .2 / 4, arXiv 2402.11609


# --- agreement with independent packages ------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("ratio", [1.0, 4.0])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_means__grid__agrees_with_statsmodels_normal_power(effect, ratio, alpha):
    design = Design(alpha=alpha, control_share=1 / (1 + ratio), treatment_share=ratio / (1 + ratio))
    total = number(sample_size(mean_baseline(1.0, 1.0), effect, design))
    # statsmodels counts the wrong direction as power too, which is nothing at 80 %
    first = NormalIndPower().solve_power(effect, None, alpha, 0.8, ratio=ratio)
    assert total == pytest.approx(first * (1 + ratio), rel=1e-5)


@pytest.mark.parametrize("p0", [0.02, 0.3, 0.8])
@pytest.mark.parametrize("lift", [-0.1, 0.05, 0.15])
def test_proportions__grid__agrees_with_statsmodels_unpooled_power(p0, lift):
    base, n = proportion_baseline(p0), 4000
    known = power_proportions_2indep(p0 * lift, p0, n, ratio=1, alpha=0.05).power
    assert power(base, lift, 2 * n) == pytest.approx(known, abs=0.015)  # statsmodels pools under the null


# --- properties -------------------------------------------------------------------------------------------------------

baselines = st.one_of(
    st.builds(proportion_baseline, st.floats(0.01, 0.7)),
    st.builds(mean_baseline, st.floats(0.1, 1e4), st.floats(0.1, 1e4)),
    st.builds(lambda m, sd: Baseline(value=m, unit_variance=sd * sd, growth=1.0), st.floats(0.1, 9), st.floats(0.1, 9)),
)
designs = st.builds(
    lambda share, m, g, r2, more: Design(
        control_share=share,
        treatment_share=(1 - share) * 0.8,
        comparisons=m,
        guardrails=g,
        variance_reduction=r2,
        inflation=more,
    ),
    st.floats(0.1, 0.9),
    st.integers(1, 6),
    st.integers(0, 5),
    st.floats(0, 0.9),
    st.floats(1, 2),
)


@PURE
@given(baselines, st.floats(0.001, 0.3), designs)
def test_sample_size_power_and_detectable__are_each_other_turned_round(base, lift, design):
    units = number(sample_size(base, lift, design))
    assert power(base, lift, units, design) == pytest.approx(design.test_power, rel=1e-9)
    assert number(detectable(base, units, design)) == pytest.approx(lift, rel=1e-6)


@PURE
@given(baselines, st.floats(0.001, 0.2), st.floats(-0.0005, 0.1), designs)
def test_guardrail_size_and_power__are_each_other_turned_round(base, margin, assumed, design):
    units = number(guardrail_size(base, margin, design, assumed))
    assert guardrail_power(base, margin, units, design, assumed) == pytest.approx(design.test_power, rel=1e-9)


@PURE
@given(baselines, st.floats(0.001, 0.3), designs, st.sampled_from([0.01, 100.0]))
def test_sample_size__another_unit_of_measure__changes_nothing(base, lift, design, factor):
    if not base.share:
        scaled = replace(base, value=base.value * factor, unit_variance=base.unit_variance * factor**2)
        assert number(sample_size(scaled, lift, design)) == pytest.approx(number(sample_size(base, lift, design)))


def test_sample_size__every_promise_costs():
    base = mean_baseline(10, 20)
    least = number(sample_size(base, 0.02))
    assert number(sample_size(base, 0.02, Design(variance_reduction=0.4))) == pytest.approx(0.6 * least)
    assert number(sample_size(base, 0.02, Design(inflation=1.042))) == pytest.approx(1.042 * least)
    for dearer in (
        Design(comparisons=3),
        Design(guardrails=2),
        Design(control_share=0.9, treatment_share=0.1),
        Design(control_share=1 / 3, treatment_share=1 / 3),
    ):
        assert number(sample_size(base, 0.02, dearer)) > least


# --- what cannot be planned -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "lift", "reason"),
    [
        (proportion_baseline(0.9), 0.2, "ends at 100"),
        (mean_baseline(5, 1), 0.0, "change of zero"),
        (mean_baseline(0, 1), 0.1, "change of zero"),
    ],
)
def test_sample_size__impossible__is_said_with_its_reason(base, lift, reason):
    found = sample_size(base, lift)
    assert isinstance(found, NotComputable)
    assert reason in found.reason


def test_guardrail_size__true_change_at_the_margin__is_never_shown():
    assert isinstance(guardrail_size(mean_baseline(5, 1), 0.02, assumed=-0.02), NotComputable)


@pytest.mark.parametrize(
    "base", [mean_baseline(-1, 1), proportion_baseline(0.5), Baseline(value=1, unit_variance=9, growth=2)]
)
def test_detectable__nothing_to_see__is_said(base):
    assert isinstance(detectable(base, 8), NotComputable)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 0},
        {"power": 1.0},
        {"control_share": 0.7, "treatment_share": 0.5},
        {"variance_reduction": 1.0},
        {"comparisons": 0},
        {"inflation": 0.5},
    ],
)
def test_design__impossible__is_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        Design(**wrong)


# --- duration ---------------------------------------------------------------------------------------------------------


def test_duration__people_come_back__takes_longer_than_units_a_day_promise():
    curve = tuple(1000 * day**0.6 for day in range(1, 15))
    found = duration(6000, Traffic(cumulative=curve), window_days=3)
    assert isinstance(found, Duration)
    assert found.enrolment_days == 21  # 6,000 by 1,000 a day would be 6 days
    assert found.total_days == 24
    assert found.beyond_history
    assert found.units == pytest.approx(1000 * 21**0.6, rel=1e-6)


def test_duration__whole_weeks__even_where_a_day_would_do():
    found = duration(10, Traffic(cumulative=tuple(1000.0 * day for day in range(1, 15))))
    assert found == Duration(enrolment_days=7, total_days=7, units=7000.0, beyond_history=False)


def test_duration__traffic_that_dries_up__is_never_enough():
    found = duration(1e9, Traffic(cumulative=(100.0, 110.0, 111.0, 111.0)))
    assert isinstance(found, NotComputable)
    assert "in 26 weeks about" in found.reason


@PURE
@given(st.lists(st.floats(0.1, 100), min_size=3, max_size=30), st.integers(1, 200))
def test_traffic__curve__never_falls_and_never_outruns_a_straight_line(steps, days):
    known = len(steps)
    traffic = Traffic(cumulative=tuple(np.cumsum(steps)), share=0.5)
    assert traffic.units(days) <= traffic.units(days + 1) + 1e-9
    assert traffic.units(days) <= 0.5 * sum(steps) * max(1.0, days / known) + 1e-6


def test_forecast__says_it_in_words():
    traffic = Traffic(cumulative=tuple(40_000.0 * day**0.8 for day in range(1, 29)))
    found = forecast(proportion_baseline(0.1), 0.02, traffic)
    assert found.sentence == (
        "42 days to see a change of 2 % (795,535 units will have come), if units keep coming as they did; in 56 days "
        "today's traffic cannot see less than 1.7 %."
    )
    assert [days for days, _ in found.by_week] == [7 * week for week in range(1, 9)]
    assert all(a > b for (_, a), (_, b) in zip(found.by_week, found.by_week[1:], strict=False))


def test_forecast__too_little_traffic__says_what_could_be_seen_instead():
    traffic = Traffic(cumulative=tuple(100.0 * day**0.5 for day in range(1, 29)))
    said = forecast(proportion_baseline(0.1), 0.01, traffic).sentence
    assert "cannot be seen: " in said
    assert "today's traffic cannot see less than" in said


@pytest.mark.parametrize(("share", "words"), [(0.02, "2 %"), (0.0114, "1.1 %"), (0.25, "25 %"), (0.00034, "0.034 %")])
def test_percent__two_digits(share, words):
    assert percent(share) == words


def test_units_by_day__first_days_of_units__add_up():
    assert units_by_day([0, 0, 2, 3]) == (2.0, 2.0, 3.0, 4.0)


def test_traffic__falling_or_empty__is_refused():
    for cumulative in ((), (5.0, 4.0), (0.0,)):
        with pytest.raises(ValueError, match="rise from 0"):
            Traffic(cumulative=cumulative)


# --- calibration: the power that simulations find ---------------------------------------------------------------------


def seen(many: Many, alpha: float) -> float:
    return float((many.computable & (many.p_value < alpha) & (many.value > 0)).mean())


def cells(n: int, mean: Array, squares: Array) -> MomentMatrix:
    return MomentMatrix(
        n=np.full(len(mean), n), mean=mean[:, None], products=squares[:, None], third=np.zeros((len(mean), 1))
    )


@pytest.mark.parametrize("runs", POWER_RUNS)
@pytest.mark.parametrize("control_share", [0.5, 0.2])
def test_proportions__planned_size__has_the_power(runs, control_share):
    random, lift = np.random.default_rng(20260330), 0.12
    design = Design(control_share=control_share, treatment_share=1 - control_share, comparisons=2)
    base = proportion_baseline(0.1)
    total = number(sample_size(base, lift, design))
    arms = []
    for share, p in ((control_share, 0.1), (1 - control_share, 0.1 * (1 + lift))):
        n = round(total * share)
        x = random.binomial(n, p, runs)
        arms.append(cells(n, x / n, x * (1 - x / n)))
    assert seen(compare_many(Form.PROPORTION, *arms), 0.025) == pytest.approx(
        0.8, abs=WITHIN + cases.tolerance(0.8, runs) / 3
    )


@pytest.mark.parametrize("runs", POWER_RUNS)
def test_means__planned_size_with_three_variants_and_guardrails__has_the_power(runs):
    random, lift = np.random.default_rng(20260331), 0.1
    design = Design(control_share=0.4, treatment_share=0.3, comparisons=2, guardrails=3)
    total = number(sample_size(mean_baseline(10, 15), lift, design))
    arms = []
    for share, mean in ((0.4, 10.0), (0.3, 10.0 * (1 + lift))):
        n = round(total * share)
        arms.append(cells(n, random.normal(mean, 15 / math.sqrt(n), runs), 225 * random.chisquare(n - 1, runs)))
    assert seen(compare_many(Form.MEAN, *arms), 0.025) == pytest.approx(design.test_power, abs=WITHIN)


@pytest.mark.parametrize("runs", [300, pytest.param(5000, marks=SLOW)])
def test_ratio__planned_from_past_units__has_the_power(runs):
    random, lift = np.random.default_rng(20260332), 0.15
    past = ratio_units(random, 40_000, 0.0)
    found = estimate(Form.RATIO, Moments.from_values(past))
    assert isinstance(found, Estimate)
    n = round(number(sample_size(baseline_of(found), lift)) / 2)
    arms = [
        MomentMatrix.from_values(ratio_units(random, n * runs, change), np.repeat(np.arange(runs), n), runs)
        for change in (0.0, lift)
    ]
    hit = seen(compare_many(Form.RATIO, *arms), 0.05)
    assert hit == pytest.approx(0.8, abs=max(WITHIN, cases.tolerance(0.8, runs)))


def ratio_units(random: np.random.Generator, n: int, lift: float) -> Array:
    sessions = 1 + random.poisson(2.0, n)
    return np.column_stack([random.binomial(sessions, np.minimum(1, random.beta(2, 8, n) * (1 + lift))), sessions])


@pytest.mark.parametrize("runs", [400, pytest.param(5000, marks=SLOW)])
def test_adjusted__planned_with_its_variance_reduction__has_the_power(runs):
    random, lift, correlation = np.random.default_rng(20260333), 0.1, 0.7
    design = Design(variance_reduction=correlation**2)
    n = round(number(sample_size(mean_baseline(5, 5), lift, design)) / 2)
    arms = []
    for change in (0.0, lift):
        x = random.normal(0, 1, n * runs)
        y = 5 * (1 + change) + 5 * (correlation * x + math.sqrt(1 - correlation**2) * random.normal(0, 1, n * runs))
        arms.append(MomentMatrix.from_values(np.column_stack([y, x]), np.repeat(np.arange(runs), n), runs))
    hit = seen(compare_many(Form.MEAN, *arms), 0.05)
    assert hit == pytest.approx(0.8, abs=max(WITHIN, cases.tolerance(0.8, runs)))


@pytest.mark.parametrize("runs", POWER_RUNS)
def test_sequential__planned_with_its_inflation__has_the_power_over_fourteen_looks(runs):
    random, looks = np.random.default_rng(20260335), 14
    plan = SequentialPlan(alpha=0.05, planned_information=1.0, planned_looks=looks)
    more = cost(plan, 0.8, equal_looks(looks)).inflation
    assert more == pytest.approx(1.042, abs=0.002)  # STATISTICS 1.8
    base, lift = mean_baseline(10, 20), 0.05
    total = number(sample_size(base, lift, Design(inflation=more)))
    upper = np.array(boundaries(plan, equal_looks(looks)).upper)
    drift = base.value * lift / math.sqrt(4 * base.unit_variance / total)
    steps = random.normal(drift / looks, math.sqrt(1 / looks), (runs, looks)).cumsum(axis=1)
    z = steps / np.sqrt(np.array(equal_looks(looks)))
    assert (z >= upper).any(axis=1).mean() == pytest.approx(0.8, abs=max(WITHIN, cases.tolerance(0.8, runs)))


@pytest.mark.parametrize("runs", POWER_RUNS)
def test_guardrail__planned_size__has_the_power(runs):
    random, margin, assumed = np.random.default_rng(20260334), 0.03, 0.002
    design = Design(guardrails=1)
    total = number(guardrail_size(mean_baseline(20, 12), margin, design, assumed))
    n = round(total / 2)
    held = 0
    for a, b in random.normal([20.0, 20.0 * (1 + assumed)], 12 / math.sqrt(n), (runs, 2)):
        arms = [Estimate(n=n, value=float(value), variance=144 / n, df=n - 1) for value in (a, b)]
        test = margin_test(*arms, margin, higher_is_better=True)
        assert isinstance(test, MarginTest)
        held += test.p_held < design.alpha
    assert held / runs == pytest.approx(design.test_power, abs=WITHIN)
