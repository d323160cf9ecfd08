"""How units are spread: every unit once, exact edges, one width or widening ones, and what has no value of its own."""

from datetime import timedelta
from decimal import Decimal

import pytest

from analysis import counted
from analysis.details import keeping, spread
from analysis.models import Enrolment, MetricDetail, UnitDay
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import Experiment, ExperimentMetric
from tests import builders
from tests.builders import T0

HORIZON = T0 + timedelta(days=10)


@pytest.fixture
def shop(db) -> Experiment:
    """Two variants of forty units each; unit i of the treatment orders i times for 5 apiece, of the control once."""
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home, "orders", kind=MetricKind.COUNT, event="Order"))
    revenue = builders.metric(home, "revenue", kind=MetricKind.SUM, event="Order", property="revenue")
    value = builders.metric(home, "order-value", kind=MetricKind.MEAN, event="Order", property="revenue")
    for position, metric in enumerate((revenue, value), start=1):
        ExperimentMetric.objects.create(experiment=made, metric=metric, role=MetricRole.SECONDARY, position=position)
    arms = list(made.variants.all())
    for unit in range(80):
        Enrolment.objects.create(
            experiment=made, unit=f"u{unit}", variant=arms[unit % 2], first_at=T0 + timedelta(hours=unit), bucket=0
        )
        orders = unit // 2 if unit % 2 else 1
        for metric, number, below in (
            (made.plan.first().metric, orders, 0),
            (revenue, 5 * orders, 0),
            (value, 5 * orders, orders),
        ):
            if orders:
                UnitDay.objects.create(
                    experiment=made, metric=metric, unit=f"u{unit}", day=T0.date() + timedelta(days=5),
                    numerator=number, denominator=below,
                )  # fmt: skip
    return made


def spreads(made: Experiment, **limits: float) -> dict[str, spread.Spread]:
    metrics = counted.of_plan(made)
    found = spread.collect(made, metrics, {one.metric: limits.get(one.key) for one in metrics}, HORIZON.isoformat())
    return {one.key: found[one.metric] for one in metrics}


def test_spread__counts_every_unit_once__those_without_events_as_exactly_zero(shop):
    found = spreads(shop)["orders"]
    assert (found.of, found.is_log) == ("unit", True)  # most ordered once, one of them 39 times
    assert [sum(one.units[key] for one in found.bins) for key in ("control", "treatment")] == [40, 40]
    zero = found.bins[0]
    assert (zero.low, zero.high, zero.units) == (0.0, 0.0, {"control": 0, "treatment": 1})
    ones = next(one for one in found.bins if one.low is not None and one.low <= 1 < (one.high or 0))
    assert ones.units["control"] == 40


def test_spread__a_cap__holds_every_unit_below_it(shop):
    found = spreads(shop, revenue=50.0)["revenue"]
    assert max(one.low for one in found.bins if sum(one.units.values())) == 50.0


def test_spread__a_ratio__draws_each_units_own_and_says_who_has_none(shop):
    found = spreads(shop)["order-value"]
    assert found.without == {"treatment": 1}
    assert [(one.low, sum(one.units.values())) for one in found.bins if sum(one.units.values())] == [(5.0, 79)]


def test_bins__of_skewed_values__widen_by_1_2_5_and_keep_signs():
    leading = {Decimal(text): {1: 1} for text in ("-0.42", "0", "1", "1.9", "4.9", "5", "99", "2300")}
    assert spread.skewed(leading)
    found = spread.bins(leading, {1: "control"}, is_log=True)
    assert [(one.low, one.high, one.units["control"]) for one in found] == [
        (-0.5, -0.2, 1), (0, 0, 1), (1, 2, 2), (2, 5, 1), (5, 10, 1), (50, 100, 1), (2000, 5000, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("values", [["1", "2", "3"], ["0.1", "0.99"], ["-12", "30"], ["48", "95"], ["0"]])
def test_bins__of_one_width__are_few_and_lose_nobody(values: list[str]):
    found = spread.bins({Decimal(text): {1: 2} for text in values}, {1: "control"}, is_log=False)
    assert sum(one.units["control"] for one in found) == 2 * len(values)
    assert len(found) <= spread.MOST_BINS + 2


def test_keep__twice_without_news__counts_once_and_again_when_old(shop, monkeypatch):
    metrics, calls = counted.of_plan(shop), []
    monkeypatch.setattr(keeping, "collected", lambda *given: calls.append(1) or collected(*given))
    for changes, minutes in ((1, 0), (1, 60), (2, 5), (2, 70)):
        keeping.keep(shop, metrics, changes, HORIZON + timedelta(minutes=minutes), HORIZON, 80)
    assert len(calls) == 2  # at first, and when both old and changed
    assert MetricDetail.objects.count() == 3
    detail, as_of = keeping.newest(shop, "orders")
    assert as_of == HORIZON + timedelta(minutes=70)
    assert detail.spread is not None
    shop.stopped_at = HORIZON + timedelta(minutes=71)
    keeping.keep(shop, metrics, 3, HORIZON + timedelta(minutes=72), HORIZON, 80)
    assert len(calls) == 3, "the last word on what has ended is counted at once"


collected = keeping.collected
