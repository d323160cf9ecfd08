"""A real server process on the test database, at a port of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.db import connection

from config import paths
from experiments.domain.access import Scope
from experiments.keys import issue_key
from tests import builders

START_SECONDS = 40


class RunningServer:
    """A granian process and its address."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def start_server(home: Path, database_url: str, static_root: Path) -> RunningServer:
    port = free_port()
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws", "--workers", "1",
             "--host", "127.0.0.1", "--port", str(port), "config.server:app"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TRUELIFT_HOME": str(home), "DATABASE_URL": database_url,
                 "TRUELIFT_STATIC_ROOT": str(static_root)},
        )  # fmt: skip
    running = RunningServer(process, f"http://127.0.0.1:{port}", log)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(f"{running.url}/readyz", timeout=10).status_code == 200:
                return running
        except httpx.TransportError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            running.stop()
            raise AssertionError(f"The server did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.05)


def test_database_url() -> str:
    sockets = paths.socket_directory(paths.home())
    return f"postgresql://truelift@/{connection.settings_dict['NAME']}?host={sockets}"


test_database_url.__test__ = False


@pytest.fixture(scope="session")
def static_root(tmp_path_factory) -> Path:
    """Pages name their style sheets by what collectstatic made of them."""
    root = tmp_path_factory.mktemp("static")
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"],
        cwd=paths.REPOSITORY,
        env={**os.environ, "TRUELIFT_STATIC_ROOT": str(root)},
        check=True,
    )
    return root


@pytest.fixture(scope="module")
def shared_server(django_db_setup, tmp_path_factory, static_root) -> Iterator[RunningServer]:
    """One server for a file's claims that leave it running: starting it took most of these tests' time."""
    running = start_server(tmp_path_factory.mktemp("server"), test_database_url(), static_root)
    yield running
    running.stop()


@pytest.fixture
def server(transactional_db, shared_server, write_key, read_key) -> RunningServer:
    """Return the shared server once it knows what was committed so far; how soon it does is tested elsewhere."""
    newest = issue_key(builders.project(), "newest", [Scope.INGEST], None)[1]
    asked = {"json": {"batch": []}, "headers": {"x-api-key": newest}, "timeout": 60}
    deadline = time.monotonic() + START_SECONDS
    while httpx.post(f"{shared_server.url}/v1/batch", **asked).status_code == httpx.codes.UNAUTHORIZED:
        assert time.monotonic() < deadline, "The server has not heard of a new key."
        time.sleep(0.02)
    return shared_server


@pytest.fixture
def own_server(transactional_db, tmp_path, static_root, write_key, read_key) -> Iterator[RunningServer]:
    """Start a server for one test that counts, reads its log or stops it."""
    running = start_server(tmp_path, test_database_url(), static_root)
    yield running
    running.stop()


@pytest.fixture
def write_key(transactional_db) -> str:
    return issue_key(builders.project(), "app", [Scope.INGEST, Scope.EVALUATE], None)[1]


@pytest.fixture
def read_key(transactional_db) -> str:
    return issue_key(builders.project(), "report", [Scope.READ], None)[1]


@pytest.fixture(autouse=True)
def empty_log(transactional_db) -> Iterator[None]:
    """The log is not one of Django's own tables, so pytest-django does not empty it."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE events_log")
