from datetime import timedelta

import pytest

from analysis import pipeline
from analysis.models import ResultSnapshot
from analysis.results.latest import latest, results_of
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def shop(units=40, buyers=(4, 9)):
    home = builders.project()
    experiment = builders.experiment(home, primary=builders.metric(home))
    for variant, bought in zip(("control", "treatment"), buyers, strict=True):
        for index in range(units):
            unit = f"{variant}-{index}"
            builders.expose(experiment, unit, variant, at=T0 + (index % 3) * DAY)
            if index < bought:
                builders.log(home, "Order Completed", unit, at=T0 + (index % 3) * DAY + HOUR)
    return experiment


def test_refresh__a_small_shop__writes_its_counts_and_rates():
    experiment = shop()
    results = results_of(pipeline.refresh(experiment))
    (metric,) = results.metrics
    (comparison,) = metric.comparisons
    assert [variant.units for variant in results.variants] == [40, 40]
    assert (comparison.control_value, comparison.value) == (0.1, 0.225)
    assert results.effect_over_time[0].points[-1].difference == pytest.approx(0.125)


def test_refresh__twice__writes_two_snapshots_with_the_same_numbers():
    experiment = shop()
    first, second = (results_of(pipeline.refresh(experiment)) for _ in range(2))
    assert first.metrics == second.metrics
    assert ResultSnapshot.objects.filter(experiment=experiment).count() == 2
    assert results_of(latest(experiment)).as_of == second.as_of
