"""Which daily partitions of the log are old, and how one is dropped. Whether it may be is for the reader of the log
to say (analysis/rollup/retention.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.conf import settings
from django.db import connection, transaction

from events.models import CatalogueMark
from events.partitions import LOCK, LOCK_TIMEOUT

PARTITIONS = """
SELECT c.relname, pg_total_relation_size(c.oid)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events_log'::regclass AND c.relname ~ '^events_log_[0-9]{8}$' ORDER BY c.relname
"""
CONTENT = "SELECT count(*), coalesce(max(xid)::text::bigint, 0), max(at) FROM {table}"
# Days that never had a partition of their own lie together; the corrected time says when they really were.
OTHERS = "FROM events_log_other WHERE ts < %(cutoff)s AND at < %(cutoff)s AND xid < %(below)s::xid8"


@dataclass(frozen=True, slots=True, kw_only=True)
class OldPartition:
    """A day of the log past its retention: its rows and bytes, its newest transaction, and its newest corrected time
    (later than the day where a client's clock was wrong).
    """

    name: str
    day: date
    rows: int
    size: int
    newest_xid: int
    newest_at: datetime | None


def retention_days() -> int:
    """Return for how many days events are kept; 0 is for good."""
    return int(settings.RETENTION_DAYS)


def old(cutoff: date) -> Iterator[OldPartition]:
    """Yield the partitions of days before ``cutoff``, oldest first, counting each as it comes."""
    with connection.cursor() as cursor:
        cursor.execute(PARTITIONS)
        found = cursor.fetchall()
        for name, size in found:
            day = datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC).date()
            if day >= cutoff:
                return
            cursor.execute(CONTENT.format(table=name))
            rows, newest_xid, newest_at = cursor.fetchone()
            yield OldPartition(name=name, day=day, rows=rows, size=size, newest_xid=newest_xid, newest_at=newest_at)


def catalogued_below() -> int:
    """Return the transaction below which every row is in the catalogue."""
    mark = CatalogueMark.objects.first()
    return mark.xid if mark else 0


def drop(partition: OldPartition) -> None:
    """Drop one partition; wait for its lock no longer than writers can bear."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        cursor.execute(f"DROP TABLE {partition.name}")


def count_others(cutoff: date, below: int) -> int:
    """Return how many rows outside of daily partitions are old, and read by all who read the log."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {OTHERS}", {"cutoff": cutoff, "below": str(below)})
        return int(cursor.fetchone()[0])


def delete_others(cutoff: date, below: int) -> int:
    """Delete those rows, and return how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE {OTHERS}", {"cutoff": cutoff, "below": str(below)})
        return int(cursor.rowcount)
