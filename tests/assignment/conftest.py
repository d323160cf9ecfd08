import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from assignment.edge import Edge


@pytest.fixture
def conninfo(transactional_db: None) -> str:
    """Say how another connection reaches the tests' database, where it sees only what is committed."""
    parameters = connection.get_connection_params()
    return make_conninfo(**{name: parameters[name] for name in ("dbname", "user", "host") if name in parameters})


@pytest.fixture
def edge(conninfo: str, tmp_path: Path) -> Iterator[Edge]:
    """Run an edge that hears of changes by notification alone: it would poll only once an hour."""
    running = Edge(conninfo, tmp_path / "snapshot.json", poll_seconds=3600)
    running.start()
    assert running.wait_until_ready(10), running.problem
    yield running
    running.stop()


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> float:
    """Return after how many seconds the condition came true."""
    began = time.perf_counter()
    while not condition():
        assert time.perf_counter() - began < seconds, "it did not come true in time"
        time.sleep(0.005)
    return time.perf_counter() - began
