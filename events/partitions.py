"""Daily partitions of the event log: made ahead, and for past days on demand.

A row whose day has no partition goes to the default one, so nothing waits for this. When a partition is made later,
the day's rows move into it in the same transaction and keep their transaction ids, so a reader that follows those
(analysis) neither misses nor repeats one.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper

logger = logging.getLogger(__name__)

DAYS_BEHIND = 45
DAYS_AHEAD = 7
LOCK = 7_302_002
# New readers queue behind a lock that waits; they must not queue for long.
LOCK_TIMEOUT = "3s"


def ensure(first: date, last: date) -> list[str]:
    """Make the missing daily partitions from ``first`` to ``last``, both included; return the names of new ones.

    Each day is a transaction of its own, so that no lock is held for longer than one day's rows need. Processes that
    do this at the same time take turns.
    """
    return [name for day in _days(first, last) if (name := _make(day)) is not None]


def keep() -> list[str]:
    """Make the partitions of the recent past and of the days ahead."""
    today = datetime.now(UTC).date()
    return ensure(today - timedelta(days=DAYS_BEHIND), today + timedelta(days=DAYS_AHEAD))


def keep_quietly() -> None:
    """Do ``keep`` beside other work: what fails is logged and left to the schedule (config/schedule.py)."""
    try:
        keep()
    except DatabaseError as error:
        logger.warning("The event log's partitions could not be made now: %s", " ".join(str(error).split()))
    finally:
        connection.close()


def partition_name(day: date) -> str:
    """Return the name of the table that holds one UTC day of the log."""
    return f"events_log_{day:%Y%m%d}"


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=offset) for offset in range((last - first).days + 1))


def _make(day: date) -> str | None:
    name = partition_name(day)
    with connection.cursor() as cursor:
        if _exists(cursor, name):
            return None
        with transaction.atomic():
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            if _exists(cursor, name):
                return None
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            _attach(cursor, name, day)
    return name


def _exists(cursor: CursorWrapper, name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
    return bool(cursor.fetchone()[0])


def _attach(cursor: CursorWrapper, name: str, day: date) -> None:
    start, end = f"{day} 00:00:00+00", f"{day + timedelta(days=1)} 00:00:00+00"
    # The parent before the default partition, as writers and readers lock them; ATTACH needs both locks anyway.
    cursor.execute("LOCK TABLE ONLY events_log IN SHARE UPDATE EXCLUSIVE MODE")
    cursor.execute("LOCK TABLE events_log_other IN ACCESS EXCLUSIVE MODE")
    cursor.execute(f"CREATE TABLE {name} (LIKE events_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    cursor.execute(
        f"WITH moved AS (DELETE FROM events_log_other WHERE ts >= %s AND ts < %s RETURNING *) "  # noqa: S608
        f"INSERT INTO {name} SELECT * FROM moved",
        [start, end],
    )
    cursor.execute(f"ALTER TABLE events_log ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')")
