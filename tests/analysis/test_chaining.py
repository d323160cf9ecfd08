"""The chain from folded units to the result: what it says to look at comes from the same refresh."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from analysis import pipeline
from analysis.models import Enrolment, FoldedProject, UnitDay
from analysis.results.chain import ChainEnd
from analysis.results.latest import results_of
from analysis.results.schema import Results
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import DisplayUnit, MetricKind, MetricRole
from experiments.models import Experiment, ExperimentMetric, ModelVersion, OfflineMetric
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.django_db
UNITS, DAYS = 400, 6
END = T0 + timedelta(days=12)


@pytest.fixture
def faded() -> Experiment:
    """A ranker that brings clicks which halve from day to day, and no revenue."""
    home = builders.project()
    clicks = builders.metric(home, "clicks", kind=MetricKind.COUNT, event="Product Clicked")
    money = builders.metric(
        home, "revenue", kind=MetricKind.SUM, property="revenue", display_unit=DisplayUnit.CURRENCY
    )  # fmt: skip
    made = builders.experiment(
        home, primary=clicks, status=Status.STOPPED, stopped_at=END, planned_days=12, started_at=T0
    )  # fmt: skip
    ExperimentMetric.objects.create(experiment=made, metric=money, role=MetricRole.SECONDARY)
    arms = list(made.variants.all())
    for arm, value in zip(arms, (0.40, 0.43), strict=True):
        arm.model_version = ModelVersion.objects.create(project=home, name="ranker", version=arm.key)
        OfflineMetric.objects.create(model_version=arm.model_version, name="NDCG@10", value=value, direction="increase")
        arm.save(update_fields=["model_version"])
    Enrolment.objects.bulk_create(
        Enrolment(experiment=made, unit=f"u{unit}", variant=arms[unit % 2], first_at=T0, bucket=unit % 50)
        for unit in range(UNITS)
    )
    random = np.random.default_rng(8)
    gain = np.outer(np.arange(UNITS) % 2, 4.0 * 0.5 ** np.arange(DAYS))
    values = {clicks: random.poisson(3.0 + gain), money: random.gamma(20.0, size=(UNITS, DAYS)).round(2)}
    UnitDay.objects.bulk_create(
        UnitDay(experiment=made, metric=metric, unit=f"u{unit}", day=(T0 + timedelta(days=day)).date(),
                numerator=str(drawn[unit, day]), denominator=0)
        for metric, drawn in values.items() for unit in range(UNITS) for day in range(DAYS)
    )  # fmt: skip
    FoldedProject.objects.create(project=home, data_up_to=END, newest_at=END, events=1)
    return made


def read(made: Experiment) -> Results:
    snapshot = pipeline.refresh_if_due(made, timezone.now())
    assert snapshot is not None
    return results_of(snapshot)


def test_chain__clicks_that_wear_off__are_said_where_the_gain_stopped_in_the_first_result(faded):
    (chain,) = read(faded).chains
    assert chain.verdict is ChainEnd.STOPPED_AT_PROXY
    (novelty,) = [one for one in chain.look_at if one.key == "novelty"]
    assert novelty.finding.startswith("The effect on clicks, on the same users: +")
    assert "on day 5 after it (p < 0.001)" in novelty.finding


def test_chain__before_the_planned_end__says_nothing_of_wearing_off(faded):
    Experiment.objects.filter(pk=faded.pk).update(status=Status.RUNNING, stopped_at=None, planned_days=400)
    faded.refresh_from_db()
    (chain,) = read(faded).chains
    assert [one.key for one in chain.look_at if one.key == "novelty"] == []


def test_chain__of_a_holdback__is_none_and_its_verdict_leads_to_what_it_is_held_to(faded):
    launched = builders.experiment(faded.project, "ranker", status=Status.STOPPED)
    Experiment.objects.filter(pk=faded.pk).update(kind=ExperimentKind.HOLDBACK.value, parent=launched)
    faded.refresh_from_db()
    results = read(faded)
    assert results.chains == []
    assert results.verdict.next_step.startswith(f"Nothing is decided here: {launched.name} has shipped.")
