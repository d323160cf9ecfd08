"""Each kind of metric on one shop's events, held to what other packages say of the same events."""

from datetime import timedelta

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from analysis import pipeline
from analysis.counted import of_plan
from analysis.explaining import statement
from analysis.exports.notebook import notebook
from analysis.models import UnitBefore
from analysis.results.latest import results_of
from analysis.rollup import sql
from analysis.rollup.check import check
from analysis.stats.quantiles import quantile
from experiments.domain.metrics import MetricKind as K
from experiments.domain.metrics import MetricRole
from experiments.models import ExperimentMetric
from tests import builders
from tests.analysis.exports.test_files import run
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GERMANY = [{"property": "country", "operator": "=", "value": "DE"}]
METRICS = {
    "buyers": {"kind": K.PROPORTION},
    "orders": {"kind": K.COUNT, "filters": GERMANY},
    "revenue": {"kind": K.SUM, "property": "revenue", "refund_event": "Refund", "refund_property": "amount"},
    "capped": {"kind": K.SUM, "property": "revenue", "cap_share": 9000},
    "at-most-30": {"kind": K.SUM, "property": "revenue", "cap_value": 30},
    "first-day": {"kind": K.SUM, "property": "revenue", "window_hours": 24},
    "order-value": {"kind": K.MEAN, "property": "revenue"},
    "per-search": {"kind": K.RATIO, "property": "revenue", "denominator_event": "Search"},
    "back": {"kind": K.RETENTION, "event": "Search", "delay_hours": 24, "window_hours": 24},
    "slow": {"kind": K.QUANTILE, "event": "Search", "property": "ms", "level": 7500},
    "countries": {"kind": K.DISTINCT, "property": "country"},
    "twice": {"kind": K.FUNNEL, "steps": [{"event": "Order", "filters": []}, {"event": "Order", "filters": GERMANY}]},
    "funnel": {"kind": K.FUNNEL, "steps": [{"event": "Search", "filters": []}, {"event": "Order", "filters": GERMANY}]},
}


@pytest.fixture(scope="module")
def events():
    """(unit, variant, first exposure in hours, [(hour, name, properties)]) of 160 users over three days."""
    draw, shop = np.random.default_rng(11), []
    for number in range(160):
        start, habit = int(draw.integers(0, 72)), float(draw.gamma(2.0))
        made = []
        for _ in range(int(draw.poisson(1.0 * habit))):
            made.append(
                (
                    start + float(draw.uniform(-60, 70)),
                    "Order",
                    {
                        "revenue": round(float(draw.lognormal(2.5, 0.8)), 2),
                        "country": str(draw.choice(["DE", "AT", "CH"])),
                    },
                )
            )
        for _ in range(int(draw.poisson(2.0 * habit))):
            made.append((start + float(draw.uniform(-60, 70)), "Search", {"ms": float(draw.integers(50, 500))}))
        if draw.random() < 0.2:
            made.append((start + 30.0, "Refund", {"amount": 5.5}))
        known = sorted((event for event in made if event[0] <= HORIZON), key=lambda event: event[0])
        shop.append((f"u{number}", number % 2, start, known))
    return shop


@pytest.fixture(scope="module")
def kept():
    return {}


@pytest.fixture
def results(events, kept):
    """What the product says of them, three days and a bit after the start, adjusted for the days before: made once."""
    if not kept:
        kept.update(made_of(events))
    return kept


def made_of(events):
    home = builders.project()
    made = builders.experiment(home, adjusted=True)
    for position, (name, parts) in enumerate(METRICS.items()):
        metric = builders.metric(home, name, **{"event": "Order", "covariate_days": 2, **parts})
        ExperimentMetric.objects.create(experiment=made, metric=metric, role=MetricRole.SECONDARY, position=position)
    for unit, treated, start, happened in events:
        builders.expose(made, unit, ("control", "treatment")[treated], at=T0 + start * HOUR)
        for hour, name, props in happened:
            builders.log(home, name, unit, at=T0 + hour * HOUR, **props)
    builders.log(home, "Search", "nobody", at=T0 + HORIZON * HOUR)
    whole = results_of(pipeline.refresh(made))
    WHOLE.append(whole)
    for one in of_plan(made):
        BY_HAND[one.key] = {row[0]: row[1:] for row in sql.rows(statement(made, one, whole.as_of, whole.data_up_to))}
    return {metric.key: metric for metric in whole.metrics}


WHOLE, BY_HAND = [], {}


HORIZON = 80


def after(happened, start, low=0.0, high=1e9):
    return [event for event in happened if low <= event[0] - start < high]


def each(events, value, *, matures=0):
    """One value a unit that counts, by variant."""
    arms = ([], [])
    for _, treated, start, happened in events:
        if start + matures <= HORIZON:
            arms[treated].append(value(happened, start))
    return [np.array(arm, dtype=float) for arm in arms]


def revenue(happened):
    return sum(props["revenue"] for _, name, props in happened if name == "Order")


