from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from experiments import lifecycle
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import MetricRole
from experiments.domain.ramps import RampStep
from experiments.lifecycle import ShipError
from experiments.models import AuditEntry, Experiment, ExperimentMetric
from tests import builders
from tests.builders import T0

LATER = T0 + timedelta(days=14)


@pytest.fixture
def running(shop, purchase) -> Experiment:
    return builders.experiment(shop, primary=purchase, targeting={"country": "SE"})


def treatment(of: Experiment):
    return of.variants.get(position=1)


def test_ship__without_a_holdback__stops_and_says_what_everyone_gets(running, alice):
    assert lifecycle.ship(running, treatment(running), 0, alice, "Better", at=LATER)
    assert (running.status, running.stopped_at, running.shipped_at) == (Status.STOPPED, LATER, LATER)
    assert (running.shipped_variant, running.shipped_share, running.holdback_share) == (treatment(running), 10_000, 0)
    assert not running.follow_ups.exists()


def test_ship__with_a_holdback__follows_the_same_units_with_the_same_metrics(running, shop, alice):
    latency = builders.metric(shop, "latency")
    ExperimentMetric.objects.create(
        experiment=running, metric=latency, role=MetricRole.GUARDRAIL, margin=200, position=1
    )
    builders.an_override(running, "qa-1")
    lifecycle.ship(running, treatment(running), 500, alice, "Better", at=LATER)
    held = running.follow_ups.get()
    assert (held.key, held.kind, held.status, held.started_at) == ("new-ranker-holdback", "holdback", "running", LATER)
    assert (held.salt, held.unit_type, held.targeting) == (running.salt, running.unit_type, {"country": "SE"})
    assert list(held.variants.values_list("key", "weight", "position")) == [("control", 500, 0), ("treatment", 9500, 1)]
    assert list(held.plan.values_list("metric__key", "role", "margin")) == [
        ("purchase-rate", "primary", None),
        ("latency", "guardrail", 200),
    ]
    assert list(held.overrides.values_list("unit_id", "variant__key")) == [("qa-1", "treatment")]


def test_ship__twice__ships_once(running, alice):
    lifecycle.ship(running, treatment(running), 500, alice, "Better")
    assert not lifecycle.ship(running, treatment(running), 500, alice, "Better")
    assert Experiment.objects.filter(kind=ExperimentKind.HOLDBACK).count() == 1
    assert AuditEntry.objects.filter(action="experiment.ship").count() == 1


def test_ship__the_second_of_three__holds_back_against_the_control(shop, alice):
    running = builders.experiment(shop, weights=(4000, 3000, 3000))
    lifecycle.ship(running, running.variants.get(position=2), 1000, alice, "Better")
    held = running.follow_ups.get()
    assert list(held.variants.values_list("key", "weight")) == [("control", 1000), ("treatment-2", 9000)]


def test_ship__another_variant_afterwards__is_refused(shop, alice):
    running = builders.experiment(shop, weights=(4000, 3000, 3000))
    lifecycle.ship(running, running.variants.get(position=2), 0, alice, "Better")
    with pytest.raises(ShipError, match="has shipped another variant"):
        lifecycle.ship(running, running.variants.get(position=1), 0, alice, "Better still")


@pytest.mark.parametrize("share", [50, 2001, 5000])
def test_ship__a_holdback_too_small_or_large__says_what_may_be(running, alice, share):
    with pytest.raises(ShipError, match="choose 0 %, or 1 % to 20 %"):
        lifecycle.ship(running, treatment(running), share, alice, "Better")
    running.refresh_from_db()
    assert running.status == Status.RUNNING


def test_ship__a_holdback_larger_than_the_control__is_refused(shop, alice):
    running = builders.experiment(shop, weights=(300, 9700))
    with pytest.raises(ShipError, match=r"or 1 % to 3 %\. More than the control had"):
        lifecycle.ship(running, treatment(running), 500, alice, "Better")


