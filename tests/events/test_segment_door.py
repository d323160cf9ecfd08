import gzip
import json

import pytest

from events.segment.body import LIMITS
from events.sink import LogFullError, LogRefusedError, LogUnavailableError
from tests.events.builders import KEY, MemorySink, basic, call, track


def test_batch__good_events__are_accepted_with_exactly_200():
    sink = MemorySink()
    answer = call({"batch": [track(), track()]}, sink=sink)
    assert (answer.status, answer.body) == (200, {"success": True, "accepted": 2, "refused": []})
    assert len(sink.rows) == 2


def test_batch__one_bad_event__costs_only_itself():
    sink = MemorySink()
    answer = call({"batch": [track(), track(userId=..., messageId="bad-1"), track()]}, sink=sink)
    assert (answer.status, answer.body["accepted"], len(sink.rows)) == (200, 2, 2)
    assert answer.body["refused"] == [
        {
            "index": 1,
            "message_id": "bad-1",
            "code": "missing_unit",
            "message": (
                "The event names no unit; send userId, anonymousId or one of the properties "
                "session_id, account_id, impression_id, block_id."
            ),
        }
    ]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (b'{"type":"track","event":"e","userId":"u","messageId":"m","properties":{"a":NaN}}', "NaN"),
        (b'{"type":"track","event":"e","userId":"u","messageId":"m","properties":{"a":-Infinity}}', "NaN"),
        (b'{"type":"track","event":"e","userId":"u","messageId":"m","properties":{"a":"\\ud800"}}', "surrogate"),
        (b'{"type":"track","event":"e","userId":"u","messageId":"m","properties":{"a":1e400}}', "out of range"),
    ],
)
def test_batch__event_that_is_not_json__costs_only_itself(broken, says):
    sink = MemorySink()
    answer = call(b'{"batch":[%s,%s]}' % (json.dumps(track()).encode(), broken), sink=sink)
    assert (answer.status, answer.body["accepted"], len(sink.rows)) == (200, 1, 1)
    (refusal,) = answer.body["refused"]
    assert (refusal["index"], refusal["code"], refusal["message_id"]) == (1, "invalid_event", "m")
    assert says in refusal["message"]


def test_batch__nothing_acceptable__is_400_and_lists_every_refusal():
    sink = MemorySink()
    answer = call({"batch": [track(event=5), track(userId=...)]}, sink=sink)
    assert answer.status == 400
    assert [refusal["code"] for refusal in answer.body["refused"]] == ["invalid_event", "missing_unit"]
    assert {"code", "message"} <= answer.body.keys()
    assert sink.entries == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"not json", 400, "invalid_json"),
        (b'{"batch":[', 400, "invalid_json"),
        (b'{"batch":[' + b"[" * 100_000, 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"[]", 400, "invalid_batch"),
        (b"{}", 400, "invalid_batch"),
        (b'{"batch":{}}', 400, "invalid_batch"),
        (b'{"batch":{},"x":NaN}', 400, "invalid_batch"),
        (b'{"batch":{"x":NaN}}', 400, "invalid_batch"),
        (b'{"batch":[]}', 400, "empty_batch"),
        (b'{"batch":[{}],"sentAt":"soon"}', 400, "invalid_time"),
        (b'{"batch":[{}],"sentAt":5}', 400, "invalid_batch"),
        (b'{"batch":[{}],"context":{"a":NaN}}', 400, "invalid_json"),
        (b'{"batch":[' + b"1," * 2500 + b"1]}", 413, "too_many_events"),
        (b'{"batch":[' + b"NaN," * 2500 + b"1]}", 413, "too_many_events"),
        (b" " * (LIMITS.body + 1), 413, "body_too_large"),
    ],
)
def test_body__that_is_no_batch__is_refused_in_the_protocols_shape(body, status, code):
    sink = MemorySink()
    answer = call(body, sink=sink)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert answer.body["message"]
    assert sink.entries == []


def test_gzip__is_read():
    sink = MemorySink()
    packed = gzip.compress(json.dumps({"batch": [track()]}).encode())
    assert call(packed, headers={**basic(KEY), "content-encoding": "gzip"}, sink=sink).status == 200
    assert len(sink.rows) == 1