def plain(metric):
    """The comparison without adjustment: beside the adjusted one, or itself where nothing is adjusted."""
    one = metric.comparisons[0]
    return next((way for way in one.beside if way.way == "unadjusted"), one)


def assert_welch(found, control, treatment):
    expected = stats.ttest_ind(treatment, control, equal_var=False)
    low, high = expected.confidence_interval()
    assert found.difference == pytest.approx(treatment.mean() - control.mean())
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.difference_interval == (pytest.approx(low), pytest.approx(high))


def assert_wald(found, control, treatment):
    low, high = confint_proportions_2indep(
        treatment.sum(), len(treatment), control.sum(), len(control), method="wald", compare="diff"
    )
    assert found.difference == pytest.approx(treatment.mean() - control.mean())
    assert found.difference_interval == (pytest.approx(low), pytest.approx(high))


def pair(events, top, below):
    """Ratio of means with the delta method, one variant after the other: values and standard errors."""
    found = []
    for y, x in zip(each(events, top), each(events, below), strict=True):
        ratio = y.mean() / x.mean()
        found.append((ratio, np.sqrt(np.var(y - ratio * x, ddof=1) / len(y)) / x.mean()))
    (c, se_c), (t, se_t) = found
    return t - c, np.hypot(se_c, se_t)


def test_every_kind__on_one_shops_events__is_what_other_packages_say(results, events):
    sent = lambda name: lambda happened, start: any(e[1] == name for e in after(happened, start))  # noqa: E731
    assert_wald(plain(results["buyers"]), *each(events, sent("Order")))
    in_germany = each(events, lambda h, s: sum(e[1] == "Order" and e[2]["country"] == "DE" for e in after(h, s)))
    assert_welch(plain(results["orders"]), *in_germany)
    refunds = lambda h: sum(e[2]["amount"] for e in h if e[1] == "Refund")  # noqa: E731
    assert_welch(plain(results["revenue"]), *each(events, lambda h, s: revenue(after(h, s)) - refunds(after(h, s))))
    assert_welch(plain(results["first-day"]), *each(events, lambda h, s: revenue(after(h, s, 0, 24)), matures=24))
    back = each(events, lambda h, s: any(e[1] == "Search" for e in after(h, s, 24, 48)), matures=48)
    assert_wald(plain(results["back"]), *back)
    assert results["back"].comparisons[0].n == len(back[1]) < 80
    countries = each(events, lambda h, s: len({e[2]["country"] for e in after(h, s) if e[1] == "Order"}))
    assert_welch(plain(results["countries"]), *countries)


def test_funnel__searched_and_then_ordered__counts_the_order_alone(results, events):
    def done(happened, start):
        mine = after(happened, start)
        first = next((e[0] for e in mine if e[1] == "Search"), None)
        return first is not None and any(e[1] == "Order" and e[2]["country"] == "DE" and e[0] > first for e in mine)

    assert_wald(plain(results["funnel"]), *each(events, done))


@pytest.mark.parametrize("name", ["capped", "at-most-30"])
def test_cap__the_same_for_both_variants__has_the_uncapped_beside_it(results, events, name):
    whole = each(events, lambda h, s: revenue(after(h, s)))
    pooled = np.sort(np.concatenate(whole))
    cap = 30 if name == "at-most-30" else pooled[int(np.ceil(0.9 * len(pooled))) - 1]
    assert_welch(plain(results[name]), *(np.minimum(arm, cap) for arm in whole))
    assert_welch(next(way for way in results[name].comparisons[0].beside if way.way == "uncapped"), *whole)
    assert any("No user counts for more than" in note for note in results[name].notes)


def test_ratios__of_totals_and_of_events__have_the_delta_methods_error(results, events):
    orders = lambda h, s: sum(e[1] == "Order" for e in after(h, s))  # noqa: E731
    searches = lambda h, s: sum(e[1] == "Search" for e in after(h, s))  # noqa: E731
    money = lambda h, s: revenue(after(h, s))  # noqa: E731
    for name, below in (("order-value", orders), ("per-search", searches)):
        difference, error = pair(events, money, below)
        found = plain(results[name])
        assert (found.difference, found.standard_error) == (pytest.approx(difference), pytest.approx(error))


def test_quantile__of_all_searches__knows_whose_they_are(results, events):
    arms = []
    for treated in (0, 1):
        rows = [
            (number, e[2]["ms"]) for number, (_, t, start, happened) in enumerate(events) if t == treated
            for e in after(happened, start) if e[1] == "Search"
        ]  # fmt: skip
        units, values = zip(*rows, strict=True)
        assert np.quantile(values, 0.75, method="inverted_cdf") == quantile(values, units, 0.75).value
        arms.append(quantile(values, units, 0.75))
    found = results["slow"].comparisons[0]
    assert (found.control_value, found.value) == (arms[0].value, arms[1].value)
    error = np.sqrt(arms[0].variance + arms[1].variance)
    assert found.standard_error == pytest.approx(error)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(arms[1].value - arms[0].value) / error))
    assert found.beside == []


