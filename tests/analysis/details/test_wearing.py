"""Whether an effect wears off: units followed for full days alone, held to numpy on the same units."""

from datetime import timedelta

import numpy as np
import pytest

from analysis import counted
from analysis.details import wearing
from analysis.details.schema import Wearing
from analysis.models import Enrolment, UnitDay
from analysis.stats.moments import Moments
from analysis.stats.novelty import Trend, time_course
from analysis.stats.unavailable import NotComputable
from experiments.domain.metrics import MetricKind
from experiments.models import Experiment
from tests import builders
from tests.builders import T0

UNITS = 300
DAYS = 5
HORIZON = T0 + timedelta(days=10)


@pytest.fixture(scope="module")
def visits():
    """Shape (units, days): what each unit does on its first days; the treatment's gain of 3 a day halves every day."""
    draw = np.random.default_rng(3)
    gain = 3.0 * 0.5 ** np.arange(DAYS)
    return np.round(draw.gamma(2.0, size=(UNITS, DAYS)) + np.outer(np.arange(UNITS) % 2, gain), 3)


@pytest.fixture
def shop(db, visits) -> Experiment:
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home, "spent", kind=MetricKind.SUM, property="amount"))
    arms, metric = list(made.variants.all()), made.plan.first().metric
    Enrolment.objects.bulk_create(
        Enrolment(
            experiment=made, unit=f"u{unit}", variant=arms[unit % 2], first_at=T0 + timedelta(days=unit % 3), bucket=0
        )
        for unit in range(UNITS)
    )
    late = Enrolment(experiment=made, unit="late", variant=arms[1], first_at=T0 + timedelta(days=8), bucket=0)
    late.save(force_insert=True)
    rows = [(f"u{unit}", unit % 3 + day, visits[unit, day]) for unit in range(UNITS) for day in range(DAYS)]
    UnitDay.objects.bulk_create(
        UnitDay(
            experiment=made, metric=metric, unit=unit, day=(T0 + timedelta(days=day)).date(), numerator=str(value),
            denominator=0,
        )
        for unit, day, value in [*rows, ("late", 8, 10_000.0)]
    )  # fmt: skip
    return made


def found(made: Experiment, horizon=HORIZON) -> Wearing:
    (metric,) = counted.of_plan(made)
    (one,) = wearing.collect(made, [metric], made.counts_from, horizon)[metric.metric]
    return one


def test_wearing__is_what_numpy_says_of_the_same_units__late_comers_left_out(shop, visits):
    one = found(shop)
    control, treated = (Moments.from_values(visits[arm::2]) for arm in (0, 1))
    known = time_course(control, treated)
    assert one.units == UNITS
    assert one.until == (T0 + timedelta(days=5)).date()
    assert [point.difference for point in one.points] == pytest.approx(list(known.effects))
    assert one.slope_p_value == pytest.approx(known.slope_p_value, rel=1e-6)
    assert one.p_value == pytest.approx(known.p_value, rel=1e-6)
    assert one.trend == Trend.NOVELTY


def test_wearing__before_four_days__says_why_not(shop):
    assert found(shop, T0 + timedelta(days=3)).reason == "a change with time shows after four full days at the earliest"


def test_wearing__of_few_units__says_why_not(shop):
    Enrolment.objects.filter(unit__gt="u2").delete()
    assert "fewer than 100 units a variant" in found(shop).reason


def test_cohort__follows_half_of_the_time__a_week_at_most():
    days = [wearing.cohort(T0, T0 + timedelta(days=elapsed)) for elapsed in (3, 4, 9, 40)]
    assert isinstance(days[0], NotComputable)
    assert [one.days for one in days[1:]] == [2, 4, 7]
    assert days[3].last == (T0 + timedelta(days=33)).date()
