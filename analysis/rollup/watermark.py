"""How far the log is folded, and the bounds of the next chunk."""

import time
from dataclasses import dataclass

from django.db import connection, transaction

from analysis.models import FoldedExperiment, FoldedProject, StrayExposure, Watermark
from analysis.rollup import sql
from events import catalogue

NAME = "results"

NEXT_XID = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
SNAPSHOT_XMIN = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
LAST_OF_CHUNK = """
SELECT xid::text::bigint FROM events_log WHERE xid >= %(lo)s::xid8 AND xid < %(target)s::xid8
ORDER BY xid OFFSET %(skip)s LIMIT 1
"""
PENDING = "SELECT count(*) FROM events_log WHERE xid >= %(lo)s::xid8 AND xid < %(target)s::xid8"


class RestoredError(Exception):
    """The log comes from another PostgreSQL cluster, whose transaction ids mean nothing in this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A chunk of transactions, half open: every row of [lo, hi) is committed or gone, and none can still appear."""

    lo: int
    hi: int

    def as_parameters(self) -> dict[str, str]:
        """Return the bounds as the statements take them (PostgreSQL reads xid8 from text alone)."""
        return {"lo": str(self.lo), "hi": str(self.hi)}


def settled_xid() -> int:
    """Return the id below which every transaction has ended: rows at or above it may still appear."""
    return sql.number(SNAPSHOT_XMIN)


def wait_until_settled(seconds: float = 30) -> bool:
    """Wait until all that is in the log now can be folded; return whether it can.

    A transaction that is open anywhere in the server keeps back all rows written since it began.
    """
    newest, deadline = sql.number(NEXT_XID), time.monotonic() + seconds
    while settled_xid() < newest:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def make() -> None:
    """Have the watermark's row, so that there is something to lock."""
    Watermark.objects.get_or_create(name=NAME)


def lock() -> Watermark:
    """Wait until no other worker folds, and keep others out until this transaction ends.

    Raises:
        RestoredError: the watermark lies above every transaction there has been, so new events would wait for years.
    """
    assert_in_transaction()
    mark = Watermark.objects.select_for_update().get(name=NAME)
    if mark.xid > sql.number(NEXT_XID):
        raise RestoredError(
            "The database was restored from a dump: its events carry transaction ids of another server. "
            "Run manage.py recompute --restored once."
        )
    return mark


@transaction.atomic
def begin_anew() -> int:
    """Give restored events a transaction of this cluster and fold from nothing; return how many there were."""
    make()
    Watermark.objects.select_for_update().get(name=NAME)
    moved = sql.number("SELECT count(*) FROM events_log")
    sql.run("UPDATE events_log SET xid = DEFAULT")
    for table in (FoldedExperiment, FoldedProject, StrayExposure):
        table.objects.all().delete()
    Watermark.objects.filter(name=NAME).update(xid=0)
    catalogue.begin_anew()
    return moved


def next_chunk(lo: int, events: int) -> Bounds:
    """Return the next chunk: at most ``events`` rows, and the rest of the transaction that the last of them is in.

    A transaction is never split, because the watermark is a transaction id. Call it with the lock held.
    """
    target = max(lo, settled_xid())
    last = sql.number(LAST_OF_CHUNK, {"lo": str(lo), "target": str(target), "skip": events - 1}, default=target - 1)
    return Bounds(lo=lo, hi=last + 1)


def pending(lo: int) -> int:
    """Return how many settled rows lie above ``lo``."""
    return sql.number(PENDING, {"lo": str(lo), "target": str(settled_xid())})


def lock_if_free() -> bool:
    """Keep others from folding until this transaction ends, unless somebody does so now; say whether they are."""
    assert_in_transaction()
    return Watermark.objects.select_for_update(skip_locked=True).filter(name=NAME).exists()


def assert_in_transaction() -> None:
    """Refuse to lock outside a transaction, where the lock would be gone at once."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "The watermark was to be locked outside a transaction; wrap the fold in transaction.atomic()."
        )
