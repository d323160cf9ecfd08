import dataclasses
from datetime import timedelta

import pytest
from django.utils import timezone

from experiments.audience import Audience, AudienceError, audience_of, set_audience, set_times
from experiments.domain.environments import Environment
from experiments.domain.lifecycle import Status
from experiments.domain.units import UnitType
from experiments.lifecycle import TrafficError
from experiments.models import AuditEntry, Experiment
from tests import builders

SWEDES = {"country": "SE"}


@pytest.fixture
def draft(shop) -> Experiment:
    return builders.experiment(shop, status=Status.DRAFT)


@pytest.fixture
def running(shop) -> Experiment:
    return builders.experiment(shop, "running", targeting=SWEDES, environments=["production", "staging"])


def test_set__of_a_draft__is_stored_as_given_and_once(draft, alice):
    wanted = Audience(
        targeting={"b": 1, "a": {"$in": ["x"]}},
        environments=(Environment.STAGING,),
        fallback_unit_type=UnitType.DEVICE,
        respects_holdout=False,
    )
    assert set_audience(draft, alice, wanted)
    assert not set_audience(draft, alice, wanted)
    assert audience_of(draft) == wanted
    assert AuditEntry.objects.count() == 1


def test_set__targeting_that_means_nothing__is_refused(draft, alice):
    with pytest.raises(TrafficError, match="There is no segment 'gone'"):
        set_audience(draft, alice, Audience(targeting={"$segment": "gone"}))


def test_set__no_environment_or_its_own_unit_as_fallback__is_refused(draft, alice):
    with pytest.raises(AudienceError, match="one environment or more"):
        set_audience(draft, alice, Audience(environments=()))
    with pytest.raises(AudienceError, match="randomises users already"):
        set_audience(draft, alice, Audience(fallback_unit_type=UnitType.USER))


@pytest.mark.parametrize("wider", [{}, {"$or": [SWEDES, {"country": "NO"}]}])
def test_set__of_a_running_experiment__may_let_more_in(running, alice, wider):
    assert set_audience(running, alice, dataclasses.replace(audience_of(running), targeting=wider))


@pytest.mark.parametrize("other", [{"country": "NO"}, {"country": "SE", "plan": "pro"}, {"$or": [{"country": "NO"}]}])
def test_set__of_a_running_experiment__lets_nobody_go(running, alice, other):
    with pytest.raises(AudienceError, match=r"with this targeting units could leave it.*new phase"):
        set_audience(running, alice, dataclasses.replace(audience_of(running), targeting=other))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"environments": (Environment.STAGING,)}, "pause or stop it there"),
        ({"fallback_unit_type": UnitType.DEVICE}, "another fallback would move units"),
        ({"respects_holdout": False}, "stays as it is"),
    ],
)
def test_set__of_a_running_experiment__moves_nobody(running, alice, change, message):
    with pytest.raises(AudienceError, match=message):
        set_audience(running, alice, dataclasses.replace(audience_of(running), **change))


def test_set__of_a_stopped_experiment__is_refused(shop, alice):
    stopped = builders.experiment(shop, status=Status.STOPPED)
    with pytest.raises(AudienceError, match="has stopped"):
        set_audience(stopped, alice, Audience(targeting=SWEDES))


def test_times__of_a_draft__are_recorded_once(draft, alice):
    start, end = timezone.now() + timedelta(days=1), timezone.now() + timedelta(days=8)
    assert set_times(draft, alice, start, end)
    assert not set_times(draft, alice, start, end)
    assert (draft.starts_at, draft.ends_at) == (start, end)


def test_times__that_cannot_be__are_refused(draft, running, alice):
    now = timezone.now()
    with pytest.raises(AudienceError, match="must lie after the start"):
        set_times(draft, alice, now + timedelta(days=2), now + timedelta(days=1))
    with pytest.raises(AudienceError, match="lies in the past"):
        set_times(draft, alice, None, now - timedelta(days=1))
    with pytest.raises(AudienceError, match="only its end can be planned"):
        set_times(running, alice, now, None)
    assert set_times(running, alice, None, now + timedelta(days=1))
