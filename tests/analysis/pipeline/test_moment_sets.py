"""Moments of all metrics together: as numpy finds them on the units themselves, and kept for good."""

from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from analysis import ages, moment_sets, pipeline, unit_values
from analysis.counted import of_plan
from analysis.details import keeping
from analysis.effect_covariance import effect_covariance
from analysis.models import Enrolment, MomentSet, UnitDay
from analysis.stats.compare import compare
from analysis.stats.estimates import Form
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import ExperimentMetric
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
By = MomentSet.By


@pytest.fixture
def experiment():
    """Purchases, revenue and revenue an order of 120 users over three days, some of whom buy again."""
    home = builders.project()
    made = builders.experiment(home, primary=builders.metric(home))
    revenue = builders.metric(home, "revenue", kind=MetricKind.SUM, property="revenue")
    order = builders.metric(home, "order-value", kind=MetricKind.AVERAGE, property="revenue")
    for metric in (revenue, order):
        ExperimentMetric.objects.create(experiment=made, metric=metric, role=MetricRole.SECONDARY, position=1)
    rng = np.random.default_rng(5)
    for index in range(120):
        variant, at = ("control", "treatment")[index % 2], T0 + (index % 3) * DAY
        builders.expose(made, f"u{index}", variant, at=at, **({"outputs_differ": index % 5 == 0} if index < 60 else {}))
        for order_ in range(int(rng.integers(0, 3))):
            value = round(float(rng.exponential(20)), 2) + (5 if variant == "treatment" else 0)
            builders.log(home, "Order Completed", f"u{index}", at=at + HOUR + order_ * DAY, revenue=value)
    return made


def metrics(experiment):
    return [use.metric for use in experiment.plan.select_related("metric")]


def collected(experiment):
    return moment_sets.collect(experiment, of_plan(experiment))


def table(experiment, variant):
    """One row a unit, straight from the unit totals: bought, revenue, revenue again, orders."""
    totals = {}
    for row in UnitDay.objects.filter(experiment=experiment):
        y, x = totals.get((row.unit, row.metric.key), (0.0, 0.0))
        totals[row.unit, row.metric.key] = (y + float(row.numerator), x + float(row.denominator))
    rows = []
    for unit in Enrolment.objects.filter(experiment=experiment, variant__key=variant).order_by("unit"):
        own = {key: totals.get((unit.unit, key), (0.0, 0.0)) for key in ("purchase-rate", "revenue", "order-value")}
        rows.append([min(1.0, own["purchase-rate"][0]), own["revenue"][0], *own["order-value"]])
    return np.array(rows)


def variant_id(experiment, key):
    return experiment.variants.get(key=key).pk


def test_sets__by_every_kind_of_cell__add_up_to_the_moments_of_the_units(experiment):
    pipeline.refresh(experiment)
    kept = {one.by: moment_sets.unpacked(one) for one in MomentSet.objects.all()}
    units = table(experiment, "treatment")
    for by in (By.BUCKET, By.DAY):
        whole = kept[by].of(variant_id(experiment, "treatment"))
        order = [kept[by].names.index(name) for name in ("purchase-rate", "revenue", "order-value", "order-value/")]
        whole = whole.select(order)
        assert whole.n == 60
        assert whole.mean == pytest.approx(units.mean(axis=0))
        assert whole.comoment / 59 == pytest.approx(np.cov(units.T))
        assert whole.third == pytest.approx(((units - units.mean(axis=0)) ** 3).sum(axis=0), abs=1e-6)


def test_sets__of_one_metric__are_the_moments_that_results_are_made_of(experiment):
    pipeline.refresh(experiment)
    sums = pipeline.moments.collect(experiment)
    cells = moment_sets.newest(experiment)
    revenue = next(metric for metric in metrics(experiment) if metric.key == "revenue")
    for variant in experiment.variants.all():
        exact = sums.final(revenue.pk, MetricKind.SUM, variant.pk)
        found = cells.of(variant.pk).select(cells.place("revenue"))
        assert (found.n, found.mean[0]) == (exact.n, pytest.approx(exact.mean[0]))
        assert found.comoment == pytest.approx(exact.comoment)


def test_sets__by_trigger__hold_only_units_whose_app_has_said(experiment):
    pipeline.refresh(experiment)
    cells = moment_sets.newest(experiment, By.TRIGGER)
    assert {label: int(n) for (_, label), n in zip(cells.keys, cells.matrix.n, strict=True) if label == 1} == {1: 6}
    assert int(cells.matrix.n.sum()) == 60


def test_sets__read_in_several_chunks__are_the_same(experiment, monkeypatch):
    pipeline.refresh(experiment)
    whole = collected(experiment)
    monkeypatch.setattr(unit_values, "CHUNK_UNITS", 17)
    parts = collected(experiment)
    for by in By:
        assert (parts[by].keys == whole[by].keys).all()
        assert parts[by].matrix.packed() == pytest.approx(whole[by].matrix.packed(), abs=1e-9)


