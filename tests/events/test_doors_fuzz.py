"""Whatever a client sends to any door: never a 500, and what is accepted is in the log, no more and no less."""

import asyncio
import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.doors import EventDoors
from events.models import LoggedEvent
from tests.events.builders import GRANTS, KEY, NOW, Answered, MemorySink, call
from tests.events.test_cloudevents_door import cloud_event
from tests.events.test_door_fuzz import IDENTITY_BYTES, LOOSE_JSON, LOOSE_TEXT, RecordingSink, consistent
from tests.events.test_posthog_door import event as posthog_event
from tests.events.test_sdk_door import plugin

WORDS = st.sampled_from(
    [
        "track",
        "Experiment Viewed",
        "$$experiment_viewed",
        "$feature_flag_called",
        "user-1",
        "2026-03-02T09:00:00Z",
        "1.0",
    ]
)
NAMES = (
    "experiment_id", "variation_id", "experimentId", "variationId", "variation_key", "hashAttribute", "hashValue",
    "hash_attribute", "hash_value", "in_experiment", "hash_used", "outputs_differ", "outputsDiffer", "$feature_flag",
    "$feature_flag_response", "$groups", "token", "distinct_id", "account_id", "$session_id",
)  # fmt: skip
EXPOSED = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, LOOSE_JSON | WORDS))
FIELDS = {
    "sdk": ["event_name", "properties_json", "properties", "context_json", "attributes", "timestamp", "user_id",
            "device_id", "session_id", "url"],
    "posthog": ["event", "distinct_id", "properties", "timestamp", "offset", "uuid", "$set"],
    "cloudevents": ["specversion", "id", "source", "type", "subject", "time", "data", "data_base64", "userid"],
}  # fmt: skip
MAKE = {"sdk": plugin, "posthog": posthog_event, "cloudevents": cloud_event}
PATHS = {"sdk": "/track", "posthog": "/batch/", "cloudevents": "/v1/events"}
QUERIES = {"sdk": f"client_key={KEY}"}
HEADERS = {"cloudevents": {"x-api-key": KEY}}


def around(door: str, events: list, sent_at: object) -> object:
    """Put events into the body of a door."""
    if door == "sdk":
        return {"sentAt": sent_at, "events": events}
    return {"api_key": KEY, "sent_at": sent_at, "batch": events} if door == "posthog" else events


def bodies(door: str):
    changes = st.dictionaries(st.sampled_from(FIELDS[door]), LOOSE_JSON | WORDS | EXPOSED, max_size=4)
    events = st.lists(changes.map(lambda changed: {**MAKE[door](), **changed}) | LOOSE_JSON, max_size=5)
    return st.builds(around, st.just(door), events, LOOSE_TEXT | WORDS | st.none())


@pytest.mark.parametrize("door", PATHS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_doors__any_bytes__are_answered_in_their_shape(door, data):
    body = data.draw(st.binary(max_size=120) | LOOSE_JSON.map(lambda made: json.dumps(made).encode()))
    body = gzip.compress(body) if data.draw(st.booleans()) else body
    headers = data.draw(
        st.dictionaries(
            st.sampled_from(["content-encoding", "content-type", "ce-specversion", "ce-id", "ce-source", "ce-type"]),
            st.sampled_from(["gzip", "text/plain", "1.0", "%FF%00", "ü", ""]),
        )
    )
    sink = MemorySink()
    given_headers = {**HEADERS.get(door, {}), **headers}
    answer = call(body, path=PATHS[door], query=QUERIES.get(door, ""), headers=given_headers, sink=sink)
    assert answer.status < 500
    assert answer.body.get("accepted", 0) == len(sink.rows)


@pytest.mark.parametrize("door", PATHS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_doors__any_json__the_database_takes_what_was_accepted(address, door, data):
    requests = data.draw(st.lists(bodies(door), min_size=1, max_size=3))
    answers, rows = asyncio.run(send_all(address, door, requests))
    for answer in answers:
        said = {**answer.body, "success": True} if answer.status == 200 else answer.body
        answer.body = said
        consistent(answer, answer.body.get("accepted", 0))
    assert len(rows) == sum(answer.body.get("accepted", 0) for answer in answers)
    assert LoggedEvent.objects.count() == len({row[:IDENTITY_BYTES] for row in rows})
    LoggedEvent.objects.all().delete()


async def send_all(address, door, requests):
    sink = RecordingSink(address)
    sink.start(asyncio.get_running_loop())
    doors = EventDoors(GRANTS.get, sink, now=lambda: NOW)
    try:
        bodies = [json.dumps(request).encode() for request in requests]
        calls = [
            doors.handle("POST", PATHS[door], HEADERS.get(door, {}), QUERIES.get(door, ""), body) for body in bodies
        ]
        return [Answered(*answer) for answer in await asyncio.gather(*calls)], sink.rows
    finally:
        await sink.stop()
