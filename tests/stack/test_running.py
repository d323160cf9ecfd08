"""What a running stack does: serves, restarts what fails, and keeps others out of its home and port."""

import os
import signal
import sys

import httpx
import psycopg
import pytest

from config import paths
from config.stack.running import RunningStack
from tests.stack.conftest import free_port, run_stack_to_its_end, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def answers(stack: RunningStack, path: str = "/readyz") -> bool:
    try:
        return httpx.get(stack.base_url + path, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def running_again(stack: RunningStack, name: str, before: int) -> bool:
    pid = stack.state.children[name]
    return pid != before and os.path.exists(f"/proc/{pid}")


def test_stack__when_ready__answers_and_runs_every_part(stack: RunningStack):
    assert answers(stack)
    assert set(stack.state.children) == {"postgres", "valkey", "web", "worker", "beat"}
    assert all(os.path.exists(f"/proc/{pid}") for pid in stack.state.children.values())


def test_stack__serves_static_files_by_their_hashed_names(stack: RunningStack):
    [bundle] = (stack.home / "static" / "vendor").glob("htmx*.????????????.js")
    assert answers(stack, f"/static/vendor/{bundle.name}")


def test_postgres__under_root__runs_as_somebody_else(stack: RunningStack):
    owner = os.stat(f"/proc/{stack.state.children['postgres']}").st_uid
    assert (owner == os.geteuid()) == (os.geteuid() != 0)
    assert owner != 0


def test_sockets__are_closed_to_other_accounts(stack: RunningStack):
    assert paths.socket_directory(stack.home).stat().st_mode & 0o077 == 0


def test_second_start__in_the_same_home__says_that_one_runs(stack: RunningStack):
    refused = run_stack_to_its_end(stack.home, "--port", str(free_port()))
    [line] = refused.stdout.splitlines()
    assert refused.returncode == 1
    assert "already runs" in line
    assert stack.base_url in line
    assert str(stack.process.pid) in line
    assert answers(stack)


def test_port__in_use__is_named_with_the_option_that_changes_it(stack: RunningStack, tmp_path):
    port = stack.base_url.rpartition(":")[2]
    refused = run_stack_to_its_end(tmp_path, "--port", port)
    [line] = refused.stdout.splitlines()
    assert refused.returncode == 1
    assert f"Port {port} " in line
    assert "make run PORT=" in line
    assert refused.stderr == ""


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_part__that_is_killed__is_started_again_and_named(stack: RunningStack, name: str):
    before = stack.state.children[name]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: running_again(stack, name, before))
    wait_until(lambda: answers(stack))
    assert f"/logs/{name}.log" in stack.output
    assert "was ended by SIGKILL; it starts again" in stack.output


def test_postgres__that_is_killed__comes_back_with_its_data(stack: RunningStack):
    address = paths.embedded_database_url(stack.home)
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS number")
    before = stack.state.children["postgres"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: running_again(stack, "postgres", before), seconds=40)
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (42,)
