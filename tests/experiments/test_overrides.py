import pytest

from experiments import overrides
from experiments.domain.lifecycle import Status
from experiments.models import AuditEntry, Experiment
from experiments.overrides import OverrideError
from tests import builders


@pytest.fixture
def running(shop) -> Experiment:
    return builders.experiment(shop)


def test_add__twice__is_recorded_once(running, alice):
    control = running.variants.get(position=0)
    assert overrides.add(running, " qa-1 ", control, alice) == overrides.add(running, "qa-1", control, alice)
    assert AuditEntry.objects.get().after == {"unit": "qa-1", "variant": "control", "note": ""}


def test_add__another_variant__replaces_the_first(running, alice):
    control, treatment = running.variants.all()
    overrides.add(running, "qa-1", control, alice, "phone")
    overrides.add(running, "qa-1", treatment, builders.user(), "phone")
    override = running.overrides.get()
    assert (override.variant, override.created_by) == (treatment, alice)
    assert AuditEntry.objects.latest("pk").before == {"unit": "qa-1", "variant": "control", "note": "phone"}


def test_add__a_variant_of_another_experiment__is_refused(running, shop, alice):
    foreign = builders.experiment(shop, "other").variants.first()
    with pytest.raises(OverrideError, match="is no variant of New ranker"):
        overrides.add(running, "qa-1", foreign, alice)


@pytest.mark.parametrize("unit", ["", "  ", "u" * 257, "a\x00b"])
def test_add__no_id__is_refused(running, alice, unit):
    with pytest.raises(OverrideError, match="id"):
        overrides.add(running, unit, running.variants.first(), alice)


def test_add__to_a_stopped_experiment__is_refused(shop, alice):
    stopped = builders.experiment(shop, status=Status.STOPPED)
    with pytest.raises(OverrideError, match="has stopped"):
        overrides.add(stopped, "qa-1", stopped.variants.first(), alice)


def test_add__more_than_every_client_should_load__is_refused(running, alice, monkeypatch):
    monkeypatch.setattr(overrides, "MOST_OVERRIDES", 1)
    control = running.variants.first()
    overrides.add(running, "qa-1", control, alice)
    with pytest.raises(OverrideError, match="which is the most"):
        overrides.add(running, "qa-2", control, alice)


def test_remove__twice__is_recorded_once(running, alice):
    override = builders.an_override(running)
    assert overrides.remove(override, alice, "Done looking")
    assert not overrides.remove(override, alice)
    row = AuditEntry.objects.get()
    assert (row.before["unit"], row.before["variant"], row.why) == ("tester", "treatment", "Done looking")
