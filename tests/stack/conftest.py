"""Whole stacks in directories of their own; each is shared by the claims that can be read from one run."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import paths
from config.stack.running import RunningStack, running_stack
from tests import prepared


@pytest.fixture(scope="module")
def stack(embedded_servers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One running product for every claim that leaves it running; ``test_life`` starts from nothing."""
    with running_stack(prepared.furnish(tmp_path_factory.mktemp("stack"), durable=True)) as running:
        yield running


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def members(home: Path) -> set[int]:
    """Return every live process whose command line or environment names this home."""
    found, needle = set(), os.fsencode(home)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            if needle in (entry / "cmdline").read_bytes() or b"TRUELIFT_HOME=" + needle in (
                entry / "environ"
            ).read_bytes().split(b"\0"):
                found.add(int(entry.name))
        except (OSError, ValueError):
            continue
    return found


def wait_until(true, seconds: float = 20) -> float:
    """Wait for ``true()`` and return how long it took; fail when it takes longer than ``seconds``."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.05)
    return time.monotonic() - began


def run_stack_to_its_end(home: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the supervisor where it must refuse, and return what it said."""
    return subprocess.run(
        [sys.executable, "-m", "config.stack", "--home", str(home), "--no-demo", "--no-live", *options],
        env={**os.environ, "TRUELIFT_HOME": str(home), **environment},
        cwd=paths.REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
