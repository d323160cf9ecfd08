import asyncio
import json
import threading
import time
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from events import log, partitions, tasks
from events.models import LoggedEvent
from events.row import encode
from events.segment.message import accept
from events.sink import Entry, Sink
from tests.events.builders import arrival, track

DAY = date(2024, 5, 17)


@pytest.fixture(autouse=True)
def without_partitions(address):
    yield
    for name in attached() - {"events_log_other"}:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {name}")


def attached() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events_log'::regclass")
        return {name for (name,) in cursor.fetchall()}


def keep(writer, *times: str) -> None:
    rows = [encode(accept(json.dumps(track(timestamp=time)).encode(), arrival())) for time in times]
    log.store(writer, rows, [], again=False)


def places() -> list[tuple[str, str, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, ts::text, xid::text::bigint FROM events_log ORDER BY ts")
        return list(cursor.fetchall())


def test_ensure__makes_each_day_once():
    assert partitions.ensure(DAY, DAY + timedelta(days=2)) == [
        "events_log_20240517",
        "events_log_20240518",
        "events_log_20240519",
    ]
    assert partitions.ensure(DAY - timedelta(days=1), DAY + timedelta(days=2)) == ["events_log_20240516"]


def test_ensure__rows_of_the_day_in_the_default_partition__move_and_keep_their_transaction(writer):
    keep(writer, "2024-05-16T23:59:59.999999Z", "2024-05-17T00:00:00Z")
    keep(writer, "2024-05-17T23:59:59.999999Z", "2024-05-18T00:00:00Z")
    before = places()
    partitions.ensure(DAY, DAY)
    after = places()
    assert [place[0] for place in before] == ["events_log_other"] * 4
    assert [place[0] for place in after] == [
        "events_log_other",
        "events_log_20240517",
        "events_log_20240517",
        "events_log_other",
    ]
    assert [place[1:] for place in after] == [place[1:] for place in before]


def test_event__after_the_partition_is_made__goes_there_and_a_retry_is_known(writer):
    partitions.ensure(DAY, DAY)
    message = track(timestamp="2024-05-17T12:00:00Z")
    row = encode(accept(json.dumps(message).encode(), arrival()))
    log.store(writer, [row], [], again=False)
    log.store(writer, [row], [], again=False)
    assert [place[0] for place in places()] == ["events_log_20240517"]


def test_partition__has_every_index_of_the_log():
    partitions.ensure(DAY, DAY)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, count(*) FROM pg_indexes "
            "WHERE tablename IN ('events_log', 'events_log_20240517') GROUP BY tablename"
        )
        counts = dict(cursor.fetchall())
    assert counts["events_log"] == counts["events_log_20240517"] > 0


def test_partition__refuses_an_exposure_without_its_variant():
    partitions.ensure(DAY, DAY)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'events_log_20240517'::regclass AND contype = 'c'"
        )
        assert ("exposure_names_its_variant",) in cursor.fetchall()


def test_ensure__while_a_reader_holds_the_log__gives_up_soon_and_changes_nothing(address, writer, monkeypatch):
    monkeypatch.setattr(partitions, "LOCK_TIMEOUT", "100ms")
    keep(writer, "2024-05-17T12:00:00Z")
    with psycopg.connect(address) as reader:
        reader.execute("SELECT count(*) FROM events_log")
        with pytest.raises(OperationalError, match="lock timeout"):
            partitions.ensure(DAY, DAY)
    assert attached() == {"events_log_other"}
    assert LoggedEvent.objects.count() == 1


def test_task__run_twice__covers_the_days_around_today():
    tasks.keep_partitions()
    first = attached()
    tasks.keep_partitions()
    today = datetime.now(UTC).date()
    assert first == attached()
    assert partitions.partition_name(today) in first
    assert partitions.partition_name(today + timedelta(days=partitions.DAYS_AHEAD)) in first
    assert len(first) == partitions.DAYS_BEHIND + partitions.DAYS_AHEAD + 2


def test_event__routed_before_its_partition_was_made__is_kept_in_the_partition(address):
    message = json.dumps(track(timestamp="2024-05-17T12:00:00Z")).encode()
    entry = Entry(dated=[encode(accept(message, arrival()))])

    async def put():
        sink = Sink(address, writers=1)
        sink.start(asyncio.get_running_loop())
        try:
            await sink.put(entry)
        finally:
            await sink.stop()

    writing = threading.Thread(target=lambda: asyncio.run(put()))
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE events_log_other IN ACCESS EXCLUSIVE MODE")
        writing.start()
        wait_for_a_blocked_copy(address)
        partitions.ensure(DAY, DAY)
    writing.join(20)
    assert [place[0] for place in places()] == ["events_log_20240517"]


def wait_for_a_blocked_copy(address: str) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY events_log%' AND wait_event_type = 'Lock'"
    with psycopg.connect(address, autocommit=True) as observer:
        deadline = time.monotonic() + 20
        while observer.execute(waiting).fetchone() != (1,):
            assert time.monotonic() < deadline
            time.sleep(0.02)
