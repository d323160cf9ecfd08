"""Children end when told, and when whoever started them is gone."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.stack import children, processes, services, watcher
from config.stack.accounts import postgres_identity
from config.stack.processes import SAME, spawn, stop
from config.stack.screen import Screen
from tests.stack.conftest import wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals are Linux's")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the account")

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
PARENT = """
import os, pathlib, sys
from config.stack.accounts import postgres_identity
from config.stack.processes import SAME, spawn
identity = postgres_identity(pathlib.Path(sys.argv[1]), []) if sys.argv[1] else SAME
print(spawn(["sleep", "600"], None, identity=identity, cwd="/").pid, flush=True)
sys.stdin.read()
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def seconds_a_sleeper_outlives_its_killed_parent(data: str) -> float:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        sleeper = int(parent.stdout.readline())
        # A child behind setpriv needs a moment until it is what it becomes.
        wait_until(lambda: Path(f"/proc/{sleeper}/cmdline").read_bytes().startswith(b"sleep"))
        assert not gone(sleeper)
        parent.kill()
    return wait_until(lambda: gone(sleeper), 5)


@linux
def test_child__of_a_killed_parent__dies():
    assert seconds_a_sleeper_outlives_its_killed_parent("") < 5


@linux
@root
def test_child__under_another_account__of_a_killed_parent__dies():
    data = "/var/lib/postgres"  # open to all, and never made here
    assert postgres_identity(Path(data), []).prefix == ()
    assert seconds_a_sleeper_outlives_its_killed_parent(data) < 5


@linux
@root
def test_child__that_passes_closed_directories__of_a_killed_parent__dies(tmp_path):
    tmp_path.chmod(0o700)
    data = tmp_path / "postgres"
    assert "setpriv" in postgres_identity(data, []).prefix[0]
    assert seconds_a_sleeper_outlives_its_killed_parent(str(data)) < 5


@root
def test_postgres_identity__of_a_cluster_that_a_user_made__is_that_user(tmp_path):
    data = tmp_path / "postgres"
    data.mkdir()
    somebody = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, pwd.getpwnam("nobody").pw_uid))
    os.chown(data, somebody.pw_uid, somebody.pw_gid)
    assert postgres_identity(data, []).user == somebody.pw_uid


def test_postgres_identity__of_an_ordinary_user__is_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert postgres_identity(tmp_path / "postgres", []) == SAME


@root
def test_postgres_identity__without_setpriv__says_what_to_do(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Exception, match=r"cannot reach .* Install util-linux \(setpriv\), move Truelift"):
        postgres_identity(tmp_path / "postgres", [])


def test_stop__of_a_child_that_does_not_listen__kills_it(tmp_path):
    deaf = start_deaf(tmp_path)
    assert stop(deaf, seconds=0.2) == -signal.SIGKILL


def test_log__that_has_grown_large__is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "LARGEST_LOG", 10)
    (tmp_path / "web.log").write_text("x" * 11)
    assert spawn(["true"], tmp_path / "web.log").wait(10) == 0
    assert (tmp_path / "web.1.log").read_text() == "x" * 11
    assert (tmp_path / "web.log").read_text() == ""


def start_deaf(tmp_path) -> subprocess.Popen[bytes]:
    deaf = spawn([sys.executable, "-c", DEAF], tmp_path / "deaf.log")
    wait_until(lambda: (tmp_path / "deaf.log").read_text() == "deaf\n", 10)
    return deaf


def deaf_service(tmp_path) -> services.Service:
    return services.Service(name="web", title="Server", start=lambda: start_deaf(tmp_path), log=tmp_path / "deaf.log")


def test_second_interrupt__does_not_wait_for_a_child_that_does_not_listen(tmp_path, capfd):
    with (tmp_path / "lock").open("w") as lock:
        family = children.Children(Screen(1), lock.fileno(), lambda pids: None)
    family.start(deaf_service(tmp_path))
    began = time.monotonic()
    family.stop(hurry=lambda: time.monotonic() - began > 0.3)
    assert time.monotonic() - began < 5, "its patience is 10 s"
    assert "Server killed" in capfd.readouterr().out


def test_failed_child__waits_twice_as_long_after_each_failure(tmp_path, capfd):
    with (tmp_path / "lock").open("w") as lock:
        family = children.Children(Screen(1), lock.fileno(), lambda pids: None)
    failing = services.Service(
        name="web", title="Server", start=lambda: spawn(["false"], tmp_path / "log"), log=tmp_path / "log"
    )
    family.start(failing)
    said = ""
    for _ in range(100):
        family.start_failed_again()
        said += capfd.readouterr().out
        if said.count("starts again") == 2:
            break
        time.sleep(0.05)
    family.stop(hurry=lambda: True)
    assert re.findall(r"ended with status 1; it starts again in (\S+) s", said) == ["0.5", "1"]


def test_watcher__when_its_pipe_closes__kills_what_is_listed_and_spares_what_is_not(tmp_path, monkeypatch):
    listed, spared = start_deaf(tmp_path), spawn(["sleep", "600"], tmp_path / "log")
    lines = [f"+{listed.pid}\n", f"+{spared.pid}\n", f"-{spared.pid}\n"]
    groups = watcher.follow(lines)
    assert groups == {listed.pid}
    os.kill(listed.pid, signal.SIGSTOP)  # it does not answer the polite signal either
    watcher.end(groups, grace=0.2)
    assert listed.wait(5) == -signal.SIGKILL
    assert spared.poll() is None
    stop(spared)