@pytest.mark.parametrize("name", ["revenue", "buyers", "countries"])
def test_adjusted__for_the_days_before__is_the_treatments_coefficient_of_regression(results, events, name):
    def past(happened, start):
        return [e for e in happened if -48 <= e[0] - start < 0]

    def value(happened, start, events_of):
        mine = events_of(happened, start)
        orders = [e for e in mine if e[1] == "Order"]
        match name:
            case "revenue":
                return revenue(mine) - sum(e[2]["amount"] for e in mine if e[1] == "Refund")
            case "buyers":
                return float(bool(orders))
            case _:
                return float(len({e[2]["country"] for e in orders})) if events_of is after else float(len(orders))

    y = each(events, lambda h, s: value(h, s, after))
    x = each(events, lambda h, s: value(h, s, past))
    names = ("Order", "Refund") if name == "revenue" else ("Order",)
    new = each(events, lambda h, s: not any(e[1] in names for e in past(h, s)))
    treated = np.repeat([0.0, 1.0], [len(y[0]), len(y[1])])
    covariates = np.column_stack([np.concatenate(x), np.concatenate(new)])[:, : 1 if name == "buyers" else 2]
    covariates -= covariates.mean(axis=0)
    design = sm.add_constant(np.column_stack([treated, covariates, covariates * treated[:, None]]))
    fit = sm.OLS(np.concatenate(y), design).fit(cov_type="HC2")
    one = results[name].comparisons[0]
    assert one.difference == pytest.approx(fit.params[1])
    # HC2 takes the mean of the covariates as known, and weighs leverage where ours counts degrees of freedom.
    assert fit.bse[1] * 0.97 < one.standard_error < fit.bse[1] * 1.1
    assert one.variance_reduction == pytest.approx(1 - (one.standard_error / plain(results[name]).standard_error) ** 2)


@pytest.mark.parametrize(("adjusted", "past"), [(True, True), (False, True), (True, False)])
def test_adjusted__where_habits_persist__is_much_narrower_and_only_where_the_plan_says_so(adjusted, past):
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home, kind=K.COUNT, event="Order"), adjusted=adjusted)
    for number in range(60):
        unit, habit = f"u{number}", number % 6
        builders.expose(made, unit, ("control", "treatment")[number // 6 % 2], at=T0)
        for hour in [*(-hour - 1 for hour in range(habit if past else 0)), *range(habit + number % 2)]:
            builders.log(home, "Order", unit, at=T0 + hour * HOUR)
    one = results_of(pipeline.refresh(made)).metrics[0].comparisons[0]
    if adjusted and past:
        assert one.variance_reduction > 0.8
        assert [way.way for way in one.beside] == ["unadjusted"]
        assert one.difference == pytest.approx(one.value - one.control_value)
    else:
        assert (one.variance_reduction, one.beside) == (None, [])


def test_adjusted__an_exposure_that_moves_and_a_late_event_from_before__move_the_covariate():
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home, kind=K.COUNT, event="Order"), adjusted=True)
    for hour in (-30, -20, 10):
        builders.log(home, "Order", "u1", at=T0 + hour * HOUR)
    builders.expose(made, "u1", "control", at=T0 + 20 * HOUR)
    pipeline.fold()
    assert UnitBefore.objects.get().numerator == 3
    builders.expose(made, "u1", "control", at=T0)
    builders.log(home, "Order", "u1", at=T0 - 13 * DAY)
    builders.log(home, "Order", "u1", at=T0 - 15 * DAY)
    pipeline.fold()
    assert UnitBefore.objects.get().numerator == 3
    assert check([made]).differences == []


def test_notebook__of_every_kind__computes_what_was_reported_adjusted_ones_included(results):
    said = run(notebook(WHOLE[0], 1))
    assert f"{len(METRICS)} comparisons computed again; all agree with what was reported." in said
    assert sum(one.comparisons[0].variance_reduction is not None for one in results.values()) > 5


@pytest.mark.parametrize("name", METRICS)
def test_statement_that_the_page_shows__run_on_the_log__gives_the_raw_sums(results, name):
    for arm in results[name].arms:
        units, *sums = (float(one) for one in BY_HAND[name][arm.variant])
        assert units == arm.n
        if name == "slow":
            assert sums == [arm.means[0]]
            continue
        size = 2 if "denominator" in arm.names else 1
        squares = [arm.products[i][i] + arm.n * arm.means[i] ** 2 for i in range(size)]
        found = [(mean * arm.n, square) for mean, square in zip(arm.means[:size], squares, strict=True)]
        assert [tuple(sums[2 * i : 2 * i + 2]) for i in range(size)] == [
            pytest.approx(pair, rel=1e-9) for pair in found
        ]
        if size == 2:
            crossed = arm.products[0][1] + arm.n * arm.means[0] * arm.means[1]
            assert sums[4] == pytest.approx(crossed, rel=1e-9)
