import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from assignment.doors.refetch import RefetchDoor
from assignment.doors.streams import Streams, Timing
from assignment.tokens import PERIOD_SECONDS, PERIODS, Tokens
from experiments.domain.environments import Environment
from tests.assignment.doors.fakes import LONG_AGO, T0, FakeExchange
from tests.assignment.doors.test_streams import told


class Changing:
    def __init__(self, etag: str, date_updated: str) -> None:
        self.payload_etag = etag
        self.date_updated = date_updated


class World:
    def __init__(self, **timing) -> None:
        self.now = 1_000_000.0
        self.environment: Changing | None = Changing('"one"', LONG_AGO.isoformat())
        self.streams = Streams(Timing(ping_seconds=60, **timing))
        self.streams.start(asyncio.get_running_loop())
        self.tokens = Tokens("secret", lambda: self.now)
        self.door = RefetchDoor(self.find, self.tokens, self.streams, now=lambda: T0)

    def find(self, project_id: int, name: str) -> Changing | None:
        return self.environment if (project_id, name) == (1, Environment.PRODUCTION) else None

    def query(self, project_id: int = 1, environment: Environment = Environment.PRODUCTION) -> str:
        return "token=" + self.tokens.issue(project_id, environment)

    async def ask(self, query: str, method: str = "GET"):
        exchange = FakeExchange()
        answer = await self.door.stream(method, query, {}, exchange, [])
        assert exchange.status is None
        return answer[0], json.loads(answer[2])

    @asynccontextmanager
    async def client(self, **headers: str):
        exchange = FakeExchange()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        exchange.task = asyncio.ensure_future(self.door.stream("GET", self.query(), named, exchange, []))
        await asyncio.sleep(0.01)
        yield exchange
        exchange.leave()
        await asyncio.wait_for(exchange.task, 10)


def run(scenario) -> None:
    asyncio.run(scenario())


def test_refetch__a_change__is_a_message_with_the_new_etag_and_when():
    async def scenario():
        world = World()
        async with world.client() as client:
            assert "refetch" not in client.text
            world.environment = Changing('"two"', T0.isoformat())
            world.streams.wake()
            await client.until("refetchEvaluation")
            event = told(client)[-1]
            assert event["event"] == "message"
            assert json.loads(event["data"]) == {
                "type": "refetchEvaluation",
                "etag": '"two"',
                "lastModified": int(T0.timestamp()),
            }

    run(scenario)


def test_refetch__coming_back_with_the_last_event_id__hears_what_was_missed_and_nothing_else():
    async def scenario():
        world = World()
        async with world.client(last_event_id="1") as client:
            await client.until("refetchEvaluation")
            newest = told(client)[-1]["id"]
        async with world.client(last_event_id=newest) as client:
            assert "refetch" not in client.text

    run(scenario)


def test_refetch__the_project_is_gone__ends_the_stream():
    async def scenario():
        world = World()
        async with world.client() as client:
            world.environment = None
            world.streams.wake()
            await asyncio.wait_for(client.task, 10)

    run(scenario)


@pytest.mark.parametrize("query", ["", "token=", "token=x", "token=a.b", "token=%00", "other=1"])
def test_refetch__no_good_token__is_401_and_says_where_there_is_one(query):
    async def scenario():
        status, answer = await World().ask(query)
        assert (status, answer["errorCode"]) == (401, "GENERAL")
        assert "Evaluate all flags" in answer["errorDetails"]

    run(scenario)


def test_refetch__a_token_whose_time_is_over_or_of_another_place__is_401():
    async def scenario():
        world = World()
        query = world.query()
        for other in (world.query(project_id=2), world.query(environment=Environment.STAGING)):
            assert (await world.ask(other))[0] == 401
        world.now += PERIODS * PERIOD_SECONDS
        assert (await world.ask(query))[0] == 401

    run(scenario)


def test_refetch__one_stream_too_many_or_another_method__is_refused():
    async def scenario():
        world = World(most=0)
        assert (await world.ask(world.query()))[0] == 503
        assert (await world.ask(world.query(), "POST"))[0] == 405

    run(scenario)
