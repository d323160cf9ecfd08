"""The snapshot on disk, so that a restart during a database outage still serves."""

import os
import tempfile
from pathlib import Path

from assignment.snapshot import Snapshot, SnapshotError, decode, encode


def load(file: Path) -> Snapshot | None:
    """Return the snapshot kept in ``file``, or None when none was kept yet.

    Raises
    ------
    SnapshotError
        When the file cannot be read or is not a whole, good snapshot.
    """
    try:
        return decode(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SnapshotError(f"the snapshot cannot be read: {error}.") from error


def keep(file: Path, snapshot: Snapshot) -> None:
    """Replace ``file`` in one step; it is whole or the old one, and only its owner may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file 0600 and with a name of its own: several processes may write at once.
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(encode(snapshot))
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise


def is_kept(file: Path) -> bool:
    """Say whether there is a file, as far as this process may see."""
    try:
        return file.exists()
    except OSError:
        return False
