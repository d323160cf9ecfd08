"""Write encoded events to the log in one transaction: all of them, each once, on disk before it returns."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.conf import settings
from psycopg.conninfo import make_conninfo

from events.row import COLUMNS, COPY_HEADER, COPY_TRAILER

CONNECT_SECONDS = 5
# How far back an event without a time of its own is recognised as a retry.
UNDATED_MEMORY = "2 days"
# Any constant: it only has to differ from the other advisory locks of this database (events/partitions.py).
UNDATED_LOCK = 7_302_001

_COPY = f"COPY events_log ({COLUMNS}) FROM STDIN (FORMAT binary)"
_COPY_STAGE = f"COPY pg_temp.stage ({COLUMNS}) FROM STDIN (FORMAT binary)"
_MAKE_STAGE = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS stage ON COMMIT DELETE ROWS AS
    SELECT {COLUMNS} FROM events_log WITH NO DATA
"""  # noqa: S608  (COLUMNS is a constant)
# Sorted, so that two writers that meet the same events wait for each other instead of locking each other out.
_KEEP_DATED = f"""
    INSERT INTO events_log ({COLUMNS}) SELECT {COLUMNS} FROM pg_temp.stage
    ORDER BY project_id, id, ts ON CONFLICT DO NOTHING
"""  # noqa: S608
# A scalar subquery and not an anti-join: it looks each id up in the index and can never read the whole log.
_KEEP_UNDATED = f"""
    INSERT INTO events_log ({COLUMNS})
    SELECT DISTINCT ON (project_id, id) {COLUMNS} FROM pg_temp.stage AS new
    WHERE (
        SELECT true FROM events_log AS old
        WHERE old.project_id = new.project_id AND old.id = new.id AND old.ts > now() - interval '{UNDATED_MEMORY}'
        LIMIT 1
    ) IS NULL
    ORDER BY project_id, id, ts ON CONFLICT DO NOTHING
"""  # noqa: S608


def conninfo() -> str:
    """Return libpq's connection string for the database of Django's settings."""
    database = settings.DATABASES["default"]
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    parts: dict[str, Any] = {key: database[name] for key, name in named.items() if database.get(name)}
    return make_conninfo(**{**database.get("OPTIONS", {}), **parts})


def connect(address: str) -> psycopg.Connection[Any]:
    """Open a connection that acknowledges a commit only when it is on disk."""
    connection = psycopg.connect(
        address,
        autocommit=True,  # a COPY of its own is one transaction and one round trip
        connect_timeout=CONNECT_SECONDS,
        application_name="truelift events",
        options="-c synchronous_commit=on -c statement_timeout=30s",
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )
    connection.prepare_threshold = 1
    return connection


def store(connection: psycopg.Connection[Any], dated: Sequence[bytes], undated: Sequence[bytes], *, again: bool) -> int:
    """Write encoded events in one transaction and return how many are new; those in the log are left as they are.

    Parameters
    ----------
    dated
        Events whose ``ts`` the client gave: the same (project, id, ts) is the same event.
    undated
        Events whose ``ts`` is the server's: the same (project, id) within ``UNDATED_MEMORY`` is the same event.
    again
        Some of these events may be in the log already, so do not try the short way first.

    Raises
    ------
    psycopg.Error
        Nothing was written, or (only when the connection broke during the commit) it is not known; storing the same
        events again is then safe.
    """
    if not again and not undated:
        try:
            _copy(connection, _COPY, dated)
            return len(dated)
        except psycopg.errors.UniqueViolation:
            pass  # at least one of them is a retry: sort them out below
    stored = 0
    with connection.transaction():
        connection.execute(_MAKE_STAGE)
        if dated:
            _copy(connection, _COPY_STAGE, dated)
            stored += connection.execute(_KEEP_DATED).rowcount
        if undated:
            stored += _keep_undated(connection, undated)
    return stored


def _keep_undated(connection: psycopg.Connection[Any], undated: Sequence[bytes]) -> int:
    # One writer at a time: no constraint can stop two of them from keeping the same id under two times.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [UNDATED_LOCK])
    connection.execute("TRUNCATE pg_temp.stage")
    _copy(connection, _COPY_STAGE, undated)
    return connection.execute(_KEEP_UNDATED).rowcount


def _copy(connection: psycopg.Connection[Any], statement: str, rows: Sequence[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(b"".join((COPY_HEADER, *rows, COPY_TRAILER)))