@pytest.mark.parametrize(
    ("spoil", "status", "code"),
    [
        (lambda packed: packed[:-9], 400, "invalid_gzip"),
        (lambda packed: packed[:5], 400, "invalid_gzip"),
        (lambda packed: b"", 400, "invalid_gzip"),
        (lambda packed: b"plain", 400, "invalid_gzip"),
        (lambda packed: packed + b"more", 400, "invalid_gzip"),
        (lambda packed: gzip.compress(bytes(200_000_000)), 413, "body_too_large"),
    ],
)
def test_gzip__spoilt__is_refused_without_being_unpacked_whole(spoil, status, code):
    packed = gzip.compress(json.dumps({"batch": [track()]}).encode())
    answer = call(spoil(packed), headers={**basic(KEY), "content-encoding": "gzip"})
    assert (answer.status, answer.body["code"]) == (status, code)


def test_encoding__unknown__is_415():
    answer = call(b"x", headers={**basic(KEY), "content-encoding": "br"})
    assert (answer.status, answer.body["code"]) == (415, "unsupported_encoding")


@pytest.mark.parametrize(
    ("headers", "write_key", "status"),
    [
        (basic(KEY), None, 200),
        ({"authorization": f"Bearer {KEY}"}, None, 200),
        ({"x-api-key": KEY}, None, 200),
        ({}, KEY, 200),
        (basic(""), KEY, 200),
        ({}, None, 401),
        ({}, "", 401),
        ({}, "tl_unknown", 401),
        ({}, "\u00e9", 401),
        (basic("tl_unknown"), None, 401),
        (basic("tl_unknown"), KEY, 401),
        ({"authorization": "Basic not-base64!"}, KEY, 401),
        ({"authorization": "Bearer \u00e9"}, None, 401),
        (basic("tl_reader"), None, 403),
        ({}, "tl_reader", 403),
    ],
)
def test_key__decides(headers, write_key, status):
    sink = MemorySink()
    body = {"batch": [track()], **({} if write_key is None else {"writeKey": write_key})}
    answer = call(body, headers=headers, sink=sink)
    assert answer.status == status
    assert len(sink.rows) == (status == 200)
    assert status == 200 or {"code", "message"} == answer.body.keys()


def test_key__with_half_a_surrogate_pair__makes_no_json():
    assert call(b'{"batch":[{}],"writeKey":"\\ud800"}', headers={}).status == 400


@pytest.mark.parametrize("path", ["/v1/track", "/v1/t", "/v1/track/"])
def test_single_call__as_text_with_its_key_in_the_body__is_kept(path):
    sink = MemorySink()
    body = track(type=..., writeKey=KEY, sentAt="2026-03-02T09:00:00Z")
    answer = call(body, path=path, headers={"content-type": "text/plain"}, sink=sink)
    assert (answer.status, answer.body["accepted"], len(sink.rows)) == (200, 1, 1)


@pytest.mark.parametrize("path", ["/v1/i", "/v1/identify", "/v1/p", "/v1/page", "/v1/s", "/v1/g", "/v1/a", "/v1/alias"])
def test_single_call__of_every_kind__is_kept(path):
    assert call({"userId": "u", "writeKey": KEY}, path=path, headers={}).status == 200


def test_single_call__refused__says_why():
    answer = call(track(userId=...), path="/v1/track")
    assert (answer.status, answer.body["code"], answer.body["accepted"]) == (400, "missing_unit", 0)


@pytest.mark.parametrize("body", [b"[]", b"5", b'{"writeKey":5}'])
def test_single_call__not_an_object__is_400(body):
    assert call(body, path="/v1/track").status == 400


def test_address__unknown__is_404_and_wrong_method_405():
    assert call({}, path="/v1/nothing").status == 404
    answer = call({}, method="GET")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (LogUnavailableError("down", 3), 503, "log_unavailable"),
        (LogUnavailableError("down", 0), 503, "log_unavailable"),
        (LogFullError("full", 1), 429, "too_busy"),
    ],
)
def test_log__cannot_take_events__asks_to_come_back(error, status, code):
    answer = call({"batch": [track()]}, sink=MemorySink(error))
    assert (answer.status, answer.body["code"]) == (status, code)
    assert int(answer.headers["retry-after"]) >= 1


def test_log__refuses_the_events__is_not_to_be_tried_again():
    assert call({"batch": [track()]}, sink=MemorySink(LogRefusedError("no"))).status == 400


def test_retry_count__tells_the_log_to_expect_the_events():
    sink = MemorySink()
    call({"batch": [track()]}, sink=sink)
    call({"batch": [track()]}, sink=sink, headers={**basic(KEY), "x-retry-count": "2"})
    assert [entry.again for entry in sink.entries] == [False, True]
