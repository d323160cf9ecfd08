"""Breakdowns: by what the first exposure said, tested together, shrunk, and never by what people cannot read."""

import json
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection

from analysis import counted
from analysis.details import breakdowns
from analysis.details.schema import Breakdown
from analysis.models import Enrolment, UnitDay
from analysis.stats.estimates import Form, estimate
from analysis.stats.heterogeneity import Effect, heterogeneity
from analysis.stats.lift import delta_lift
from analysis.stats.moments import Moments
from experiments.domain.metrics import MetricKind
from experiments.models import Experiment
from tests import builders
from tests.builders import T0

UNITS = 1200
HORIZON = T0 + timedelta(days=10)
PLATFORMS = ["ios", "android", "web"]


@pytest.fixture(scope="module")
def spent():
    """One number a unit; the treatment gains on ios alone."""
    draw, units = np.random.default_rng(5), np.arange(UNITS)
    gains = (units % 2 == 1) & (units // 2 % 3 == 0)
    return np.round(draw.gamma(4.0, size=UNITS) * np.where(gains, 1.6, 1.0), 3)


def said(unit: int) -> dict[str, object]:
    return {
        "platform": PLATFORMS[unit // 2 % 3],
        "returning": unit // 6 % 2 == 0,
        "session": f"s{unit}",
        "score": unit % 2,
        "variation_name": f"Ranker v{unit % 2 + 7}",
    }


@pytest.fixture
def shop(db, spent) -> Experiment:
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home, "spent", kind=MetricKind.SUM, property="amount"))
    arms, metric = list(made.variants.all()), made.plan.first().metric
    Enrolment.objects.bulk_create(
        Enrolment(experiment=made, unit=f"u{unit}", variant=arms[unit % 2], first_at=T0, bucket=0)
        for unit in range(UNITS)
    )
    UnitDay.objects.bulk_create(
        UnitDay(experiment=made, metric=metric, unit=f"u{unit}", day=T0.date(), numerator=str(value), denominator=0)
        for unit, value in enumerate(spent)
        if unit % 10  # every tenth unit did nothing, and is a zero
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_log (project_id, id, ts, at, received_at, name, user_id, experiment, variant,"
            " environment, props) SELECT %s, gen_random_uuid(), %s, %s, %s, 'Experiment Viewed', u.unit, %s, 'control',"
            " 0, u.props::jsonb FROM unnest(%s::text[], %s::text[]) AS u(unit, props)",
            [
                home.pk, T0, T0, T0, made.key, [f"u{unit}" for unit in range(UNITS)],
                [json.dumps(said(unit)) for unit in range(UNITS)],
            ],
        )  # fmt: skip
    builders.expose(made, "u0", "control", at=T0 + timedelta(hours=1), platform="changed later")
    return made


def found(made: Experiment) -> dict[str, Breakdown]:
    (metric,) = counted.of_plan(made)
    return {one.name: one for one in breakdowns.collect(made, [metric], {}, HORIZON.isoformat())[metric.metric]}


def test_breakdowns__are_what_the_statistics_say_of_the_same_units(shop, spent):
    one = found(shop)["platform"]
    values = np.where(np.arange(UNITS) % 10 == 0, 0.0, spent)
    effects = {}
    for place, platform in enumerate(PLATFORMS):
        own = np.arange(UNITS) // 2 % 3 == place
        arms = [estimate(Form.MEAN, Moments.from_values(values[own & (np.arange(UNITS) % 2 == arm)])) for arm in (0, 1)]
        lift = delta_lift(*arms)
        effects[platform] = Effect(value=lift.value, standard_error=lift.standard_error)
    known = heterogeneity(effects)
    assert one.p_value == pytest.approx(known.p_value, rel=1e-6)
    assert {level.level: level.lift for level in one.levels} == pytest.approx(
        {name: shrunk.value for name, shrunk in known.shrunk.items()}
    )
    assert {level.units for level in one.levels} == {UNITS // 3}
    assert one.differs


def test_breakdowns__share_the_risk_and_leave_out_what_no_one_can_read(shop):
    made = found(shop)
    assert set(made) == {
        "platform",
        "returning",
    }  # not the session, whose levels are as many as the units; nor what the exposure says of itself
    assert {one.tested for one in made.values()} == {2}
    assert made["platform"].adjusted_p_value == pytest.approx(min(1.0, 2 * made["platform"].p_value))
    assert not made["returning"].differs


def test_breakdowns__without_properties__are_none(db):
    home = builders.project()
    bare = builders.experiment(home, primary=builders.metric(home))
    metrics = counted.of_plan(bare)
    assert breakdowns.collect(bare, metrics, {}, HORIZON.isoformat()) == {}
