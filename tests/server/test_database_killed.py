"""The database is killed while events pour in: what was acknowledged is stored, once, and nothing else is answered."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import psycopg
import pytest

from config import paths
from config.stack import embedded
from tests.events.builders import track
from tests.server.conftest import start_server

MAKE_KEY = """
import django; django.setup()
from experiments.domain.access import Scope
from experiments.keys import issue_key
from experiments.models import Project
print(issue_key(Project.objects.create(slug="shop", name="Shop"), "app", [Scope.INGEST], None)[1])
"""


class Load:
    """Sends batches until stopped, each again and again until it is acknowledged, as client libraries do."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._headers = {"x-api-key": key}
        self._stop = threading.Event()
        self.acknowledged = 0
        self.answers: Counter[object] = Counter()
        self.bad_answers: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=20) as client:
            while not self._stop.is_set():
                self._deliver(client, [track() for _ in range(20)])

    def stop(self) -> None:
        self._stop.set()

    def _deliver(self, client: httpx.Client, batch: list[dict]) -> None:
        while True:
            answer = client.post(f"{self._url}/v1/batch", json={"batch": batch}, headers=self._headers)
            self.answers[answer.status_code] += 1
            if answer.status_code == 200:
                self.acknowledged += answer.json()["accepted"]
                return
            if answer.status_code not in (429, 503) or int(answer.headers["retry-after"]) < 1:
                self.bad_answers.append(answer.text)
                return
            time.sleep(0.1)


@pytest.mark.slow
def test_database_killed_mid_load__acknowledged_equals_stored(static_root):
    with tempfile.TemporaryDirectory(prefix="tl-kill-") as name:
        home = Path(name)
        home.chmod(0o755)
        sockets = paths.socket_directory(home)
        url = paths.embedded_database_url(home)
        postgres, server = embedded.start_postgres(home, sockets), None
        try:
            environment = {**os.environ, "TRUELIFT_HOME": name, "DATABASE_URL": url}
            for command in (["manage.py", "migrate", "-v0"], ["-c", MAKE_KEY]):
                done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, check=True)
            server = start_server(home, url, static_root)
            load = Load(server.url, done.stdout.decode().strip())
            threads = [threading.Thread(target=load.run) for _ in range(6)]
            for thread in threads:
                thread.start()
            for _ in range(2):
                time.sleep(3)
                os.kill(postgres.pid, signal.SIGKILL)
                postgres.wait()
                time.sleep(1.5)
                postgres = embedded.start_postgres(home, sockets)
            time.sleep(3)
            load.stop()
            for thread in threads:
                thread.join()
            assert server.stop() == 0
            with psycopg.connect(url) as connection:
                (stored,) = connection.execute("SELECT count(*) FROM events_log").fetchone()
        finally:
            if server is not None:
                server.stop()
            postgres.send_signal(signal.SIGINT)
            postgres.wait(30)
    assert load.bad_answers == []
    assert load.answers.keys() == {200, 503}
    assert stored == load.acknowledged > 0
