"""Numbers in sentences: true minus, sensible rounding, no false precision."""

import pytest

from analysis.decisions import wording
from analysis.decisions.inputs import MetricPlan
from analysis.decisions.story import is_business, is_proxy
from experiments.domain.metrics import DisplayUnit, MetricKind, MetricRole


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0562, "5.6%"),
        (0.06, "6%"),
        (0.0046, "0.46%"),
        (0.00997, "1%"),
        (-0.0123, "−1.2%"),
        (0.4234, "42.3%"),
        (51.68, "5,168%"),
        (0.0, "0%"),
        (-0.0, "0%"),
        (0.000012, "0.0012%"),
    ],
)
def test_percent__is_short_and_true(share, text):
    assert wording.percent(share) == text


def test_signed_percent__shows_plus_and_a_true_minus():
    assert [wording.signed_percent(one) for one in (0.014, -0.012, 0.0)] == ["+1.4%", "−1.2%", "0%"]


@pytest.mark.parametrize(
    ("p", "text"), [(0.0315, "p = 0.032"), (0.654, "p = 0.65"), (1e-9, "p < 0.001"), (1.0, "p = 1.00")]
)
def test_p_value__has_no_more_digits_than_it_means(p, text):
    assert wording.p_value(p) == text


@pytest.mark.parametrize(
    ("value", "unit", "currency", "text"),
    [
        (-0.0023, DisplayUnit.PERCENT, "EUR", "−0.23 percentage points"),
        (0.77, DisplayUnit.CURRENCY, "EUR", "+€0.77"),
        (0.77, DisplayUnit.CURRENCY, "CHF", "+0.77 CHF"),
        (12.3, DisplayUnit.MILLISECONDS, "EUR", "+12.3 ms"),
        (-1204.6, DisplayUnit.NUMBER, "EUR", "−1,205"),
    ],
)
def test_amount__is_in_the_metrics_own_unit(value, unit, currency, text):
    assert wording.signed_amount(value, unit, currency) == text


@pytest.mark.parametrize(("name", "text"), [("Revenue per user", "revenue per user"), ("CTR", "CTR"), ("p95", "p95")])
def test_inside__keeps_acronyms(name, text):
    assert wording.inside(name) == text


def test_listed__reads_as_people_write():
    assert [wording.listed(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def plan(name: str, *, key: str = "x", event: str = "", unit: DisplayUnit = DisplayUnit.NUMBER) -> MetricPlan:
    return MetricPlan(
        key=key, name=name, event=event, display_unit=unit, kind=MetricKind.COUNT, role=MetricRole.SECONDARY
    )


@pytest.mark.parametrize(
    "metric",
    [
        plan("Click-through rate"),
        plan("CTR"),
        plan("Engagement", key="product-clicks"),
        plan("Interest", event="Product Clicked"),
        plan("Items", event="product_viewed"),
        plan("Added to cart"),
    ],
)
def test_proxy__clicks_and_their_like__are_recognised(metric):
    assert is_proxy(metric)
    assert not is_business(metric)


@pytest.mark.parametrize(
    "metric",
    [
        plan("Revenue per click"),
        plan("Purchase rate"),
        plan("Buyers", event="Order Completed"),
        plan("Basket value", unit=DisplayUnit.CURRENCY),
        plan("Conversion"),
    ],
)
def test_business__money_and_purchases__are_recognised(metric):
    assert is_business(metric)
    assert not is_proxy(metric)


def test_latency_of_a_list_that_was_viewed__is_no_proxy():
    latency = MetricPlan(
        key="page-latency",
        name="Result page latency",
        event="Product List Viewed",
        kind=MetricKind.AVERAGE,
        role=MetricRole.SECONDARY,
    )
    assert not is_proxy(latency)


@pytest.mark.parametrize("name", ["Latency", "Errors per session", "Likelihood", "Reviewed"])
def test_other_metrics__are_neither(name):
    assert not is_business(plan(name))
    assert not is_proxy(plan(name))