def test_ship__the_control_a_draft_or_a_foreign_variant__is_refused(running, shop, alice):
    with pytest.raises(ShipError, match=r"is the control\. Stop the experiment"):
        lifecycle.ship(running, running.variants.get(position=0), 0, alice, "Better")
    draft = builders.experiment(shop, "draft", status=Status.DRAFT)
    with pytest.raises(ShipError, match="is a draft"):
        lifecycle.ship(draft, treatment(draft), 0, alice, "Better")
    with pytest.raises(ShipError, match="is no variant of New ranker"):
        lifecycle.ship(running, treatment(draft), 0, alice, "Better")
    with pytest.raises(ShipError, match="Say why"):
        lifecycle.ship(running, treatment(running), 0, alice, " ")


def test_ship__a_stopped_experiment__keeps_when_it_stopped(running, alice):
    lifecycle.stop(running, alice, "Enough", at=T0 + timedelta(days=7))
    lifecycle.ship(running, treatment(running), 500, alice, "Better", at=LATER)
    assert (running.stopped_at, running.shipped_at) == (T0 + timedelta(days=7), LATER)


def test_ship__in_a_layer__keeps_the_places_for_those_held_back(shop, alice):
    layer = builders.a_layer(shop)
    running = builders.experiment(shop, layer=layer, layer_ranges=[[0, 6000]])
    lifecycle.ship(running, treatment(running), 500, alice, "Better")
    assert running.follow_ups.get().layer_ranges == [[0, 6000]]
    with pytest.raises(lifecycle.ShipError, match="only an experiment's variant is shipped"):
        lifecycle.ship(running.follow_ups.get(), running.follow_ups.get().variants.get(position=1), 0, alice, "Done")


def test_ship__places_that_others_have_taken__is_refused_with_a_holdback_alone(shop, alice):
    layer = builders.a_layer(shop)
    stopped = builders.experiment(shop, status=Status.STOPPED, layer=layer, layer_ranges=[[0, 6000]])
    builders.experiment(shop, "next", layer=layer, layer_ranges=[[5000, 9000]])
    with pytest.raises(ShipError, match="Next has taken the places of New ranker in the layer Checkout"):
        lifecycle.ship(stopped, treatment(stopped), 500, alice, "Better")
    assert lifecycle.ship(stopped, treatment(stopped), 0, alice, "Better")


def test_ship__by_a_ramp__begins_no_lower_than_who_has_it(running, alice):
    steps = (RampStep(share=2500, after_hours=24), RampStep(share=10_000))
    with pytest.raises(ShipError, match="50 % have Treatment already, and the ramp begins with 25 %"):
        lifecycle.ship(running, treatment(running), 0, alice, "Better", steps)
    lifecycle.pause(running, alice, "Nobody has it now")
    assert lifecycle.ship(running, treatment(running), 0, alice, "Better", steps)
    assert running.shipped_share == 2500


def test_ship__a_follow_ups_key_that_is_taken__gets_the_next(running, shop, alice):
    builders.a_flag(shop, "new-ranker-holdback")
    lifecycle.ship(running, treatment(running), 500, alice, "Better")
    assert running.follow_ups.get().key == "new-ranker-holdback-2"


def test_withdraw__twice__gives_everyone_the_control_and_stops_the_holdback_once(running, alice):
    lifecycle.ship(running, treatment(running), 500, alice, "Better")
    assert lifecycle.withdraw(running, alice, "It did not last", at=LATER)
    assert not lifecycle.withdraw(running, alice, "It did not last")
    assert (running.shipped_variant, running.holdback_share, running.status) == (None, 0, Status.STOPPED)
    held = running.follow_ups.get()
    assert (held.status, held.stopped_at) == (Status.STOPPED, LATER)
    assert lifecycle.ship(running, treatment(running), 0, alice, "It does, after all")


def test_pause__a_holdback_or_holdout__is_refused(running, shop, alice):
    lifecycle.ship(running, treatment(running), 500, alice, "Better")
    for kept in (running.follow_ups.get(), builders.a_holdout(shop)):
        with pytest.raises(lifecycle.RefusedError, match="show its units what is kept from them"):
            lifecycle.pause(kept, alice, "Wait")


def test_database__a_running_experiment_that_is_shipped__is_refused(running):
    with pytest.raises(IntegrityError, match="only_a_stopped_experiment_is_shipped"), transaction.atomic():
        Experiment.objects.filter(pk=running.pk).update(shipped_variant=treatment(running), shipped_at=T0)
