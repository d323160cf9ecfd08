import pytest
from django.db import IntegrityError, transaction

from experiments import holdouts
from experiments.domain.lifecycle import Status
from experiments.domain.units import UnitType
from experiments.holdouts import HoldoutError
from experiments.models import AuditEntry, Experiment
from tests import builders


def test_start__five_percent__compares_with_as_many_of_the_rest(shop, alice, purchase):
    revenue = builders.metric(shop, "revenue")
    holdout = holdouts.start(shop, alice, 500, [purchase, revenue])
    assert (holdout.kind, holdout.status, holdout.allocation, holdouts.size_of(holdout)) == (
        "holdout",
        "running",
        1000,
        500,
    )
    assert list(holdout.variants.values_list("key", "weight")) == [("holdoutcontrol", 5000), ("holdouttreatment", 5000)]
    assert list(holdout.plan.values_list("metric__key", "role")) == [
        ("purchase-rate", "primary"),
        ("revenue", "secondary"),
    ]
    assert holdouts.running(shop) == holdout


def test_start__twice__starts_one(shop, alice, purchase):
    assert holdouts.start(shop, alice, 500, [purchase]) == holdouts.start(shop, alice, 500, [purchase])
    assert AuditEntry.objects.count() == 1


def test_start__while_another_runs__is_refused(shop, alice, purchase):
    holdouts.start(shop, alice, 500, [purchase])
    with pytest.raises(HoldoutError, match="holds 5 % of the users out already"):
        holdouts.start(shop, alice, 700, [purchase])
    assert holdouts.start(shop, alice, 700, [purchase], unit_type=UnitType.DEVICE).unit_type == "device"


def test_start__what_units_have_seen__goes_on_for_them(shop, alice, purchase):
    for key, status in (("running", Status.RUNNING), ("stopped", Status.STOPPED), ("draft", Status.DRAFT)):
        builders.experiment(shop, key, status=status)
    builders.experiment(shop, "devices", unit_type=UnitType.DEVICE)
    holdouts.start(shop, alice, 500, [purchase])
    spared = Experiment.objects.filter(kind="standard", respects_holdout=False).values_list("key", flat=True)
    assert sorted(spared) == AuditEntry.objects.get().after["not_held_out_of"] == ["running", "stopped"]


@pytest.mark.parametrize("size", [0, 99, 1001])
def test_start__too_small_or_large__is_refused(shop, alice, purchase, size):
    with pytest.raises(HoldoutError, match="choose 1 % to 10 %"):
        holdouts.start(shop, alice, size, [purchase])


def test_start__without_a_metric__is_refused(shop, alice):
    with pytest.raises(HoldoutError, match="Choose what the holdout is measured by"):
        holdouts.start(shop, alice, 500, [])


def test_stop__twice__is_recorded_once_and_makes_room(shop, alice, purchase):
    holdout = holdouts.start(shop, alice, 500, [purchase])
    assert holdouts.stop(holdout, alice, "The year is over.")
    assert not holdouts.stop(holdout, alice, "The year is over.")
    assert holdouts.start(shop, alice, 700, [purchase]).key == "holdout-user-2"


def test_stop__what_is_no_holdout__is_refused(shop, alice):
    with pytest.raises(HoldoutError, match="is no holdout"):
        holdouts.stop(builders.experiment(shop), alice, "Because")


def test_database__two_holdouts_of_a_unit_type__are_refused(shop):
    builders.a_holdout(shop)
    with pytest.raises(IntegrityError, match="one_live_holdout_per_unit_type"), transaction.atomic():
        builders.a_holdout(shop, key="another")
