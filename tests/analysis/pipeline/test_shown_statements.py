"""The statement under "How was this made?" where units are left out by rule and ids are one person's: run on the log
as a reader would, it gives the page's raw sums."""

from datetime import timedelta

import pytest

from analysis import pipeline
from analysis.bots import excluding, flagging
from analysis.bots.excluding import Limits
from analysis.counted import of_plan
from analysis.explaining import statement
from analysis.results.latest import results_of
from analysis.rollup import sql
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import ExperimentMetric
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)
IN = {"control": {"c1", "c2", "c3"}, "treatment": {"t1", "t2"}}
"""Whom the results count in the shop below."""


@pytest.fixture(params=["", "device"], ids=["users", "users-else-devices"])
def tested(log, request):
    """A shop with somebody for every reason to be left out or to be one with another id."""
    home = builders.project()
    made = builders.experiment(home, unit_type="user", fallback_unit_type=request.param)
    for key, kind in (("orders", MetricKind.COUNT), ("order-value", MetricKind.MEAN)):
        metric = builders.metric(home, key, kind=kind, event="Order", property="revenue")
        ExperimentMetric.objects.create(experiment=made, metric=metric, role=MetricRole.SECONDARY)
    for variant, units in IN.items():
        for unit in sorted(units):
            builders.expose(made, unit, variant)
            builders.log(home, "Order", unit, at=T0 + HOUR, revenue=10 + int(unit[1]))
    _one_person(home, "c1", "phone")
    builders.log(home, "Order", None, at=T0 + 2 * HOUR, anonymous_id="phone", revenue=50)
    _left_out(made)
    return made


def _one_person(home, user, device):
    builders.log(home, "$identify", user, at=T0 + 3 * HOUR, anonymous_id=device)


def _left_out(made):
    home = made.project
    for unit in ("crawler", "of-two-ids", "tester", "kiosk-user", "both"):
        builders.expose(made, unit, "treatment")
        builders.log(home, "Order", unit, at=T0 + HOUR, revenue=1000)
    for message in range(120):
        builders.log(home, "Page Viewed", "crawler" if message % 2 else "crawlers-older-id", at=T0 + HOUR)
        builders.log(home, "Page Viewed", "crawler", at=T0 + HOUR)
        builders.log(home, "Page Viewed", "older-id", at=T0 + HOUR)
    builders.log(home, "$alias", "of-two-ids", at=T0 + 3 * HOUR, **{"$previous_id": "older-id"})
    builders.an_override(made, "tester")
    builders.an_override(made, "kiosk")
    _one_person(home, "kiosk-user", "kiosk")
    builders.expose(made, "boths-older-id", "control")
    builders.log(home, "$alias", "both", at=T0 + 3 * HOUR, **{"$previous_id": "boths-older-id"})


def test_statement__with_bots_out_and_ids_linked__gives_the_raw_sums_of_the_page(tested):
    flagging.flag(T0 + timedelta(days=1))
    excluding.switch_on(tested.project, None, Limits(most_a_day=1_000, most_a_minute=100), T0 + timedelta(days=1))
    shown = results_of(pipeline.refresh(tested))
    assert {variant.key: variant.units for variant in shown.variants} == {key: len(units) for key, units in IN.items()}
    metrics = {metric.key: metric for metric in shown.metrics}
    for one in of_plan(tested):
        text = statement(tested, one, shown.as_of, shown.data_up_to)
        found = {row[0]: [float(number) for number in row[1:3]] for row in sql.rows(text)}
        assert found == {arm.variant: [arm.n, pytest.approx(arm.n * arm.means[0])] for arm in metrics[one.key].arms}
