"""The way from a view to money, found among the metrics of a plan as the experiment counts them."""

import pytest

from analysis.decisions.inputs import MetricPlan
from analysis.funnels import places
from experiments.domain.metrics import DisplayUnit, MetricKind, MetricRole, StandsFor
from experiments.models import ExperimentMetric
from experiments.models.metric import MetricVersion, columns_of
from tests import builders

pytestmark = pytest.mark.django_db


def uses(shop_, *metrics):
    ranker = builders.experiment(shop_)
    return [
        ExperimentMetric.objects.create(experiment=ranker, metric=each, role=MetricRole.SECONDARY.value)
        for each in metrics
    ]


def planned(use, stands_for):
    counted = use.counted
    return use, MetricPlan(
        key=use.metric.key, name=use.metric.name, kind=MetricKind(counted.kind), role=MetricRole(use.role),
        display_unit=DisplayUnit(use.metric.display_unit), event=counted.event, stands_for=stands_for,
    )  # fmt: skip


def way(clicks, orders, revenue) -> list[tuple[str, str]]:
    stand_for = (StandsFor.PROXY, StandsFor.BUSINESS, StandsFor.BUSINESS)
    found = places([planned(use, one) for use, one in zip((clicks, orders, revenue), stand_for, strict=True)])
    return [(place.word, place.column) for place in found]


@pytest.fixture
def three(db):
    shop = builders.project("shop")
    clicks = builders.metric(
        shop, "ctr", kind=MetricKind.RATIO, event="Clicked", denominator_event="Viewed"
    )  # fmt: skip
    orders = builders.metric(shop, "orders", kind=MetricKind.COUNT, display_unit=DisplayUnit.NUMBER)
    revenue = builders.metric(
        shop, "revenue", kind=MetricKind.SUM, property="revenue", display_unit=DisplayUnit.CURRENCY
    )  # fmt: skip
    return uses(shop, clicks, orders, revenue)


def test_places__ratio_count_and_sum_of_one_event__are_the_whole_way(three):
    assert way(*three) == [("view", "ctr/"), ("click", "ctr"), ("order", "orders"), ("money", "revenue")]


def test_places__a_metric_that_was_changed_since__is_read_as_the_experiment_counts_it(three):
    _, orders, _ = three
    kept = orders.metric.definition()
    orders.version = MetricVersion.objects.create(metric=orders.metric, number=1, **columns_of(kept))
    orders.metric.event = "Order Refunded"
    assert ("order", "orders") in way(*three)
    orders.version = None  # a draft follows the newest definition, which counts other events than the money
    assert ("order", "orders") not in way(*three)
