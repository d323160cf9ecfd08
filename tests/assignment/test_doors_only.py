"""A server for apps alone, without pages: what a fleet of edges runs."""

from pathlib import Path

import httpx
import pytest
from django.db import connection

from assignment.ofrep import FLAGS
from experiments.domain.access import Scope
from experiments.keys import issue_key
from tests import builders
from tests.assignment.serving import start_server
from tests.assignment.test_clients import database_url

EXPERIMENTS = 1_000
MOST_MEGABYTES = 150


def resident_megabytes(process: int) -> float:
    """Return the resident memory of a process and its children (Linux)."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6 + sum(resident_megabytes(int(child)) for child in children)


@pytest.fixture
def edge(transactional_db, tmp_path):
    project = builders.project("shop")
    for number in range(EXPERIMENTS):
        builders.experiment(project, f"experiment-{number:04}")
    key = issue_key(project, "App", [Scope.EVALUATE], None)[1]
    connection.close()
    server = start_server(tmp_path, database_url(), TRUELIFT_PAGES="0")
    yield server, key
    server.stop()


def test_doors_only__a_thousand_experiments__are_answered_in_bounded_memory(edge):
    server, key = edge
    with httpx.Client(base_url=server.url, headers={"X-API-Key": key}) as http:
        for unit in range(20):
            assert len(http.post(FLAGS, json={"context": {"targetingKey": f"u{unit}"}}).json()["flags"]) == EXPERIMENTS
            assert (
                http.post(f"{FLAGS}/experiment-0007", json={"context": {"targetingKey": f"u{unit}"}}).status_code == 200
            )
        page = http.get("/sign-in/")
        assert (page.status_code, page.json()["code"]) == (404, "not_found")
        assert "TRUELIFT_PAGES" in page.json()["message"]
    if Path("/proc/self/statm").exists():
        started = server.process.pid
        worker = int(Path(f"/proc/{started}/task/{started}/children").read_text().split()[0])
        print(f"resident memory with {EXPERIMENTS} experiments: {resident_megabytes(worker):.0f} MB")
        assert resident_megabytes(worker) < MOST_MEGABYTES
