import threading
from datetime import timedelta

import pytest
from django.db import connection

from experiments import lifecycle, schedule, tasks
from experiments.domain.lifecycle import Status
from experiments.domain.ramps import RampStep
from experiments.models import AuditEntry, Experiment
from experiments.schedule import What, move_due
from tests import builders
from tests.builders import T0

HOUR = timedelta(hours=1)
STEPS = (RampStep(share=500, after_hours=24), RampStep(share=2500, after_hours=24), RampStep(share=10_000))


def what(moves) -> list[tuple[str, What]]:
    return [(move.key, move.what) for move in moves]


def ramped(home, key: str = "new-ranker", **fields) -> Experiment:
    made = builders.experiment(home, key, allocation=100, **fields)
    lifecycle.set_ramp(made, None, STEPS, at=T0)
    return made


def test_move__a_planned_start__happens_at_its_time_and_once(shop, purchase):
    builders.experiment(shop, status=Status.DRAFT, primary=purchase, starts_at=T0)
    assert move_due(T0 - HOUR) == []
    assert what(move_due(T0 + HOUR)) == [("new-ranker", What.STARTED)]
    assert move_due(T0 + HOUR) == []
    experiment = Experiment.objects.get()
    assert (experiment.status, experiment.started_at) == (Status.RUNNING, T0 + HOUR)
    assert AuditEntry.objects.get().why == "It was planned for this time."


def test_move__a_start_that_is_not_ready__says_so_and_is_not_tried_again(shop):
    builders.experiment(shop, status=Status.DRAFT, starts_at=T0)
    (move,) = move_due(T0 + HOUR)
    assert move.what is What.COULD_NOT_START
    assert "Choose a primary metric" in move.why
    row = AuditEntry.objects.get()
    assert (row.action, "Choose a primary metric" in row.why) == ("experiment.start-missed", True)
    assert Experiment.objects.get().starts_at is None
    assert move_due(T0 + 2 * HOUR) == []


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
def test_move__a_planned_end__stops(shop, status):
    builders.experiment(shop, status=status, ends_at=T0 + HOUR)
    assert move_due(T0) == []
    assert what(move_due(T0 + HOUR)) == [("new-ranker", What.STOPPED)]
    assert Experiment.objects.get().stopped_at == T0 + HOUR


def test_move__a_ramp__makes_one_step_at_a_time(shop):
    experiment = ramped(shop)
    assert move_due(T0 + 23 * HOUR) == []
    assert what(move_due(T0 + 24 * HOUR)) == [("new-ranker", What.STEPPED)]
    assert move_due(T0 + 47 * HOUR) == []
    assert what(move_due(T0 + 100 * HOUR)) == [("new-ranker", What.STEPPED)]
    assert move_due(T0 + 900 * HOUR) == []
    experiment.refresh_from_db()
    assert experiment.allocation == 10_000


def test_move__traffic_raised_by_hand__is_not_lowered(shop, alice):
    experiment = ramped(shop)
    lifecycle.grow_traffic(experiment, alice, 6000)
    move_due(T0 + 24 * HOUR)
    experiment.refresh_from_db()
    assert (experiment.allocation, experiment.ramp["step"]) == (6000, 1)


def test_move__a_guardrail_objects__holds_until_it_does_not(shop):
    experiment = ramped(shop)
    due = T0 + 24 * HOUR
    assert what(move_due(due, lambda _: "Latency crossed its limit.")) == [("new-ranker", What.HELD)]
    assert move_due(due + HOUR, lambda _: "Latency crossed its limit.") == []
    experiment.refresh_from_db()
    assert (experiment.allocation, experiment.ramp["held_because"]) == (500, "Latency crossed its limit.")
    assert what(move_due(due + 2 * HOUR)) == [("new-ranker", What.STEPPED)]
    experiment.refresh_from_db()
    assert (experiment.allocation, experiment.ramp["held_because"]) == (2500, "")


def test_guard__registered__is_asked_about_each_step(shop, monkeypatch):
    monkeypatch.setattr(schedule, "_guards", [])
    asked = []
    schedule.guard_ramps(asked.append)
    schedule.guard_ramps(asked.append)
    experiment = ramped(shop)
    move_due(T0 + 24 * HOUR)
    assert asked == [experiment]


def test_move__held_by_a_person__waits_for_a_person(shop, alice):
    experiment = ramped(shop)
    lifecycle.hold_ramp(experiment, alice, "Holidays")
    assert move_due(T0 + 90 * HOUR) == []
    lifecycle.release_ramp(experiment, alice)
    assert what(move_due(T0 + 90 * HOUR)) == [("new-ranker", What.STEPPED)]


def test_move__after_a_pause__the_step_begins_again(shop, alice):
    experiment = ramped(shop)
    lifecycle.pause(experiment, alice, "Holidays")
    assert move_due(T0 + 90 * HOUR) == []
    lifecycle.resume(experiment, alice)
    assert move_due(T0 + 90 * HOUR) == []


def test_move__a_shipped_variant__reaches_more_by_steps(shop, alice):
    experiment = builders.experiment(shop, allocation=1000)
    lifecycle.ship(experiment, experiment.variants.get(position=1), 0, alice, "Better", STEPS, at=T0)
    assert experiment.shipped_share == 500
    move_due(T0 + 24 * HOUR)
    experiment.refresh_from_db()
    assert (experiment.shipped_share, experiment.allocation) == (2500, 1000)


def test_move__one_that_fails__does_not_keep_the_others(shop, caplog):
    unreadable = ramped(shop, "unreadable")
    Experiment.objects.filter(pk=unreadable.pk).update(ramp={"steps": "none"})
    unguarded = ramped(shop, "unguarded")
    ramped(shop, "sound")

    def guard(experiment: Experiment) -> None:
        if experiment.key == "unguarded":
            raise RuntimeError

    assert what(move_due(T0 + 24 * HOUR, guard)) == [("sound", What.STEPPED)]
    assert f"experiment {unreadable.pk} has a ramp that cannot be read" in caplog.text
    assert f"the scheduled move of experiment {unguarded.pk} failed" in caplog.text


def test_task__run_twice__moves_once(shop, purchase):
    builders.experiment(shop, status=Status.DRAFT, primary=purchase, starts_at=T0)
    tasks.move_due()
    tasks.move_due()
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["experiment.start"]


@pytest.mark.django_db(transaction=True)
def test_move__by_four_workers_at_once__makes_each_move_once():
    home = builders.project()
    metric = builders.metric(home)
    for number in range(5):
        builders.experiment(home, f"draft-{number}", status=Status.DRAFT, primary=metric, starts_at=T0)
        ramped(home, f"ramped-{number}")
    AuditEntry.objects.all().delete()
    ready, moves = threading.Barrier(4), []

    def work() -> None:
        ready.wait()
        moves.extend(move_due(T0 + 24 * HOUR))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(what(moves)) == sorted(
        [(f"draft-{n}", What.STARTED) for n in range(5)] + [(f"ramped-{n}", What.STEPPED) for n in range(5)]
    )
    assert AuditEntry.objects.count() == 10
    assert set(Experiment.objects.filter(key__startswith="ramped").values_list("allocation", flat=True)) == {2500}
