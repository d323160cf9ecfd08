"""A running server with one experiment, and the JavaScript clients installed beside the tests."""

import contextlib
import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.db import connection

from assignment.engine.bucketing import bucket_ranges, choose
from assignment.engine.hashing import bucket_of
from experiments import keys
from experiments.domain.access import Scope
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, Project
from tests import builders
from tests.assignment.serving import Server, start_server
from tests.assignment.test_clients import database_url

JAVASCRIPT = Path(__file__).parent / "javascript"
UNITS = [f"shopper-{number}" for number in range(9_998)] + ["zoë@example.com", "名前-1"]
WEIGHTS = [3000, 7000]
ALLOCATION = 8000
NODE_SECONDS = 120


class World(NamedTuple):
    """A server, a key to it that may do everything, and the experiment that the clients ask for."""

    server: Server
    key: str
    experiment: Experiment

    def variant(self, unit: str) -> str | None:
        """Return what the engine's own arithmetic says, without the doors' code: None outside the traffic."""
        index = choose(bucket_of(self.experiment.salt, unit), bucket_ranges(WEIGHTS, ALLOCATION))
        return None if index < 0 else ("control", "treatment")[index]


class Node:
    """Runs a script with the installed clients; what it prints is JSON."""

    def command(self, script: str) -> list[str]:
        return [shutil.which("node") or "node", str(JAVASCRIPT / script)]

    def run(self, script: str, **asked: Any) -> Any:
        return self.ask(script, asked)

    def ask(self, script: str, asked: Any) -> Any:
        ran = subprocess.run(
            self.command(script),
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=NODE_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-3000:]
        return json.loads(ran.stdout)

    def bundle(self, script: str) -> str:
        """Return a script and all that it imports as one that a page can load."""
        tool = JAVASCRIPT / "node_modules" / ".bin" / "esbuild"
        ran = subprocess.run(
            [str(tool), str(JAVASCRIPT / script), "--bundle", "--format=iife"],
            capture_output=True, text=True, timeout=NODE_SECONDS, check=True,
        )  # fmt: skip
        return ran.stdout


@pytest.fixture(scope="session")
def node() -> Node:
    """Install the clients that the lock file pins, or skip saying how to get them."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("These tests run JavaScript clients: install Node 20 or later with npm.")
    with alone():
        _install()
    return Node()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one process at a time install: npm ci begins by removing what another's script may be importing."""
    with (JAVASCRIPT / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install() -> None:
    installed = JAVASCRIPT / "node_modules" / ".package-lock.json"
    lock = JAVASCRIPT / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    ran = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=JAVASCRIPT, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    if ran.returncode != 0:
        pytest.skip(f"The JavaScript clients could not be installed by npm ci: {ran.stderr[-500:]}")


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[World]:
    """One server for a module's tests; what they need is committed, and gone at the end."""
    with django_db_blocker.unblock(), contextlib.ExitStack() as ending:
        ending.callback(connection.close)
        ending.callback(call_command, "flush", verbosity=0, interactive=False)
        home = builders.project("shop")
        made = builders.experiment(home, "new-ranker", allocation=ALLOCATION)
        for variant, weight in zip(made.variants.order_by("position"), WEIGHTS, strict=True):
            variant.weight = weight
            variant.save(update_fields=["weight"])
        key = keys.issue_key(home, "App", [Scope.EVALUATE, Scope.INGEST], None)[1]
        server = start_server(tmp_path_factory.mktemp("home"), database_url())
        ending.callback(server.stop)
        yield World(server, key, made)


class RestWorld(NamedTuple):
    """A server, its project, and a key to it that may read and write."""

    server: Server
    home: Project
    key: str


@pytest.fixture(scope="module")
def rest(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[RestWorld]:
    """One server with a draft, a running experiment and a flag for a module's tests of the REST API."""
    with django_db_blocker.unblock(), contextlib.ExitStack() as ending:
        ending.callback(connection.close)
        ending.callback(call_command, "flush", verbosity=0, interactive=False)
        home = builders.project("shop", owner=builders.user("alice@example.com"))
        metric = builders.metric(home)
        builders.experiment(home, "draft", status=Status.DRAFT, primary=metric)
        builders.experiment(home, "running", primary=metric)
        builders.a_flag(home, "checkout")
        scopes = [Scope.READ, Scope.WRITE, Scope.EVALUATE]
        key = keys.issue_key(home, "Deploys", scopes, None)[1]
        server = start_server(tmp_path_factory.mktemp("home"), database_url())
        ending.callback(server.stop)
        yield RestWorld(server, home, key)
