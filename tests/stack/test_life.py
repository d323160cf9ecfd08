"""The life of one home: interrupted first start, cold start, hard kill, warm start, ordered stop."""

import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field

import psycopg
import pytest

from config import paths
from config.stack.running import output_of, running_stack, start_stack
from tests.stack.conftest import free_port, members, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@dataclass
class Life:
    """What was observed, in the order in which it happened."""

    interrupted_status: int | None = None
    interrupted_left: set[int] = field(default_factory=set)
    had: set[int] = field(default_factory=set)
    left_after_kill: set[int] = field(default_factory=set)
    warm_seconds: float = 0
    load_per_core: float = 0
    kept: object = None
    stopped_status: int | None = None
    stopped_left: set[int] = field(default_factory=set)
    stop_output: str = ""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    home, seen = tmp_path_factory.mktemp("life"), Life()
    interrupt_first_start(home, seen)
    with running_stack(home) as stack:
        with psycopg.connect(paths.embedded_database_url(home)) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
        kill_without_mercy(stack, seen)
    began = time.monotonic()
    with running_stack(home) as stack:
        seen.warm_seconds = time.monotonic() - began
        seen.load_per_core = os.getloadavg()[0] / (os.cpu_count() or 1)
        with psycopg.connect(paths.embedded_database_url(home)) as connection:
            seen.kept = connection.execute("SELECT number FROM kept").fetchone()
        before = len(stack.output)
        stack.process.send_signal(signal.SIGINT)
        seen.stopped_status = stack.process.wait(60)
        seen.stop_output = stack.output[before:]
        seen.stopped_left = members(home)
    return seen


def interrupt_first_start(home, seen: Life) -> None:
    environment = {**os.environ, "TRUELIFT_HOME": str(home)}
    process = start_stack(home, free_port(), demo=False, live=False, environment=environment)
    wait_until(lambda: (home / "postgres.new" / "PG_VERSION").exists() or (home / "postgres").exists())
    process.send_signal(signal.SIGINT)
    seen.interrupted_status = process.wait(60)
    seen.interrupted_left = members(home)
    assert "Everything has stopped" in output_of(home)


def kill_without_mercy(stack, seen: Life) -> None:
    """Kill the supervisor and its watcher in one moment: the kernel's parent-death signals alone must do."""
    seen.had = members(stack.home)
    watcher = [pid for pid in children_of(stack.process.pid) if "watcher.py" in command_of(pid)]
    assert len(watcher) == 1
    os.kill(watcher[0], signal.SIGKILL)
    stack.process.kill()
    stack.process.wait()
    deadline = time.monotonic() + 20
    while (left := members(stack.home) | alive(seen.had)) and time.monotonic() < deadline:
        time.sleep(0.05)
    seen.left_after_kill = left


def children_of(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(number) for number in file.read().split()]


def command_of(pid: int) -> str:
    """Return a process's command line; empty where it is gone, also between looking and reading."""
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except OSError:
        return ""


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if command_of(pid)}


def test_interrupt__in_the_first_seconds__stops_cleanly_and_the_next_start_works(life: Life):
    assert life.interrupted_status == 0
    assert life.interrupted_left == set()


def test_hard_kill__of_supervisor_and_watcher__leaves_no_process(life: Life):
    assert len(life.had) >= 10, "supervisor, server, worker and their children were running"
    assert life.left_after_kill == set()


def test_next_start__after_a_hard_kill__keeps_the_data_and_is_ready_in_twenty_seconds(life: Life):
    assert life.kept == (42,)
    assert life.warm_seconds < 20 * max(1.0, life.load_per_core), "20 s where nothing else runs"


def test_interrupt__stops_every_part_in_order_and_says_so(life: Life):
    assert life.stopped_status == 0
    assert re.findall(r"✓ (\w+) stopped", life.stop_output) == ["Server", "Schedule", "Worker", "Valkey", "PostgreSQL"]
    assert "Everything has stopped" in life.stop_output
    assert life.stopped_left == set()
