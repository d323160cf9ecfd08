from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import pipeline
from analysis.models import ResultSnapshot
from analysis.results.latest import latest, results_of
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind
from experiments.domain.units import UnitType
from experiments.models import ModelVersion
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


def test_refresh__values_that_are_no_numbers__are_said_beside_the_metric():
    home = builders.project()
    revenue = builders.metric(home, "revenue", kind=MetricKind.SUM, property="revenue")
    experiment = builders.experiment(home, primary=revenue)
    builders.expose(experiment, "u1", "control")
    for value in ("ten", 10):
        builders.log(home, "Order Completed", "u1", at=T0 + HOUR, revenue=value)
    (metric,) = results_of(pipeline.refresh(experiment)).metrics
    assert "1 event carries no number in the property 'revenue', and add nothing." in metric.comparisons[0].warnings


def test_refresh__exposures_it_cannot_use__fail_a_check_that_says_what_to_do():
    home = builders.project()
    experiment = builders.experiment(home, started_at=timezone.now() - DAY, unit_type=UnitType.SESSION)
    for _ in range(2):
        builders.expose(experiment, "u1", "contrl", at=timezone.now(), session_id="s1")
    builders.expose(experiment, "u1", "control", at=timezone.now())
    checks = {check.key: check for check in results_of(pipeline.refresh(experiment)).health.checks}
    assert checks["unknown-variants"].summary == "2 exposures name no variant of this experiment: 'contrl'"
    assert checks["exposures-without-unit"].what_to_do == "Send the property session_id with every event."


def test_refresh__a_single_stray_exposure__is_counted_as_one():
    experiment = builders.experiment(builders.project(), started_at=timezone.now() - DAY)
    builders.expose(experiment, "u1", "contrl", at=timezone.now())
    checks = {check.key: check for check in results_of(pipeline.refresh(experiment)).health.checks}
    assert checks["unknown-variants"].summary.startswith("1 exposure names no variant")


def test_refresh__a_mistake_put_right_yesterday__is_said_no_more():
    experiment = shop()
    builders.expose(experiment, "u1", "contrl", at=T0)
    keys = {check.key for check in results_of(pipeline.refresh(experiment)).health.checks}
    assert "unknown-variants" not in keys


def test_refresh__data_up_to__never_passes_the_stop():
    home = builders.project()
    stopped = builders.experiment(home, primary=builders.metric(home), status=Status.STOPPED, stopped_at=T0 + HOUR)
    builders.expose(stopped, "u1", "control", at=T0)
    builders.log(home, "Order Completed", "u1", at=T0 + DAY)
    assert results_of(pipeline.refresh(stopped)).data_up_to == T0 + HOUR


def test_refresh__nobody_exposed_yet__says_so_and_computes_nothing():
    home = builders.project()
    results = results_of(pipeline.refresh(builders.experiment(home, primary=builders.metric(home))))
    assert results.metrics[0].comparisons[0].difference is None
    assert (results.effect_over_time[0].points, results.exposures_per_day) == ([], [])


def test_refresh__of_a_draft__is_refused_with_what_to_do():
    draft = builders.experiment(builders.project(), status=Status.DRAFT)
    with pytest.raises(pipeline.NotStartedError, match="start it first"):
        pipeline.refresh(draft)


def test_refresh__says_how_far_it_is():
    said = []
    pipeline.refresh(shop(), lambda percent, step: said.append((percent, step)))
    assert [step for _, step in said][-3:] == ["Adding up units", "Comparing the variants", "Writing the result"]
    assert [percent for percent, _ in said] == sorted(percent for percent, _ in said)


def test_refresh__details_of_a_model_that_fail__do_not_hold_its_result_back(monkeypatch):
    experiment = shop()
    version = ModelVersion.objects.create(project=experiment.project, name="ranker", version="8")
    experiment.variants.filter(key="treatment").update(model_version=version)

    tried = []

    def broken(*_args):
        tried.append(1)
        raise ValueError("a detail that cannot be counted")

    monkeypatch.setattr(pipeline.details, "keep", broken)
    with pytest.raises(ValueError, match="cannot be counted"):
        pipeline.refresh(experiment)
    assert [one.units for one in results_of(latest(experiment)).variants] == [40, 40]
    assert len(tried) == 1, "what failed is not tried again before it is told"
