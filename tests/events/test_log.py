import json
import threading
import uuid
from collections import Counter
from datetime import timedelta

import psycopg
import pytest

from events import log
from events.models import LoggedEvent
from events.row import Door, encode
from events.segment.message import accept
from tests.events.builders import NOW, arrival, exposure, track


def row(message, **shared) -> bytes:
    return encode(accept(json.dumps(message).encode(), arrival(**shared)))


def stored() -> int:
    return LoggedEvent.objects.count()


def test_store__every_column__comes_back_as_it_was(writer):
    props = {"experiment_id": "e", "variation_id": "v", "text": 'ü😀"\\\n', "n": [1, 2.5, None, True], "big": 10**30}
    message = track("Experiment Viewed", userId="Zoë", anonymousId="d-1", properties=props, messageId="m-1")
    event = accept(json.dumps(message).encode(), arrival())
    log.store(writer, [encode(event)], [], again=False)
    kept = LoggedEvent.objects.get()
    assert (kept.project_id, kept.id) == (7, uuid.UUID(bytes=event.id))
    assert (kept.ts, kept.at, kept.received_at) == (event.ts, event.at, NOW)
    assert (kept.name, kept.user_id, kept.anonymous_id) == ("Experiment Viewed", "Zoë", "d-1")
    assert (kept.experiment, kept.variant, kept.props) == ("e", "v", props)


def test_store__absent_texts__are_null(writer):
    log.store(writer, [row(track(userId=..., anonymousId="d-1"))], [], again=False)
    kept = LoggedEvent.objects.get()
    assert (kept.user_id, kept.experiment, kept.variant) == (None, None, None)


@pytest.mark.parametrize("again", [False, True])
def test_store__a_retry__changes_nothing(writer, again):
    rows = [row(track(messageId=f"m-{n}")) for n in range(5)]
    assert log.store(writer, rows, [], again=False) == 5
    assert log.store(writer, [*rows, row(track(messageId="m-new"))], [], again=again) == 1
    assert stored() == 6


def test_store__the_same_event_twice_in_one_transaction__is_kept_once(writer):
    rows = [row(track(messageId="m-1"))] * 3
    again = Counter()
    log.store(writer, rows, [], again=False, found_again=again)
    assert stored() == 1
    assert again == {(7, 0, "Order Completed"): 2}


def test_store__events_that_come_again__are_told_by_project_door_and_name_of_production_alone(writer):
    rows = [row(track(messageId=f"m-{n}")) for n in range(3)]
    undated = [row(track("Search", messageId="u-1"), door=Door.POSTHOG)]
    staging = [row(track(messageId="s-1"), environment=1)]
    log.store(writer, [*rows, *staging], undated, again=False)
    again = Counter()
    assert log.store(writer, [*rows[:2], *staging], undated, again=True, found_again=again) == 0
    assert again == {(7, 0, "Order Completed"): 2, (7, 2, "Search"): 1}


def test_store__same_message_in_two_projects__is_two_events(writer):
    message = track(messageId="m-1")
    log.store(writer, [row(message), row(message, project_id=8)], [], again=False)
    assert stored() == 2


def test_store__undated_retry_minutes_later__is_kept_once(writer):
    message = track(messageId="m-1", timestamp=...)
    now = psycopg_now(writer)
    log.store(writer, [], [row(message, received_at=now - timedelta(hours=30))], again=False)
    log.store(writer, [], [row(message, received_at=now), row(message, received_at=now)], again=True)
    assert stored() == 1


def test_store__undated_with_the_id_of_a_dated_event__is_the_same_event(writer):
    now = psycopg_now(writer)
    log.store(writer, [row(track(messageId="m-1", timestamp=now.isoformat()))], [], again=False)
    log.store(writer, [], [row(track(messageId="m-1", timestamp=...), received_at=now)], again=False)
    assert stored() == 1


def test_store__dated_and_undated_together__are_all_kept(writer):
    log.store(writer, [row(track()), row(exposure())], [row(track(timestamp=...))], again=False)
    assert stored() == 3


def test_store__undated_by_two_writers_at_once__is_kept_once(address):
    message = track(messageId="m-1", timestamp=...)
    with log.connect(address) as first, log.connect(address) as second:
        with first.transaction():
            log.store(first, [], [row(message, received_at=psycopg_now(first))], again=False)
            other = threading.Thread(
                target=log.store,
                args=(second, [], [row(message, received_at=psycopg_now(first) + timedelta(seconds=1))]),
                kwargs={"again": False},
            )
            other.start()
            other.join(0.3)
            assert other.is_alive()  # it waits for the first to commit
        other.join(10)
    assert stored() == 1


def test_store__one_impossible_row__writes_nothing(writer):
    good = row(track())
    with pytest.raises(psycopg.DataError):
        log.store(writer, [good, good[:-1]], [], again=False)
    with pytest.raises(psycopg.DataError):
        log.store(writer, [good, good[:-1]], [], again=True)
    assert stored() == 0
    log.store(writer, [good], [], again=False)
    assert stored() == 1


def test_connection__acknowledges_only_what_is_on_disk(writer):
    assert writer.execute("SHOW synchronous_commit").fetchone() == ("on",)


def psycopg_now(connection):
    return connection.execute("SELECT now()").fetchone()[0]
