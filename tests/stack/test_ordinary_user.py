"""Root's tests also start the product from an account that may do nothing else."""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import paths
from config.stack.home import read_state
from tests import prepared
from tests.stack.conftest import free_port, members, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can become a user")
ACCOUNT = pwd.getpwnam("nobody")
# Some machines keep Python or the checkout below /root: the account may then read there, and still write nothing.
READ = "-all,+dac_read_search"
MAY_READ = ["setpriv", f"--reuid={ACCOUNT.pw_uid}", f"--regid={ACCOUNT.pw_gid}", "--clear-groups",
            f"--inh-caps={READ}", f"--ambient-caps={READ}", "--securebits=+no_setuid_fixup", "--"]  # fmt: skip
BECOME = {"user": ACCOUNT.pw_uid, "group": ACCOUNT.pw_gid, "extra_groups": []}


def way_to_run_python() -> tuple[list[str], dict[str, object]] | None:
    """Return what goes before the command and into ``subprocess`` to run this Python from the account."""
    for prefix, arguments in (([], BECOME), (MAY_READ, {})):
        with contextlib.suppress(OSError):
            check = [*prefix, sys.executable, "-c", "import config.stack.supervisor"]
            if (
                subprocess.run(check, capture_output=True, check=False, cwd=paths.REPOSITORY, **arguments).returncode
                == 0
            ):
                return prefix, arguments
    return None


@pytest.fixture
def open_home(embedded_servers: Path) -> Iterator[Path]:
    """A home that the account owns, outside pytest's own closed directory."""
    with tempfile.TemporaryDirectory(prefix="tl-user-") as name:
        subprocess.run(["chown", "-R", ACCOUNT.pw_name, str(prepared.furnish(Path(name)))], check=True)
        yield Path(name)


def test_stack__from_an_ordinary_account__becomes_ready_and_stops(open_home: Path):
    way = way_to_run_python()
    if way is None:
        pytest.skip("user nobody cannot run this Python or read this checkout")
    prefix, arguments = way
    os.chown(open_home, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    output = open_home / "output.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "config.stack", "--port", str(free_port()), "--no-demo", "--no-live"],
            env={**os.environ, "TRUELIFT_HOME": str(open_home), "TRUELIFT_STATIC_ROOT": ""},
            cwd=paths.REPOSITORY,
            stdout=file,
            stderr=subprocess.STDOUT,
            **arguments,
        )
    try:
        wait_until(lambda: process.poll() is not None or ready(open_home), 60)
        assert process.poll() is None, output.read_text()
        owners = {os.stat(f"/proc/{pid}").st_uid for pid in read_state(open_home).children.values()}
        assert owners == {ACCOUNT.pw_uid}
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
    assert status == 0
    assert "Everything has stopped" in output.read_text()
    assert members(open_home) == set()


def ready(home: Path) -> bool:
    state = read_state(home)
    return state is not None and state.ready
