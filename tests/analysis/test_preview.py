"""A definition tried on the last days' events counts as an experiment would, and leaves nothing behind."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from analysis import preview as previewing
from analysis.models import Enrolment, UnitDay
from analysis.preview import preview
from analysis.stats.unavailable import NotComputable
from experiments.domain.definitions import Definition, FunnelStep
from experiments.domain.filters import Filter, Operator
from experiments.domain.metrics import MetricKind as K
from experiments.domain.units import UnitType
from tests import builders
from tests.analysis.pipeline.conftest import log, quick_flush  # noqa: F401  (fixtures are found by their names here)
from tests.experiments.conftest import signed_in

pytestmark = pytest.mark.usefixtures("log")
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def shop():
    """Four users: spent 0, 10, 30 and 400 in two days; who was here three weeks ago is not seen."""
    home = builders.project("shop")
    for unit, amounts in {"a": [], "b": [10], "c": [20, 10], "d": [400]}.items():
        builders.log(home, "Search", unit, at=NOW - 40 * HOUR, ms=100)
        for amount in amounts:
            builders.log(home, "Order", unit, at=NOW - 20 * HOUR, revenue=amount, country="DE" if amount > 10 else "AT")
    builders.log(home, "Order", "old", at=NOW - 500 * HOUR, revenue=1)
    builders.log(home, "Order", "b", at=NOW - 20 * HOUR, revenue="x")
    return home


def tried(home, **parts):
    return preview(
        home, Definition(**{"kind": K.SUM, "event": "Order", "property": "revenue", **parts}), UnitType.USER, NOW
    )


def test_preview__of_a_sum__has_value_zeros_deviation_and_the_largest(shop):
    found = tried(shop)
    assert (found.units, found.value, found.zeros, found.missing) == (4, 110, 0.25, 1)
    assert found.top == [400, 30, 10, 0]
    assert found.deviation == pytest.approx(193.735, abs=0.001)
    assert sum(bar.units for bar in found.bins) == 3


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ({"cap_value": 50}, 22.5),
        ({"cap_share": 7500}, 17.5),
        ({"window_hours": 10}, 0),
        ({"delay_hours": 10}, 110),
        ({"filters": (Filter(property="country", operator=Operator.IS, value="DE"),)}, 105),
        ({"kind": K.PROPORTION, "property": ""}, 0.75),
        ({"kind": K.MEAN}, 110),
        ({"kind": K.QUANTILE, "level": 5000}, 10),
        ({"kind": K.DISTINCT, "property": "country"}, 1),
        ({"kind": K.FUNNEL, "property": "", "steps": (FunnelStep(event="Search"), FunnelStep(event="Order"))}, 0.75),
        ({"kind": K.RATIO, "property": "", "denominator_event": "Search"}, 1.25),
    ],
)
def test_preview__of_every_kind__counts_as_an_experiment_would(shop, parts, value):
    assert tried(shop, **parts).value == pytest.approx(value)


def test_preview__a_cap__says_whom_it_touches(shop):
    found = tried(shop, cap_value=50)
    assert (found.cap, found.capped, found.uncapped) == (50, 1, 110)


def test_preview__leaves_nothing_behind(shop):
    tried(shop)
    assert not Enrolment.objects.exists()
    assert not UnitDay.objects.exists()


def test_preview__nobody_in_time__says_so(shop):
    assert isinstance(tried(builders.project("empty")), NotComputable)
    assert isinstance(tried(shop, window_hours=24 * 30), NotComputable)


def test_preview__a_log_too_long_to_read__tries_fewer_days_and_then_says_so(shop, monkeypatch):
    monkeypatch.setattr(previewing, "PATIENCE", "1ms")
    monkeypatch.setattr(previewing, "FILL_UNITS", "SELECT pg_sleep(0.1)" + "{unit:.0}{most:.0}")
    found = tried(shop)
    assert isinstance(found, NotComputable)
    assert "too many events" in found.reason


def test_page__of_a_metric_and_of_a_form__shows_the_spread(shop):
    alice = builders.user("alice@example.com")
    builders.Membership.objects.create(project=shop, user=alice, role="editor")
    builders.metric(shop, "revenue", kind=K.SUM, event="Order", property="revenue", display_unit="currency")
    client = signed_in(alice)
    page = client.get(reverse("metric_preview", args=["shop", "revenue"])).content.decode()
    for said in ("€110.00", "Histogram of what is not zero", "in two equal variants"):
        assert said in page
    where = reverse("metric_preview_form", args=["shop"])
    sent = {"kind": "sum", "event": "Order", "property": "revenue", "display_unit": "number"}
    assert "110.0" in client.post(where, sent).content.decode()
    assert "Name the property" in client.post(where, {"kind": "sum", "event": "Order"}).content.decode()


def test_page__a_stranger__gets_404(shop):
    builders.metric(shop, "revenue")
    charlie = signed_in(builders.user("charlie@example.com"))
    assert charlie.get(reverse("metric_preview", args=["shop", "revenue"])).status_code == 404
    assert charlie.post(reverse("metric_preview_form", args=["shop"])).status_code == 404
