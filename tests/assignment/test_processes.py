"""Several server processes, as a larger installation runs them: they share the database and, here, one directory."""

import contextlib
import time
from collections.abc import Iterator

import httpx
import pytest
from django.core.management import call_command
from django.db import connection

from assignment.ofrep import FLAGS
from experiments import keys
from experiments.changes import announce
from experiments.domain.access import Scope
from experiments.domain.environments import Environment
from experiments.domain.lifecycle import Status
from experiments.models import Experiment
from tests import builders
from tests.assignment.conftest import wait_until
from tests.assignment.serving import Server, start_server
from tests.assignment.test_clients import database_url


@pytest.fixture
def servers(transactional_db: None, tmp_path) -> Iterator[list[Server]]:
    home = tmp_path / "home"
    home.mkdir()
    with contextlib.ExitStack() as ending:
        ending.callback(connection.close)
        ending.callback(call_command, "flush", verbosity=0, interactive=False)
        started = []
        for _ in range(2):
            started.append(start_server(home, database_url()))
            ending.callback(started[-1].stop)
        yield started


def evaluate(server: Server, key: str, flag: str = "new-ranker", unit: str = "shopper-1") -> httpx.Response:
    return httpx.post(
        f"{server.url}{FLAGS}/{flag}",
        json={"context": {"targetingKey": unit}},
        headers={"Authorization": f"Bearer {key}"},
    )


def test_processes__a_change__reaches_each_and_all_answer_alike(servers, capsys):
    home = builders.project()
    made = builders.experiment(home)
    _, key = keys.issue_key(home, "App", [Scope.EVALUATE], None)
    for server in servers:
        wait_until(lambda server=server: evaluate(server, key).status_code == 200)
    units = [f"shopper-{number}" for number in range(50)]
    first, second = ([evaluate(server, key, unit=unit).content for unit in units] for server in servers)
    assert first == second

    Experiment.objects.filter(pk=made.pk).update(allocation=0)
    began = time.perf_counter()
    announce()
    for server in servers:
        wait_until(lambda server=server: b"not_in_traffic" in evaluate(server, key).content)
    with capsys.disabled():
        print(f"\n2 processes answered with a change after {(time.perf_counter() - began) * 1000:.0f} ms")
    assert len({server.readiness()["snapshot"]["version"] for server in servers}) == 1


def test_processes__a_revoked_key_and_one_of_another_environment__open_no_more_than_they_should(servers):
    home = builders.project()
    builders.experiment(home)
    builders.experiment(home, "draft", status=Status.DRAFT)
    leaked, revoked = keys.issue_key(home, "Leaked", [Scope.EVALUATE], None)
    staging = keys.issue_key(home, "Staging", [Scope.EVALUATE], None, environment=Environment.STAGING)[1]
    for server in servers:
        wait_until(lambda server=server: evaluate(server, staging, "draft").status_code == 200)
        assert evaluate(server, revoked, "draft").status_code == 404
        assert evaluate(server, revoked).status_code == 200
    keys.revoke(leaked, None)
    for server in servers:
        wait_until(lambda server=server: evaluate(server, revoked).status_code == 401)
