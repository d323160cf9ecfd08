from datetime import timedelta

import pytest

from experiments import lifecycle
from experiments.domain.lifecycle import Status
from experiments.domain.ramps import RampStep
from experiments.lifecycle import TrafficError
from experiments.models import AuditEntry, Experiment
from tests import builders
from tests.builders import T0

STEPS = (RampStep(share=500, after_hours=24), RampStep(share=2500, after_hours=24), RampStep(share=10_000))


@pytest.fixture
def running(shop, purchase) -> Experiment:
    return builders.experiment(shop, allocation=2000, primary=purchase)


def test_grow__a_running_experiment__takes_in_more(running, alice):
    assert lifecycle.grow_traffic(running, alice, 5000, "All is well.")
    assert not lifecycle.grow_traffic(running, alice, 5000)
    assert running.allocation == 5000
    row = AuditEntry.objects.get()
    assert (row.before, row.after, row.why) == ({"allocation": 2000}, {"allocation": 5000}, "All is well.")


def test_grow__to_less__says_why_not_and_what_to_do(running, alice):
    with pytest.raises(TrafficError, match=r"20 % of the traffic takes part and 10 % was asked for.*start a new phase"):
        lifecycle.grow_traffic(running, alice, 1000)


def test_grow__a_draft__may_also_shrink(shop, alice):
    draft = builders.experiment(shop, status=Status.DRAFT)
    assert lifecycle.grow_traffic(draft, alice, 100)


@pytest.mark.parametrize("share", [0, -1, 10_001])
def test_grow__to_no_share__is_refused(running, alice, share):
    with pytest.raises(TrafficError, match="more than 0 % and at most 100 %"):
        lifecycle.grow_traffic(running, alice, share)


def test_grow__a_stopped_experiment_or_holdout__is_refused(shop, alice):
    with pytest.raises(TrafficError, match="has stopped"):
        lifecycle.grow_traffic(builders.experiment(shop, "a", status=Status.STOPPED), alice, 10_000)
    with pytest.raises(TrafficError, match="is a holdout"):
        lifecycle.grow_traffic(builders.a_holdout(shop), alice, 10_000)


def test_new_phase__with_other_weights__deals_everyone_anew(running, alice):
    salt = running.salt
    weights = {"control": 8000, "treatment": 2000}
    assert lifecycle.new_phase(running, alice, "The logger lost events.", weights=weights, allocation=1000, at=T0)
    running.refresh_from_db()
    assert (running.phase, running.bucket_version, running.phase_started_at, running.allocation) == (2, 1, T0, 1000)
    assert running.salt != salt
    assert dict(running.variants.values_list("key", "weight")) == weights
    row = AuditEntry.objects.get()
    assert (row.before["salt"], row.after["salt"], row.after["weights"]) == (salt, running.salt, weights)


def test_new_phase__twice_at_once__begins_one(running, alice):
    lifecycle.new_phase(running, alice, "Broken", at=T0)
    assert not lifecycle.new_phase(running, alice, "Broken", at=T0 + timedelta(seconds=2))
    assert running.phase == 2
    assert lifecycle.new_phase(running, alice, "Broken", at=T0 + timedelta(minutes=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"control": 10_000}}, "Give a weight for each of control, treatment"),
        ({"weights": {"control": 5000, "treatment": 4000}}, "add up to 90 %"),
        ({"allocation": 0}, "more than 0 %"),
        ({"targeting": {"$segment": "gone"}}, "There is no segment 'gone'"),
        ({"why": " "}, "Say why the units are dealt anew"),
    ],
)
def test_new_phase__that_does_not_fit__changes_nothing(running, alice, options, message):
    salt = running.salt
    with pytest.raises(TrafficError, match=message):
        lifecycle.new_phase(running, alice, **{"why": "Broken", **options})
    running.refresh_from_db()
    assert (running.salt, running.phase) == (salt, 1)


def test_new_phase__of_a_draft__is_refused(shop, alice):
    with pytest.raises(TrafficError, match="is draft; a new phase is for an experiment that has started"):
        lifecycle.new_phase(builders.experiment(shop, status=Status.DRAFT), alice, "Because")


def test_start__with_a_ramp__begins_with_its_first_step(shop, alice, purchase):
    draft = builders.experiment(shop, status=Status.DRAFT, primary=purchase)
    assert lifecycle.set_ramp(draft, alice, STEPS)
    assert not lifecycle.set_ramp(draft, alice, STEPS)
    assert draft.allocation == 10_000
    lifecycle.start(draft, alice, at=T0)
    assert draft.allocation == 500
    assert (draft.ramp["step"], draft.ramp["stepped_at"]) == (0, "2026-03-02T09:00:00Z")


def test_ramp__of_a_running_experiment__begins_no_lower_than_it_is(running, alice):
    with pytest.raises(TrafficError, match="20 % of the traffic takes part already, and the ramp begins with 5 %"):
        lifecycle.set_ramp(running, alice, STEPS)
    assert lifecycle.set_ramp(running, alice, STEPS[1:], at=T0)
    assert running.allocation == 2500


def test_ramp__with_steps_that_fall__is_refused(running, alice):
    with pytest.raises(TrafficError, match="each must be more than the one before"):
        lifecycle.set_ramp(running, alice, STEPS[:2][::-1])


def test_ramp__no_steps__ends_it_and_keeps_the_traffic(running, alice):
    lifecycle.set_ramp(running, alice, STEPS[1:])
    assert lifecycle.set_ramp(running, alice, ())
    assert (running.ramp, running.allocation) == ({}, 2500)


def test_hold__and_release__are_each_recorded_once(running, alice):
    lifecycle.set_ramp(running, alice, STEPS[1:])
    assert lifecycle.hold_ramp(running, alice, "Latency")
    assert not lifecycle.hold_ramp(running, alice, "Latency")
    assert running.ramp["held_because"] == "Latency"
    assert lifecycle.release_ramp(running, alice)
    assert not lifecycle.release_ramp(running, alice)
    assert running.ramp["held_because"] == ""


def test_hold__without_a_ramp_or_a_reason__is_refused(running, alice):
    with pytest.raises(TrafficError, match="has no ramp that goes on"):
        lifecycle.hold_ramp(running, alice, "Latency")
    with pytest.raises(TrafficError, match="Say why"):
        lifecycle.hold_ramp(running, alice, "")