def test_sets__without_new_events__are_read_and_not_made_again(experiment, monkeypatch):
    pipeline.refresh(experiment)
    monkeypatch.setattr(moment_sets, "collect", lambda *_: pytest.fail("made again"))
    pipeline.refresh(experiment)


def test_sets__of_many_units_whose_app_says_nothing_of_triggers__are_good_for_a_while(experiment, monkeypatch):
    monkeypatch.setattr(ages, "FEW_UNITS", 100)
    monkeypatch.setattr(ages, "UNITS_AN_HOUR", 120)
    pipeline.refresh(experiment)
    MomentSet.objects.filter(by=By.TRIGGER).update(cells=[], values=[])
    made = MomentSet.objects.get(by=By.DAY).as_of
    plan = of_plan(experiment)
    with monkeypatch.context() as patched:
        patched.setattr(moment_sets, "collect", lambda *_: pytest.fail("all units were read"))
        moment_sets.current(experiment, plan, 10**6, made + timedelta(minutes=50))
    moment_sets.current(experiment, plan, 10**6, made + timedelta(minutes=70))
    assert MomentSet.objects.get(by=By.DAY).as_of == made + timedelta(minutes=70)


def test_sets__of_a_metric_that_changes__stay_beside_the_new_ones(experiment):
    pipeline.refresh(experiment)
    revenue = next(metric for metric in metrics(experiment) if metric.key == "revenue")
    revenue.event = "Order Refunded"
    revenue.save()
    pipeline.refresh(experiment)
    assert MomentSet.objects.filter(by=By.BUCKET).count() == 2
    cells = moment_sets.newest(experiment)
    whole = cells.of(variant_id(experiment, "control")).select(cells.place("revenue"))
    assert whole.mean[0] == 0


def test_effect_covariance__is_that_of_the_units(experiment):
    pipeline.refresh(experiment)
    (found,) = effect_covariance(experiment)
    control, treatment = table(experiment, "control"), table(experiment, "treatment")
    at = [found.metrics.index(key) for key in ("purchase-rate", "revenue")]
    direct = np.cov(control[:, :2].T) / len(control) + np.cov(treatment[:, :2].T) / len(treatment)
    assert found.covariance[np.ix_(at, at)] == pytest.approx(direct)
    assert found.differences[at] == pytest.approx(treatment[:, :2].mean(axis=0) - control[:, :2].mean(axis=0))
    assert np.isfinite(found.log_covariance).all()


def test_effect_covariance__of_a_ratio__is_that_of_its_influence(experiment):
    pipeline.refresh(experiment)
    (found,) = effect_covariance(experiment)
    parts = np.zeros((2, 2))
    logs = np.zeros((2, 2))
    for variant in ("control", "treatment"):
        units = table(experiment, variant)
        ratio = units[:, 2].sum() / units[:, 3].sum()
        influence = np.column_stack([units[:, 1], (units[:, 2] - ratio * units[:, 3]) / units[:, 3].mean()])
        own = np.cov(influence.T) / len(units)
        parts += own
        logs += own / np.outer(*[[units[:, 1].mean(), ratio]] * 2)
    at = [found.metrics.index(key) for key in ("revenue", "order-value")]
    assert found.covariance[np.ix_(at, at)] == pytest.approx(parts)
    assert found.log_covariance[np.ix_(at, at)] == pytest.approx(logs)


def test_effect_covariance__diagonal__is_the_standard_error_of_the_results(experiment):
    pipeline.refresh(experiment)
    (found,) = effect_covariance(experiment)
    cells = moment_sets.newest(experiment)
    arms = [
        cells.of(variant_id(experiment, key)).select(cells.place("order-value")) for key in ("control", "treatment")
    ]
    compared = compare(Form.RATIO, *arms)
    at = found.metrics.index("order-value")
    assert found.covariance[at, at] ** 0.5 == pytest.approx(compared.difference.standard_error)


def test_effect_covariance__before_the_first_result__is_empty(experiment):
    assert effect_covariance(experiment) == []


def test_recompute_check__compares_the_moments_too(experiment, capsys):
    pipeline.refresh(experiment)
    call_command("recompute", "--check")
    assert "0 differences" in capsys.readouterr().out
    kept = MomentSet.objects.get(by=By.BUCKET)
    kept.values[1] += 0.01
    kept.save()
    with pytest.raises(CommandError, match="1 differences"):
        call_command("recompute", "--check")
    assert "moments by bucket" in capsys.readouterr().out


def test_moments_and_details__grow_older_in_proportion_to_the_units_that_must_be_read():
    few, many = ages.good_for(20_000), ages.good_for(200_000)
    assert (few, many, ages.good_for(9_000_000)) == (timedelta(0), timedelta(hours=1), timedelta(hours=6))
    assert ages.good_for(100_000) == timedelta(minutes=30)
    of_details = [keeping.good_for(units) for units in (1000, 100_000, 200_000, 9_000_000)]
    assert of_details == [timedelta(minutes=10), timedelta(hours=3), timedelta(hours=6), timedelta(hours=6)]
