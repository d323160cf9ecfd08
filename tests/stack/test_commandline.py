"""A management command that cannot run says why in one line, without a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from config import commandline
from config.paths import REPOSITORY

NOBODY_LISTENS = "postgresql://me:hidden@127.0.0.1:1/truelift"


def told(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py`` in a home where nothing runs."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "manage.py"), *arguments],
        env={**kept, "TRUELIFT_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "Start it with `make run`"),
        ({"DATABASE_URL": NOBODY_LISTENS}, "DATABASE_URL cannot be reached"),
        ({"DATABASE_URL": "mysql://root@localhost/x"}, "must start with postgresql://"),
        ({"EMAIL_URL": "localhost"}, "it must look like smtp://host:25"),
    ],
)
@pytest.mark.parametrize("command", ["migrate", "recompute"])
def test_command__that_cannot_reach_what_it_needs__says_so_in_one_line(
    tmp_path, command: str, environment: dict[str, str], says: str
):
    answer = told(tmp_path, command, **environment)
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    assert says in answer.stderr
    assert "hidden" not in answer.stderr


def test_demo_command__without_a_database__says_so_in_one_line(tmp_path):
    answer = told(tmp_path, "simulate_shop")
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    assert "Start it with `make run`" in answer.stderr


def test_is_unreachable__of_a_statement_that_failed__is_not_said():
    failed = OperationalError("deadlock detected")
    failed.__cause__ = DeadlockDetected("deadlock detected")
    assert not commandline.is_unreachable(failed)
    assert commandline.is_unreachable(OperationalError("connection refused"))


def test_run__ended_by_ctrl_c__leaves_no_traceback(monkeypatch):
    def interrupted(_: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commandline, "execute_from_command_line", interrupted)
    assert commandline.run(["manage.py", "simulate_shop"]) == commandline.INTERRUPTED
