from datetime import timedelta

import pytest
from msgspec import structs

from analysis.ramp_guard import objection
from analysis.results.schema import Reading
from experiments import lifecycle
from experiments.domain.metrics import MetricRole
from experiments.domain.ramps import RampStep
from experiments.models import Experiment, ExperimentMetric, Project
from experiments.schedule import What, move_due
from tests import builders
from tests.builders import T0

pytestmark = pytest.mark.django_db
STEPS = (RampStep(share=2500, after_hours=24), RampStep(share=10_000))
LATER = T0 + timedelta(hours=20)


@pytest.fixture
def home() -> Project:
    return builders.project()


def ramped(home: Project, *, guarded: bool = True) -> Experiment:
    made = builders.experiment(home, allocation=1000, primary=builders.metric(home))
    if guarded:
        latency = builders.metric(home, "page-latency")
        ExperimentMetric.objects.create(experiment=made, metric=latency, role=MetricRole.GUARDRAIL, margin=200)
    lifecycle.set_ramp(made, None, STEPS, at=T0)
    return made


def shown(of: Experiment, *, latency=Reading.NO_CLEAR_CHANGE, crossed: bool | None = False, at=LATER, **fields) -> None:
    guardrail = builders.metric_result(
        "page-latency", builders.comparison(reading=latency, margin_crossed=crossed), role="guardrail"
    )
    builders.snapshot(of, structs.replace(builders.results(of, **fields), metrics=[guardrail], as_of=at))


def test_objection__a_sound_result__is_none(home):
    experiment = ramped(home)
    shown(experiment)
    assert objection(experiment) is None


def test_objection__a_guardrail_beyond_its_margin__names_it(home):
    experiment = ramped(home)
    shown(experiment, latency=Reading.WORSE, crossed=True)
    assert objection(experiment) == "Page latency crossed its limit in treatment."


def test_objection__a_guardrail_that_is_worse__names_it(home):
    experiment = ramped(home)
    shown(experiment, latency=Reading.WORSE, crossed=None)
    assert objection(experiment) == "Page latency is worse in treatment."


def test_objection__a_broken_split__names_the_check(home):
    experiment = ramped(home)
    shown(experiment, health=builders.broken_health())
    assert objection(experiment).startswith("The results cannot be trusted. Traffic split: 51.1 / 48.9")


def test_objection__guardrails_and_no_result_of_this_step__waits(home):
    experiment = ramped(home)
    assert "nothing is known of Page latency" in objection(experiment)
    shown(experiment, at=T0 - timedelta(hours=1))
    assert "nothing is known of Page latency" in objection(experiment)


def test_objection__no_guardrail_and_no_result__goes_by_time(home):
    assert objection(ramped(home, guarded=False)) is None


def test_objection__of_a_shipped_variant__is_its_holdbacks(home):
    experiment = builders.experiment(home, primary=builders.metric(home), allocation=1000)
    lifecycle.ship(experiment, experiment.variants.get(position=1), 500, None, "Better", STEPS, at=T0)
    shown(experiment, latency=Reading.WORSE, crossed=True)
    assert objection(experiment) is None
    shown(experiment.follow_ups.get(), latency=Reading.WORSE, crossed=True)
    assert "crossed its limit" in objection(experiment)


def test_schedule__asks_results_by_itself(home):
    shown(experiment := ramped(home), latency=Reading.WORSE, crossed=True)
    (move,) = move_due(T0 + timedelta(hours=24))
    assert (move.experiment, move.what, move.why) == (
        experiment.pk,
        What.HELD,
        "Page latency crossed its limit in treatment.",
    )
