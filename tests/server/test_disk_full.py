"""The log's disk is full for a while: clients are asked to come back, and what they bring again is counted once.

No tablespace of a few bytes can be had everywhere, so a trigger raises PostgreSQL's own error (53100), in the middle of
a batch, as a table that cannot grow does.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from events.models import LoggedEvent
from tests.events.builders import track
from tests.server.conftest import test_database_url

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from segment.analytics.client import Client

FILL = """
CREATE SEQUENCE test_disk_rows;
CREATE FUNCTION test_disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('test_disk_rows') % 3 = 0 THEN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER test_disk_full BEFORE INSERT ON events_log FOR EACH ROW EXECUTE FUNCTION test_disk_full()
"""
MAKE_ROOM = """
DROP TRIGGER IF EXISTS test_disk_full ON events_log;
DROP FUNCTION IF EXISTS test_disk_full; DROP SEQUENCE IF EXISTS test_disk_rows
"""


def make_room() -> None:
    with psycopg.connect(test_database_url(), autocommit=True) as connection:
        connection.execute(MAKE_ROOM)


@contextmanager
def full_disk() -> Iterator[None]:
    with psycopg.connect(test_database_url(), autocommit=True) as connection:
        connection.execute(FILL)
    try:
        yield
    finally:
        make_room()


@pytest.fixture
def send(server, write_key):
    with httpx.Client(base_url=server.url, auth=(write_key, ""), timeout=30) as client:
        yield lambda batch: client.post("/v1/batch", json={"batch": batch})


def test_disk_full__asks_to_come_back_and_keeps_nothing_of_the_batch(send):
    batch = [track() for _ in range(10)]
    with full_disk():
        for _ in range(3):
            answer = send(batch)
            assert (answer.status_code, answer.json()["code"]) == (503, "log_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert LoggedEvent.objects.count() == 0


def test_disk_full__room_again__the_clients_retry_counts_once(send):
    batch = [track() for _ in range(10)]
    with full_disk():
        assert send(batch).status_code == 503
    answers = [send(batch) for _ in range(40) if LoggedEvent.objects.count() == 0]
    assert answers[-1].status_code == 200
    assert send(batch).status_code == 200
    assert LoggedEvent.objects.count() == 10


def test_disk_full__real_client_under_way__delivers_everything_once_there_is_room(own_server, write_key):
    failures = []
    client = Client(write_key, host=own_server.url, max_retries=10, on_error=lambda error, _: failures.append(error))
    with full_disk():
        for number in range(30):
            client.track(f"user-{number}", "Order Completed", {"revenue": 1})
        room = threading.Timer(2, make_room)
        room.start()
        client.flush()
        client.join()
        room.join()
    assert failures == []
    assert LoggedEvent.objects.count() == 30
