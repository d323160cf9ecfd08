"""GrowthBook's JavaScript SDK: the payload is fetched once and evaluated in the app, or evaluated here for one user."""

import json
import subprocess

import httpx
import pytest

from experiments import keys
from experiments.changes import announce
from experiments.domain.access import Scope
from experiments.domain.kinds import Delivery
from experiments.domain.lifecycle import Status
from experiments.models import ApiKey, Experiment, Prerequisite, Project
from tests import builders
from tests.assignment.conftest import wait_until
from tests.clients.conftest import UNITS, World

FLAG = "new-ranker"


def local(world: World, units: list[str]) -> dict[str, list[object]]:
    return {
        unit: [variant or "control", variant, "experiment" if variant else "defaultValue", variant is not None]
        for unit in units
        for variant in (world.variant(unit),)
    }


def knows(world: World, key: str) -> bool:
    asked = httpx.post(f"{world.server.url}/ofrep/v1/evaluate/flags", headers={"X-API-Key": key}, json={})
    return asked.status_code == httpx.codes.OK


@pytest.fixture
def other_key(world, django_db_blocker):
    """Return a key with another delivery, and its encryption key, once the server knows it."""

    def made(delivery: Delivery) -> tuple[str, str]:
        with django_db_blocker.unblock():
            plain = keys.issue_key(
                Project.objects.get(slug="shop"), delivery, [Scope.EVALUATE], None, delivery=delivery
            )[1]
            announce()
            secret = ApiKey.objects.get(name=delivery).encryption_key
        wait_until(lambda: knows(world, plain))
        return plain, secret

    return made


def test_growthbook_node__ten_thousand_units__get_what_the_engine_says(world, node):
    answers = node.run("growthbook.mjs", url=world.server.url, key=world.key, flag=FLAG, units=UNITS)
    assert answers == local(world, UNITS)


def test_growthbook_node__an_encrypted_payload__is_read_with_the_key(world, node, other_key):
    key, secret = other_key(Delivery.ENCRYPTED)
    asked = {"url": world.server.url, "key": key, "decryptionKey": secret, "flag": FLAG, "units": UNITS[:200]}
    assert node.run("growthbook.mjs", **asked) == local(world, UNITS[:200])


def test_growthbook_node__remote_evaluation__tells_the_value_and_tracks_the_exposure(world, node, other_key):
    key, _ = other_key(Delivery.REMOTE)
    units = UNITS[:40]
    answers = node.run("growthbook.mjs", url=world.server.url, key=key, flag=FLAG, units=units, remote=True)
    assert answers == {
        unit: [variant or "control", "force" if variant else "defaultValue", [[FLAG, variant]] if variant else []]
        for unit in units
        for variant in (world.variant(unit),)
    }


@pytest.fixture
def held(world, django_db_blocker):
    """Return keys, local and remote, to a project with a holdout, an experiment, one behind it and one apart."""
    with django_db_blocker.unblock():
        home = builders.project("held")
        builders.a_holdout(home, 3000)
        builders.experiment(home, "base")
        behind = builders.experiment(home, "behind")
        Prerequisite.objects.create(experiment=behind, parent_key="base", value="treatment")
        builders.experiment(home, "apart", respects_holdout=False)
        made = [
            keys.issue_key(home, delivery, [Scope.EVALUATE], None, delivery=delivery)[1]
            for delivery in (Delivery.PLAIN, Delivery.REMOTE)
        ]
        announce()
    wait_until(lambda: all(knows(world, key) for key in made))
    return made


def test_growthbook_node__holdouts_and_prerequisites__are_tracked_remotely_as_locally_and_once(world, node, held):
    local, remote = held
    asked = {"url": world.server.url, "local": local, "remote": remote, "units": UNITS[:300]}
    answers = node.run("growthbook_tracks.mjs", **asked, flags=["base", "behind", "apart"])
    assert [answer["remote"] for answer in answers.values()] == [answer["local"] for answer in answers.values()]
    tracked = [[tuple(one) for one in answer["remote"][1]] for answer in answers.values()]
    assert all(len(set(exposures)) == len(exposures) for exposures in tracked)
    kinds = {frozenset((key, variant) for key, variant, _ in exposures) for exposures in tracked}
    held_back = {("holdout-user", "holdoutcontrol"), ("apart", "control")}
    in_both = {("holdout-user", "holdouttreatment"), ("base", "treatment"), ("behind", "control"), ("apart", "control")}
    assert frozenset(held_back) in kinds
    assert frozenset(in_both) in kinds
    assert not any({key for key, _ in kind} >= {"behind"} and ("base", "treatment") not in kind for kind in kinds)


@pytest.mark.parametrize(("flag", "poll"), [("streamed", False), ("polled", True)])
def test_growthbook_node__an_experiment_stops__reaches_the_app_by_a_push_or_when_its_copy_is_stale(
    world, node, django_db_blocker, flag, poll
):
    with django_db_blocker.unblock():
        made = builders.experiment(Project.objects.get(slug="shop"), flag)
        announce()
    unit = "shopper-1"
    wait_until(
        lambda: node.run("growthbook.mjs", url=world.server.url, key=world.key, flag=flag, units=[unit])[unit][3]
    )
    running = subprocess.Popen(
        node.command("growthbook_stream.mjs"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdin is not None
        assert running.stdout is not None
        json.dump({"url": world.server.url, "key": world.key, "flag": flag, "unit": unit, "poll": poll}, running.stdin)
        running.stdin.close()
        before = json.loads(running.stdout.readline())
        with django_db_blocker.unblock():
            # Stopped, everyone gets the control: the other value than the one this unit has now.
            other = "treatment" if before == "control" else "control"
            made.variants.filter(position=0).update(value=other)
            Experiment.objects.filter(pk=made.pk).update(status=Status.STOPPED, stopped_at=builders.T0)
            announce()
        assert json.loads(running.stdout.readline()) == other
    finally:
        running.kill()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()
