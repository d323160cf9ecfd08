"""What a stream says and when, with a client of our own in place of granian's."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from assignment.doors import streams as streams_module
from assignment.doors.payload import Payloads
from assignment.doors.streams import Streams, Timing, encode_event
from assignment.doors.sub import PATH, SubDoor
from tests.assignment.doors.fakes import T0, FakeExchange, FakeServed, Keys, document, payload


class World:
    """One door and its streams, with keys that a test can change."""

    def __init__(self, **timing) -> None:
        self.keys = Keys()
        self.streams = Streams(Timing(**{"ping_seconds": 60, "lifetime_seconds": 60, **timing}))
        self.streams.start(asyncio.get_running_loop())
        self.door = SubDoor(self.keys.connect, Payloads(), self.streams, now=lambda: T0)

    def change(self, **changes) -> None:
        self.keys.change(**changes)
        self.streams.wake()

    @asynccontextmanager
    async def client(self, key: str = "plain", *, reads: bool = True, **headers: str):
        exchange = FakeExchange(reads=reads)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        exchange.task = asyncio.ensure_future(self.door.stream("GET", PATH + key, named, exchange, []))
        await asyncio.sleep(0.01)
        yield exchange
        exchange.leave()
        await asyncio.wait_for(exchange.task, 10)


def run(scenario) -> None:
    asyncio.run(scenario())


def told(exchange: FakeExchange) -> list[dict[str, str]]:
    """Read a stream as the specification of server-sent events has it."""
    events = []
    for block in exchange.text.split("\n\n")[:-1]:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        events.append(fields)
    return events


def test_stream__begins__with_how_long_to_wait_before_coming_back():
    async def scenario():
        async with World().client() as client:
            await client.until("retry: 10000\n\n")
            assert client.headers["content-type"] == "text/event-stream"
            assert client.headers["cache-control"] == "no-cache"
            assert told(client) == [{"retry": "10000"}]

    run(scenario)


def test_stream__a_change__is_told_with_the_whole_payload_and_a_higher_id():
    async def scenario():
        world = World()
        async with world.client() as client:
            world.change(features={"a": {"defaultValue": 1}})
            await client.until("event: features\n")
            world.change(at=T0.replace(hour=10), features={"a": {"defaultValue": 2}})
            await client.until('"defaultValue":2')
            first, second = told(client)[1:]
            assert first["event"] == second["event"] == "features"
            assert json.loads(second["data"]) == document(features={"a": {"defaultValue": 2}})
            assert int(second["id"]) > int(first["id"])

    run(scenario)


def test_stream__woken_without_a_change_of_its_own__says_nothing():
    async def scenario():
        world = World()
        async with world.client() as client:
            for _ in range(3):
                world.streams.wake()
                await asyncio.sleep(0.01)
            assert told(client) == [{"retry": "10000"}]

    run(scenario)


def test_stream__of_a_remote_key__says_that_something_changed_and_nothing_of_it():
    async def scenario():
        world = World()
        async with world.client("remote") as client:
            world.change(features={})
            await client.until("features-updated")
            assert told(client)[1]["data"] == ""
            assert "ranker" not in client.text

    run(scenario)


def test_stream__last_event_id_of_an_older_state__is_told_the_newest_at_once():
    async def scenario():
        async with World().client(last_event_id="1") as client:
            await client.until("event: features\n")
            newest = told(client)[-1]["id"]
        async with World().client(last_event_id=newest) as client:
            await client.until("retry")
            assert len(told(client)) == 1

    run(scenario)


def test_stream__no_last_event_id_and_a_young_change__is_told_it():
    async def scenario():
        world = World()
        world.keys.change()
        async with world.client() as client:
            await client.until("event: features\n")

    run(scenario)


def test_stream__quiet__is_kept_alive_and_ended_in_time():
    async def scenario():
        exchange = FakeExchange()
        world = World(ping_seconds=0.01, lifetime_seconds=0.1)
        assert await world.door.stream("GET", PATH + "plain", {}, exchange, []) is None
        assert exchange.text.count("data: \n\n") >= 2
        assert world.streams.open == 0

    run(scenario)


def test_stream__a_revoked_key__ends_it():
    async def scenario():
        world = World()
        async with world.client() as client:
            world.keys.revoked = True
            world.streams.wake()
            await asyncio.wait_for(client.task, 10)

    run(scenario)


def test_stream__the_client_leaves__is_over_at_once():
    async def scenario():
        world = World()
        async with world.client():
            assert world.streams.open == 1
        assert world.streams.open == 0

    run(scenario)


def test_stream__a_reader_that_takes_nothing__is_let_go_and_harms_nobody(monkeypatch):
    monkeypatch.setattr(streams_module, "LONGEST_SEND_SECONDS", 0.02)

    async def scenario():
        world = World()
        async with world.client(reads=False) as stuck, world.client() as reader:
            world.change(features={})
            await reader.until("event: features\n")
            await asyncio.wait_for(stuck.task, 10)
            assert world.streams.open == 1

    run(scenario)


def test_stream__changes_faster_than_the_client_reads__only_the_newest_is_told():
    async def scenario():
        world = World()
        async with world.client() as client:
            for number in range(1, 50):
                world.change(at=T0.replace(microsecond=number * 1000), features={"a": {"defaultValue": number}})
            await client.until('"defaultValue":49')
            assert len(told(client)) == 2

    run(scenario)


def test_stream__one_too_many__is_sent_to_polling():
    async def scenario():
        world = World(most=1)
        async with world.client():
            status, headers, _ = await world.door.stream("GET", PATH + "plain", {}, FakeExchange(), [])
            assert (status, dict(headers)["retry-after"]) == (503, "30")

    run(scenario)


@pytest.mark.parametrize(("method", "key", "status"), [("GET", "unknown", 400), ("POST", "plain", 405)])
def test_stream__not_for_this_request__is_refused_without_one(method, key, status):
    async def scenario():
        exchange = FakeExchange()
        answer = await World().door.stream(method, PATH + key, {}, exchange, [])
        assert (answer[0], exchange.status) == (status, None)

    run(scenario)


def test_stream__the_server_stops__ends_every_one():
    async def scenario():
        world = World()
        async with world.client() as one, world.client() as other:
            world.streams.end()
            await asyncio.wait_for(asyncio.gather(one.task, other.task), 10)

    run(scenario)


def test_stream__a_payload_on_many_lines__is_one_event_and_long_ones_are_fetched_by_the_python_sdk():
    async def scenario():
        world = World()
        text = "x" * 300_000
        world.keys.served = FakeServed(payload(features={"a": {"defaultValue": text}}))
        async with world.client(last_event_id="1", user_agent="Python/3.11 aiohttp/3.14") as python:
            await python.until("features-updated")
        async with world.client(last_event_id="1", user_agent="node") as other:
            await other.until("event: features\n")
            assert json.loads(told(other)[-1]["data"])["features"]["a"]["defaultValue"] == text

    run(scenario)


def test_event__of_several_lines__has_a_data_field_for_each():
    assert encode_event("features", "7", b"{\n}") == b"id: 7\nevent: features\ndata: {\ndata: }\n\n"
