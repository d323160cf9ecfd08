"""Where an installation keeps its files: one home directory, one short socket directory."""

import hashlib
import os
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# PostgreSQL refuses Unix socket paths of 107 bytes and more; its own file name takes 15 of them.
LONGEST_SOCKET_DIRECTORY = 85


def home() -> Path:
    """Return the installation's directory: ``TRUELIFT_HOME``, or ``.truelift`` beside the code."""
    return Path(os.environ.get("TRUELIFT_HOME") or REPOSITORY / ".truelift").resolve()


def socket_directory(home_directory: Path) -> Path:
    """Return a directory for Unix sockets whose path is short enough for PostgreSQL."""
    preferred = home_directory / "run"
    if len(os.fsencode(preferred)) <= LONGEST_SOCKET_DIRECTORY:
        return preferred
    digest = hashlib.sha256(os.fsencode(home_directory)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"truelift-{os.getuid()}-{digest}"


def embedded_database_url(home_directory: Path) -> str:
    """Return the address of the embedded PostgreSQL of this home."""
    return f"postgresql://truelift@/truelift?host={socket_directory(home_directory)}"


def embedded_redis_url(home_directory: Path) -> str:
    """Return the address of the embedded Valkey of this home."""
    return f"unix://{socket_directory(home_directory)}/valkey.sock"
