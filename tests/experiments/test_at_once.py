"""What two people, or two clicks, do at the same moment."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from experiments import holdouts, layers, lifecycle
from experiments.domain.kinds import ExperimentKind, ValueType
from experiments.domain.lifecycle import Status
from experiments.flags import FlagError, FlagPlan, create_flag
from experiments.models import AuditEntry, Experiment, Flag
from experiments.refusals import RefusedError
from experiments.setup import PlanError, create_experiment
from tests import builders
from tests.experiments.test_setup import plan as experiment_plan

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Return what each did or why it was refused; any other error is the test's."""
    ready, outcomes = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        ready.wait()
        try:
            outcomes.append(act())
        except (RefusedError, PlanError) as error:
            outcomes.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_key__claimed_by_flags_and_experiments_at_once__has_one_owner():
    home, person = builders.project(), builders.user()
    wanted = experiment_plan(builders.metric(home))
    flag = FlagPlan(key=wanted.key, name="Flag", value_type=ValueType.BOOLEAN, default_value=False)
    outcomes = at_once(
        *[lambda: create_flag(home, person, flag)] * 3, *[lambda: create_experiment(home, person, wanted)] * 3
    )
    assert Flag.objects.count() + Experiment.objects.count() == 1
    assert sum(isinstance(one, (FlagError, PlanError)) for one in outcomes) == 3


def test_ship__clicked_four_times_at_once__ships_once():
    running = builders.experiment(builders.project())
    treatment = running.variants.get(position=1)

    def click() -> bool:
        return lifecycle.ship(Experiment.objects.get(pk=running.pk), treatment, 500, None, "Better")

    assert sorted(map(str, at_once(*[click] * 4))) == ["False", "False", "False", "True"]
    assert Experiment.objects.filter(kind=ExperimentKind.HOLDBACK).count() == 1


def test_ship__while_others_enlarge_its_part_of_a_layer__never_waits_for_ever():
    home = builders.project()
    layer = builders.a_layer(home)
    running = builders.experiment(home, layer=layer, layer_ranges=[[0, 1000]])
    treatment = running.variants.get(position=1)

    def ship() -> bool:
        return lifecycle.ship(Experiment.objects.get(pk=running.pk), treatment, 500, None, "Better")

    def grow(share: int) -> Callable[[], bool]:
        return lambda: layers.grow(Experiment.objects.get(pk=running.pk), share, None)

    outcomes = at_once(ship, grow(2000), grow(3000), grow(4000))
    assert len(outcomes) == 4
    running.refresh_from_db()
    assert running.status == Status.STOPPED
    assert running.follow_ups.get().layer_ranges in ([[0, share]] for share in (1000, 2000, 3000, 4000))


def test_holdout__started_four_times_at_once__runs_once():
    home, person = builders.project(), builders.user()
    metric = builders.metric(home)
    outcomes = at_once(*[lambda: holdouts.start(home, person, 500, [metric])] * 4)
    assert len(set(outcomes)) == Experiment.objects.count() == AuditEntry.objects.count() == 1
