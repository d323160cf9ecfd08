import asyncio
import json

import psycopg
import pytest

from events import log, sink
from events.models import LoggedEvent
from events.row import encode
from events.segment.message import accept
from events.sink import Entry, LogFullError, LogRefusedError, LogUnavailableError, Sink
from tests.events.builders import arrival, track


def entry(*messages, again: bool = False) -> Entry:
    rows = [encode(accept(json.dumps(message).encode(), arrival())) for message in messages or (track(),)]
    return Entry(dated=rows, again=again)


def run(address: str, work, **options):
    """Run ``work(sink)`` with a started sink, and stop the sink."""

    async def main():
        made = Sink(address, **options)
        made.start(asyncio.get_running_loop())
        try:
            return await work(made)
        finally:
            await made.stop()

    return asyncio.run(main())


def test_put__returns__the_events_are_in_the_log(address):
    async def work(made):
        await made.put(entry(track(), track()))
        with psycopg.connect(address) as other:
            return other.execute("SELECT count(*) FROM events_log").fetchone()[0]

    assert run(address, work) == 2


def test_put__many_at_once__share_few_transactions(address, monkeypatch):
    groups = []
    store = log.store
    monkeypatch.setattr(log, "store", lambda *given, **named: groups.append(len(given[1])) or store(*given, **named))

    async def work(made):
        await asyncio.gather(*(made.put(entry()) for _ in range(300)))

    run(address, work)
    assert LoggedEvent.objects.count() == 300
    assert len(groups) < 30


def test_put__events_that_come_again__are_counted_by_door_and_noted_when_the_sink_stops(address, monkeypatch):
    noted = []
    monkeypatch.setattr(log, "note", lambda _, again: noted.append(dict(again)))
    messages = [track(messageId=f"m-{n}") for n in range(4)]

    async def work(made):
        await made.put(entry(*messages))
        await made.put(entry(*messages[:3], again=True))
        return dict(made.by_door)

    assert run(address, work) == {0: 3}
    assert sum(sum(one.values()) for one in noted) == 3


def test_put__same_events_by_many_requests__are_kept_once(address):
    messages = [track(messageId=f"m-{n}") for n in range(20)]

    async def work(made):
        await asyncio.gather(*(made.put(entry(*messages[n % 5 :], *messages[: n % 5])) for n in range(60)))
        return made.stored, made.duplicates

    assert run(address, work, writers=4) == (20, 59 * 20)
    assert LoggedEvent.objects.count() == 20


def test_put__one_request_the_database_refuses__does_not_cost_the_others(address):
    broken = Entry(dated=[entry().dated[0][:-1]])

    async def work(made):
        return await asyncio.gather(*(made.put(e) for e in (entry(), broken, entry())), return_exceptions=True)

    first, refused, last = run(address, work, writers=1)
    assert (first, last) == (None, None)
    assert isinstance(refused, LogRefusedError)
    assert LoggedEvent.objects.count() == 2


def test_put__more_than_may_wait__is_refused_at_once(address):
    async def work(made):
        return await asyncio.gather(*(made.put(entry()) for _ in range(10)), return_exceptions=True)

    size = entry().size()
    answers = run(address, work, most_waiting_bytes=4 * size + size // 2)
    assert [type(answer) for answer in answers] == [type(None)] * 4 + [LogFullError] * 6
    assert LoggedEvent.objects.count() == 4


def test_put__after_waiting_has_ended__there_is_room_again(address):
    async def work(made):
        for _ in range(20):
            await made.put(entry())

    run(address, work, most_waiting_bytes=entry().size() * 2)
    assert LoggedEvent.objects.count() == 20


def test_connection_lost__is_replaced_without_anyone_noticing(address):
    async def work(made):
        await made.put(entry())
        with psycopg.connect(address, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'truelift events'"
            )
        await asyncio.gather(*(made.put(entry()) for _ in range(50)))
        return made.available

    assert run(address, work) is True
    assert LoggedEvent.objects.count() == 51


def test_database_away__says_so_and_when_to_come_back(address):
    async def work(made):
        with pytest.raises(LogUnavailableError) as first:
            await made.put(entry())
        with pytest.raises(LogUnavailableError) as second:
            await made.put(entry())
        return first.value, second.value, made.available

    first, second, available = run("host=/nowhere dbname=none", work)
    assert first.retry_after >= 1
    assert "not available" in str(second)
    assert available is False


def test_database_back__events_are_taken_again(address, monkeypatch):
    connect = log.connect
    reachable = False

    def sometimes(where):
        if not reachable:
            raise psycopg.OperationalError("connection refused")
        return connect(where)

    monkeypatch.setattr(log, "connect", sometimes)
    monkeypatch.setattr(sink, "LONGEST_PAUSE_SECONDS", 0.1)

    async def work(made):
        nonlocal reachable
        with pytest.raises(LogUnavailableError):
            await made.put(entry())
        reachable = True
        for _ in range(100):
            try:
                return await made.put(entry())
            except LogUnavailableError:
                await asyncio.sleep(0.05)
        raise AssertionError("the sink did not come back")

    run(address, work)
    assert LoggedEvent.objects.count() == 1


def test_database_silent__the_client_gets_an_answer(address, monkeypatch):
    monkeypatch.setattr(sink, "ANSWER_SECONDS", 0.3)

    async def work(made):
        with psycopg.connect(address) as other:
            other.execute("LOCK TABLE events_log IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(LogUnavailableError, match="did not answer"):
                await made.put(entry())
        return await made.put(entry())

    run(address, work, writers=1)
    assert LoggedEvent.objects.count() == 2  # the first was written after its answer; its retry would be known


def test_stop__writes_what_waits_and_takes_no_more(address):
    async def main():
        made = Sink(address)
        made.start(asyncio.get_running_loop())
        waiting = [asyncio.ensure_future(made.put(entry())) for _ in range(40)]
        await asyncio.sleep(0)
        await made.stop()
        await asyncio.gather(*waiting)
        with pytest.raises(LogUnavailableError, match="stopping"):
            await made.put(entry())

    asyncio.run(main())
    assert LoggedEvent.objects.count() == 40
