"""Write encoded events to the log in one transaction: all of them, each once, on disk before it returns."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import psycopg
from django.conf import settings
from psycopg.conninfo import make_conninfo

from events.row import COLUMNS, COPY_HEADER, COPY_TRAILER, PRODUCTION

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
# What came and what was new, for each of these: the difference came again.
_SORTS = "project_id, environment, door, name"
_KEEP = f"""
    WITH kept AS (
        {{insert}} RETURNING {_SORTS}
    )
    SELECT {_SORTS}, sum(came)::bigint, sum(kept)::bigint FROM (
        SELECT {_SORTS}, count(*) AS came, 0 AS kept FROM pg_temp.stage GROUP BY {_SORTS}
        UNION ALL SELECT {_SORTS}, 0, count(*) FROM kept GROUP BY {_SORTS}
    ) both_of GROUP BY {_SORTS}
"""  # noqa: S608
# Sorted, so that two writers that meet the same events wait for each other instead of locking each other out.
_KEEP_DATED = _KEEP.format(
    insert=f"""
    INSERT INTO events_log ({COLUMNS}) SELECT {COLUMNS} FROM pg_temp.stage
    ORDER BY project_id, id, ts ON CONFLICT DO NOTHING
"""  # noqa: S608
)
# A scalar subquery and not an anti-join: it looks each id up in the index and can never read the whole log.
_KEEP_UNDATED = _KEEP.format(
    insert=f"""
    INSERT INTO events_log ({COLUMNS})
    SELECT DISTINCT ON (project_id, id) {COLUMNS} FROM pg_temp.stage AS new
    WHERE (
        SELECT true FROM events_log AS old
        WHERE old.project_id = new.project_id AND old.id = new.id AND old.ts > now() - interval '{UNDATED_MEMORY}'
        LIMIT 1
    ) IS NULL
    ORDER BY project_id, id, ts ON CONFLICT DO NOTHING
"""  # noqa: S608
)
NOTE_WAITS = "SET LOCAL lock_timeout = '200ms'"
_NOTE = """
    INSERT INTO events_duplicateday AS d (event_id, door, day, events)
    SELECT s.id, t.door, (now() AT TIME ZONE 'UTC')::date, t.events
    FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::bigint[]) AS t(project_id, door, name, events)
    JOIN events_seenevent s ON s.project_id = t.project_id AND s.name = t.name
    ORDER BY s.id, t.door
    ON CONFLICT (event_id, door, day) DO UPDATE SET events = d.events + excluded.events
"""

Again = Counter[tuple[int, int, str]]
"""How many of production's events came again, by project, door and name."""


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


def store(
    connection: psycopg.Connection[Any],
    dated: Sequence[bytes],
    undated: Sequence[bytes],
    *,
    again: bool,
    found_again: Again | None = None,
) -> int:
    """Write encoded events in one transaction and return how many are new; those in the log are left as they are.

    Parameters
    ----------
    dated
        Events whose ``ts`` the client gave: the same (project, id, ts) is the same event.
    undated
        Events whose ``ts`` is the server's: the same (project, id) within ``UNDATED_MEMORY`` is the same event.
    again
        Some of these events may be in the log already, so do not try the short way first.
    found_again
        Is told which events came again.

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
            stored += _kept(connection.execute(_KEEP_DATED), found_again)
        if undated:
            stored += _keep_undated(connection, undated, found_again)
    return stored


def note(connection: psycopg.Connection[Any], again: Again) -> None:
    """Add up by day which events came again; those whose name the catalogue does not know yet are left out.

    Raises
    ------
    psycopg.Error
        Nothing was written; ``LockNotAvailable`` where another server writes the same rows just now.
    """
    keys = list(again)
    columns = [list(column) for column in zip(*keys, strict=True)]
    with connection.transaction():
        connection.execute(NOTE_WAITS)
        connection.execute(_NOTE, [*columns, [again[key] for key in keys]])


def _kept(found: psycopg.Cursor[Any], again: Again | None) -> int:
    stored = 0
    for project, environment, door, name, came, kept in found:
        stored += kept
        if again is not None and came > kept and environment == PRODUCTION:
            again[project, door, name] += came - kept
    return stored


def _keep_undated(connection: psycopg.Connection[Any], undated: Sequence[bytes], again: Again | None) -> int:
    # One writer at a time: no constraint can stop two of them from keeping the same id under two times.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [UNDATED_LOCK])
    connection.execute("TRUNCATE pg_temp.stage")
    _copy(connection, _COPY_STAGE, undated)
    return _kept(connection.execute(_KEEP_UNDATED), again)


def _copy(connection: psycopg.Connection[Any], statement: str, rows: Sequence[bytes]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(b"".join((COPY_HEADER, *rows, COPY_TRAILER)))
