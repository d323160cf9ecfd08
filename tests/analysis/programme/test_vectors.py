"""Effect vectors: those of the moments, written with every result, and read back as they were."""

from datetime import timedelta

import numpy as np
import pytest

from analysis import moment_sets, pipeline
from analysis.effect_covariance import effect_covariance
from analysis.models import EffectVector
from analysis.programme import vectors
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricKind, MetricRole
from experiments.models import Experiment, ExperimentMetric
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.usefixtures("log")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AFTER = T0 + 400 * DAY


@pytest.fixture
def experiment():
    """Purchases, revenue and revenue an order of 300 users, under a plan that is over."""
    home = builders.project("shop")
    made = builders.experiment(home, primary=builders.metric(home))
    for key, kind in (("revenue", MetricKind.SUM), ("order-value", MetricKind.AVERAGE)):
        metric = builders.metric(home, key, kind=kind, property="revenue")
        ExperimentMetric.objects.create(experiment=made, metric=metric, role=MetricRole.SECONDARY, position=1)
    rng = np.random.default_rng(5)
    for index in range(300):
        variant = ("control", "treatment")[index % 2]
        builders.expose(made, f"u{index}", variant)
        for order in range(int(rng.integers(0, 3))):
            value = round(float(rng.exponential(20)), 2) + (5 if variant == "treatment" else 0)
            builders.log(home, "Order Completed", f"u{index}", at=T0 + HOUR + order * DAY, revenue=value)
    return made


def load(experiment, now=AFTER):
    return vectors.load(experiment.project, now)


def test_vector__with_each_result__is_the_effects_of_the_moments(experiment):
    pipeline.refresh(experiment)
    (found,) = load(experiment)
    (direct,) = effect_covariance(experiment)
    assert list(found.metrics) == direct.metrics
    assert found.log_lifts == pytest.approx(direct.log_lifts)
    assert found.log_covariance == pytest.approx(direct.log_covariance)
    assert found.differences == pytest.approx(direct.differences)
    assert found.variances == pytest.approx(np.diag(direct.covariance))
    assert found.units == 300
    assert (found.key, found.treatment, found.family, found.shipped) == ("new-ranker", "", "", False)


def test_vector__again_without_new_events__is_not_made_again(experiment, monkeypatch):
    pipeline.refresh(experiment)
    monkeypatch.setattr(vectors, "between", lambda *_: pytest.fail("made again"))
    pipeline.refresh(experiment)
    assert EffectVector.objects.count() == 1


def test_vector__of_new_events__is_replaced(experiment):
    pipeline.refresh(experiment)
    before = load(experiment)[0].log_lifts
    builders.expose(experiment, "late", "treatment")
    pipeline.refresh(experiment)
    assert EffectVector.objects.count() == 1
    assert load(experiment)[0].units == 301
    assert (load(experiment)[0].log_lifts != before).all()


def test_vector__of_a_metric_that_changes__stays_and_the_newer_one_is_read(experiment):
    pipeline.refresh(experiment)
    metric = experiment.plan.get(metric__key="revenue").metric
    metric.event = "Order Refunded"
    metric.save()
    pipeline.refresh(experiment)
    assert EffectVector.objects.count() == 2
    (found,) = load(experiment)
    assert np.isnan(found.log_lifts[found.place("revenue")])


def test_folds__weighed_by_units__average_to_the_whole_and_follow_the_folds_own_users(experiment):
    pipeline.refresh(experiment)
    (found,) = load(experiment)
    cells = moment_sets.newest(experiment)
    arms = [cells.buckets(variant.pk) for variant in experiment.variants.all()]
    folds = [arm.merge(np.arange(50) % vectors.FOLDS, vectors.FOLDS) for arm in arms]
    place = cells.place("revenue")[0]
    whole = [float(arm.merge(np.zeros(50, dtype=np.int64), 1).mean[0, place]) for arm in arms]
    own = [fold.mean[:, place] / mean - 1 for fold, mean in zip(folds, whole, strict=True)]
    at = found.place("revenue")
    assert found.folds[:, at] == pytest.approx(found.log_lifts[at] + own[1] - own[0])
    weighed = [float(fold.n @ one) for fold, one in zip(folds, own, strict=True)]
    assert weighed == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("changed", "counted"),
    [
        ({}, 1),
        ({"status": Status.STOPPED, "stopped_at": T0 + 3 * DAY}, 1),
        ({"planned_days": 500}, 0),
        ({"kind": ExperimentKind.HOLDOUT}, 0),
        ({"phase": 2}, 0),
    ],
)
def test_load__takes_what_is_over_or_past_its_plan_and_compares_changes(experiment, changed, counted):
    pipeline.refresh(experiment)
    Experiment.objects.filter(pk=experiment.pk).update(**changed)
    assert len(load(experiment)) == counted
    assert all(one.stopped_early for one in load(experiment)) or not changed.get("stopped_at")


def test_load__of_a_broken_split__leaves_it_out(experiment):
    pipeline.refresh(experiment)
    EffectVector.objects.update(trustworthy=False)
    assert load(experiment) == []


def test_version__changes_with_results_and_states(experiment):
    empty = vectors.version(experiment.project)
    pipeline.refresh(experiment)
    first = vectors.version(experiment.project)
    Experiment.objects.update(status=Status.STOPPED, stopped_at=T0 + DAY)
    assert len({empty, first, vectors.version(experiment.project)}) == 3


def test_load__of_many__is_one_query(experiment, django_assert_num_queries):
    pipeline.refresh(experiment)
    kept = EffectVector.objects.get()
    for index in range(5):
        other = builders.experiment(experiment.project, f"other-{index}")
        kept.pk, kept.experiment, kept.variant = None, other, other.variants.get(position=1)
        kept.save()
    with django_assert_num_queries(1):
        assert len(load(experiment)) == 6
