"""Assignment while the database is down: a server process, and a PostgreSQL of its own that is killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from assignment.ofrep import FLAGS
from config import paths
from config.stack import embedded, processes
from experiments.domain.changes import CHANNEL
from experiments.domain.keys import digest
from tests.assignment.conftest import wait_until
from tests.assignment.served import KEY
from tests.assignment.serving import Server, start_server

PROJECT = (
    "INSERT INTO experiments_project (id, slug, name, currency, created_at) VALUES (1, 'shop', 'Shop', 'EUR', now())"
)
API_KEY = """
INSERT INTO experiments_apikey
    (project_id, name, prefix, digest, scopes, created_at, environment, delivery, encryption_key)
VALUES (1, 'App', 'tl_kkkkkkk', %s, '{evaluate}', now(), 'production', 'plain', '')
"""
EXPERIMENT = """
INSERT INTO experiments_experiment
    (project_id, key, name, hypothesis, unit_type, status, allocation, salt, planned_days, created_at, started_at,
     revision, kind, fallback_unit_type, targeting, environments, respects_holdout, layer_ranges, phase, bucket_version,
     min_bucket_version, ramp, shipped_share, holdback_share)
VALUES (1, %s, 'E', '', 'user', 'running', 10000, 'pepper', 14, now(), now(), 1, 'standard', '', '{}',
        '{production,staging,development}', true, '[]', 1, 0, 0, '{}', 0, 0) RETURNING id
"""
VARIANT = """
INSERT INTO experiments_variant (experiment_id, key, name, position, weight) VALUES (%s, %s, 'V', %s, 5000)
"""


class Database:
    """A migrated PostgreSQL that a test may kill."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.sockets = paths.socket_directory(home)
        self.url = paths.embedded_database_url(home)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = embedded.start_postgres(self.home, self.sockets)

    def kill(self) -> None:
        assert self.process is not None
        processes.stop(self.process, signal.SIGKILL)

    def migrate(self) -> None:
        environment = {**os.environ, "TRUELIFT_HOME": str(self.home), "DATABASE_URL": self.url}
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=paths.REPOSITORY,
            env=environment,
            check=True,
            timeout=120,
        )

    def start_experiment(self, key: str) -> None:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(EXPERIMENT, [key]).fetchone()
            assert row is not None
            for position, variant in enumerate(["control", "treatment"]):
                connection.execute(VARIANT, [row[0], variant, position])
            connection.execute(f"NOTIFY {CHANNEL}")


@pytest.fixture
def database() -> Iterator[Database]:
    home = Path(tempfile.mkdtemp(prefix="tl-outage-"))
    home.chmod(0o755)  # the unprivileged user that runs PostgreSQL under root must reach its directory
    made = Database(home)
    made.start()
    try:
        made.migrate()
        with psycopg.connect(made.url) as connection:
            connection.execute(PROJECT)
            connection.execute(API_KEY, [digest(KEY)])
        made.start_experiment("ranker")
        yield made
    finally:
        if made.process is not None:
            processes.stop(made.process, signal.SIGINT)
        shutil.rmtree(home, ignore_errors=True)


def split(server: Server, flag: str = "ranker", units: int = 40) -> list[str]:
    """Return the variants of some units, each answered with 200."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}) as http:
        answers = [
            http.post(f"{FLAGS}/{flag}", json={"context": {"targetingKey": f"shopper-{n}"}}) for n in range(units)
        ]
    assert {answer.status_code for answer in answers} == {200}
    return [str(answer.json()["variant"]) for answer in answers]


def is_served(server: Server, flag: str) -> bool:
    answer = httpx.post(
        f"{server.url}{FLAGS}/{flag}",
        json={"context": {"targetingKey": "u"}},
        headers={"Authorization": f"Bearer {KEY}"},
    )
    return answer.status_code == 200


def database_state(server: Server) -> str:
    return str(server.readiness()["database"])


def test_assignment__the_database_is_killed__goes_on_also_after_a_restart_and_catches_up(database):
    server = start_server(database.home, database.url)
    try:
        before = split(server)
        assert set(before) == {"control", "treatment"}

        database.kill()
        wait_until(lambda: database_state(server) == "not connected", 20)
        assert split(server) == before

        server.stop()
        server = start_server(database.home, database.url)
        assert split(server) == before
        assert database_state(server) == "not connected"

        database.start()
        database.start_experiment("started-after-the-outage")
        wait_until(lambda: is_served(server, "started-after-the-outage"), 20)
        assert split(server) == before
        assert database_state(server) == "connected"

        # And it listens again: a new change is seen as fast as before.
        database.start_experiment("one-more")
        wait_until(lambda: is_served(server, "one-more"), 5)
    finally:
        server.stop()
