from datetime import timedelta
from decimal import Decimal

import pytest

from analysis.models import Enrolment, UnitDay
from analysis.rollup.fold import fold
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)


def running(**fields):
    home = builders.project()
    return builders.experiment(home, primary=builders.metric(home), **fields)


def enrolled(experiment):
    rows = Enrolment.objects.filter(experiment=experiment).order_by("unit").select_related("variant")
    return [(row.unit, row.variant.key, row.first_at, row.quarantined) for row in rows]


def totals(experiment):
    rows = UnitDay.objects.filter(experiment=experiment).order_by("metric_id", "unit", "day")
    return [(row.unit, row.day, row.numerator, row.denominator, row.missing) for row in rows]


def test_fold__an_exposure_and_a_later_event__enrol_and_count():
    experiment = running()
    builders.expose(experiment, "u1", "control")
    builders.log(experiment.project, "Order Completed", "u1", at=T0 + HOUR)
    done = fold()
    assert enrolled(experiment) == [("u1", "control", T0, False)]
    assert totals(experiment) == [("u1", T0.date(), Decimal(1), Decimal(0), 0)]
    assert done.events == 2


def test_fold__a_second_fold__adds_nothing():
    experiment = running()
    builders.expose(experiment, "u1", "control")
    builders.log(experiment.project, "Order Completed", "u1", at=T0 + HOUR)
    fold()
    assert fold().events == 0
    assert totals(experiment) == [("u1", T0.date(), Decimal(1), Decimal(0), 0)]
