"""Whatever a client sends: never a 500, and what the door accepts is in the log, no more and no less."""

import asyncio
import gzip
import json
import string

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.models import LoggedEvent
from events.segment import SegmentDoor
from events.sink import Entry, Sink
from tests.events.builders import GRANTS, KEY, NOW, Answered, MemorySink, basic, call, track

LOOSE_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
LOOSE_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | LOOSE_TEXT
    | st.sampled_from(["", "\0", "\ud800", "e" * 300]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(LOOSE_TEXT, inner, max_size=4),
    max_leaves=8,
)
# A row begins with its field count, project, id and ts, each after its length: what makes an event the same event.
IDENTITY_BYTES = 2 + (4 + 4) + (4 + 16) + (4 + 8)
FIELDS = [
    "type", "event", "userId", "anonymousId", "messageId", "timestamp", "sentAt", "properties", "traits", "context",
    "name", "category", "groupId", "previousId", "originalTimestamp", "writeKey", "integrations",
]  # fmt: skip
LIKELY = st.sampled_from(
    ["track", "identify", "Experiment Viewed", "user-1", "2026-03-02T09:00:00Z", "9999-12-31T23:59:59+00:00"]
) | st.fixed_dictionaries({"experiment_id": LOOSE_TEXT, "variation_id": LOOSE_JSON})
CHANGES = st.dictionaries(st.sampled_from(FIELDS), LOOSE_JSON | LIKELY, max_size=4)
BATCHES = st.fixed_dictionaries(
    {"batch": st.lists(CHANGES.map(lambda changes: track(**changes)) | LOOSE_JSON, max_size=6)},
    optional={"sentAt": LOOSE_JSON | LIKELY, "context": LOOSE_JSON, "writeKey": LOOSE_JSON},
)
HEADERS = st.dictionaries(
    st.sampled_from(["authorization", "content-encoding", "x-api-key", "x-retry-count"]),
    st.text(string.printable, max_size=20) | st.sampled_from(["gzip", "Basic ", "Bearer " + KEY, KEY]),
    max_size=3,
)


def consistent(answer: Answered, kept: int) -> None:
    assert answer.status < 500
    if answer.status == 200:
        assert answer.body["success"] is True
        assert answer.body["accepted"] == kept > 0
    else:
        assert kept == 0
        assert answer.body["code"]
        assert answer.body["message"]


@given(body=st.binary(max_size=200), headers=HEADERS, path=st.sampled_from(["/v1/batch", "/v1/track", "/v1/x", "/v1/"]))
def test_door__any_bytes__are_answered_in_its_shape(body, headers, path):
    sink = MemorySink()
    consistent(call(body, path=path, headers=headers, sink=sink), len(sink.rows))


@given(cut=st.integers(0, 200), flips=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=5))
def test_door__damaged_gzip__is_answered_in_its_shape(cut, flips):
    packed = bytearray(gzip.compress(json.dumps({"batch": [track(messageId="m"), track(messageId="n")]}).encode()))
    for place, value in flips:
        packed[place % len(packed)] = value
    sink = MemorySink()
    headers = {**basic(KEY), "content-encoding": "gzip"}
    consistent(call(bytes(packed[: len(packed) - cut]), headers=headers, sink=sink), len(sink.rows))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=st.lists(BATCHES, min_size=1, max_size=4))
def test_door__any_json__the_database_takes_what_was_accepted(address, requests):
    answers, rows = asyncio.run(send_all(address, requests))
    for raw in answers:
        answer = Answered(*raw)
        consistent(answer, answer.body.get("accepted", 0))
    assert len(rows) == sum(Answered(*raw).body.get("accepted", 0) for raw in answers)
    assert LoggedEvent.objects.count() == len({row[:IDENTITY_BYTES] for row in rows})
    LoggedEvent.objects.all().delete()


async def send_all(address, requests):
    sink = RecordingSink(address)
    sink.start(asyncio.get_running_loop())
    door = SegmentDoor(GRANTS.get, sink, now=lambda: NOW)
    try:
        bodies = [json.dumps(request).encode() for request in requests]
        answers = [door.handle("POST", "/v1/batch", basic(KEY), "", body) for body in bodies]
        return await asyncio.gather(*answers), sink.rows
    finally:
        await sink.stop()


class RecordingSink(Sink):
    """A sink that remembers what it has made durable."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.rows: list[bytes] = []

    async def put(self, entry: Entry) -> None:
        await super().put(entry)
        self.rows += [*entry.dated, *entry.undated]
