"""Quantiles of many values: read anew after a while, said to be so, and never another metric's."""

from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import event_quantiles, pipeline, quantile_readings
from analysis.models import QuantileReading
from analysis.results.latest import results_of
from analysis.rollup.fold import fold, rebuild
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import Experiment, ExperimentMetric, Metric
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)


@pytest.fixture
def slow(monkeypatch):
    """A running experiment with the median latency of eighty units, which are too many to be read each minute."""
    monkeypatch.setattr(quantile_readings, "VALUES_AN_HOUR", 10)
    home = builders.project()
    made = builders.experiment(home)
    metric = builders.metric(home, "latency", kind=MetricKind.QUANTILE, event="Search", property="ms", level=5000)
    ExperimentMetric.objects.create(experiment=made, metric=metric, role=MetricRole.SECONDARY, position=9)
    _search(made, range(80), ms=0)
    return made


def _search(experiment: Experiment, units: range, *, ms: int) -> None:
    for number in units:
        builders.expose(experiment, f"u{number}", ("control", "treatment")[number % 2])
        builders.log(experiment.project, "Search", f"u{number}", at=T0 + HOUR, ms=ms + number)
    fold()


def _latency(experiment: Experiment):
    results = results_of(pipeline.refresh(experiment))
    return next(one for one in results.metrics if one.key == "latency")


def _value(experiment: Experiment) -> float | None:
    return _latency(experiment).comparisons[0].value


def _reads(monkeypatch) -> list[int]:
    asked, read = [], event_quantiles.read
    monkeypatch.setattr(
        event_quantiles, "read", lambda of, one, *rest: asked.append(one.metric) or read(of, one, *rest)
    )
    return asked


def test_quantile__of_many_values__is_read_once_for_a_while_and_says_when(slow, monkeypatch):
    asked = _reads(monkeypatch)
    first = _latency(slow)
    _search(slow, range(80, 160), ms=500)
    second = _latency(slow)
    assert len(asked) == 1
    assert second.arms == first.arms
    assert "As it was on" in " ".join(second.notes)
    assert "As it was on" not in " ".join(first.notes)


def test_quantile__read_too_long_ago__is_read_anew(slow):
    before = _value(slow)
    _search(slow, range(80, 160), ms=500)
    QuantileReading.objects.update(read_at=timezone.now() - timedelta(hours=7))
    after = _value(slow)
    assert after > before
    assert _value(slow) == after


def test_quantile__of_few_values__is_read_at_each_refresh(slow, monkeypatch):
    monkeypatch.setattr(quantile_readings, "VALUES_AN_HOUR", 80 * 61)
    before = _value(slow)
    _search(slow, range(80, 160), ms=500)
    assert _value(slow) > before


def test_quantile__of_a_stopped_experiment__is_of_all_its_values(slow):
    before = _value(slow)
    _search(slow, range(80, 160), ms=500)
    slow.stopped_at = T0 + 3 * HOUR
    slow.save(update_fields=["stopped_at"])
    assert _value(slow) > before


def test_quantile__whose_level_changed__is_not_what_was_read_of_the_other(slow):
    before = _value(slow)
    Metric.objects.filter(key="latency").update(level=6000)
    assert _value(slow) > before


def test_quantile__of_an_experiment_that_is_rebuilt__is_read_anew(slow):
    _value(slow)
    assert QuantileReading.objects.count() == 2
    rebuild([slow])
    assert QuantileReading.objects.count() == 0


def test_quantile__that_could_not_be_computed__is_kept_with_its_reason(slow, monkeypatch):
    monkeypatch.setattr(quantile_readings, "VALUES_AN_HOUR", 1)
    Metric.objects.filter(key="latency").update(level=9990)
    before = _latency(slow).comparisons
    assert "too few" in str(before)
    asked = _reads(monkeypatch)
    assert _latency(slow).comparisons == before
    assert asked == []


def test_good_for__grows_with_the_values_up_to_a_quarter_of_a_day():
    assert quantile_readings.good_for(5_000_000) == timedelta(minutes=15)
    assert quantile_readings.good_for(10**10) == timedelta(hours=6)
