import base64
import gzip
import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from events.row import Door, event_id
from tests.events.builders import KEY, NOW, MemorySink, call, sent

UUID = "0190a4a0-0000-7000-8000-000000000001"


def event(name: str = "Order Completed", **fields) -> dict:
    made = {
        "event": name, "distinct_id": "user-1", "properties": {"revenue": 5, "$lib": "posthog-python"},
        "timestamp": "2026-03-02T08:59:59+00:00", "uuid": UUID,
    }  # fmt: skip
    return {**made, **fields}


def batch(*events: dict, **fields) -> dict:
    return {"api_key": KEY, "sent_at": NOW.isoformat(), "batch": list(events), **fields}


def captured(body: object, path: str = "/batch/", **request):
    return sent(body, path=path, headers={}, **request)


def test_batch__fills_the_columns():
    (row,) = captured(batch(event()))
    assert (row["name"], row["user_id"], row["door"]) == ("Order Completed", "user-1", Door.POSTHOG)
    assert (row["props"], row["id"]) == ({"revenue": 5}, event_id(UUID))
    assert row["at"] == NOW - timedelta(seconds=1)


@pytest.mark.parametrize("path", ["/batch", "/batch/", "/capture/", "/e/", "/e", "/i/v0/e/", "/i/v0/e", "/track/"])
def test_lone_event__at_every_address__is_kept(path):
    (row,) = captured({"api_key": KEY, **event()}, path)
    assert (row["name"], row["door"]) == ("Order Completed", Door.POSTHOG)


def test_array__with_the_key_among_the_properties__is_kept():
    lone = event(distinct_id=None, properties={"token": KEY, "distinct_id": "u-7", "$device_id": "d-7"})
    (row,) = captured([lone], "/e/")
    assert (row["user_id"], row["anonymous_id"]) == ("u-7", "d-7")
    assert "token" not in row["props"]


@pytest.mark.parametrize("pack", ["header", "bare", "form"])
def test_body__packed_as_the_libraries_do__is_read(pack):
    plain = json.dumps(batch(event())).encode()
    headers = {"content-encoding": "gzip"} if pack == "header" else {}
    form = urlencode({"data": base64.b64encode(plain).decode()}).encode()
    body = form if pack == "form" else gzip.compress(plain)
    (row,) = sent(body, path="/e/", headers=headers, query="compression=gzip-js")
    assert row["name"] == "Order Completed"


def test_flag_called__with_a_variant__is_an_exposure():
    props = {"$feature_flag": "new-ranker", "$feature_flag_response": "treatment", "outputsDiffer": False}
    (row,) = captured(batch(event("$feature_flag_called", properties=props)))
    assert (row["name"], row["experiment"], row["variant"]) == ("Experiment Viewed", "new-ranker", "treatment")
    assert row["props"]["outputs_differ"] is False


@pytest.mark.parametrize("response", [True, False, None])
def test_flag_called__without_a_variant__is_no_exposure(response):
    props = {"$feature_flag": "new-ranker", "$feature_flag_response": response}
    (row,) = captured(batch(event("$feature_flag_called", properties=props)))
    assert (row["name"], row["experiment"]) == ("$feature_flag_called", None)


@pytest.mark.parametrize(
    ("sent_name", "fields", "name", "column"),
    [
        ("$identify", {"properties": {"$anon_distinct_id": "d-1"}}, "$identify", ("anonymous_id", "d-1")),
        ("$create_alias", {"properties": {"alias": "d-1"}}, "$alias", ("$previous_id", "d-1")),
        ("$groupidentify", {}, "$group", ("user_id", "user-1")),
        ("$pageview", {}, "$page", ("user_id", "user-1")),
        ("Search", {"properties": {"$groups": {"account": "acme"}}}, "Search", ("account_id", "acme")),
        ("Search", {"properties": {"$session_id": "s-1"}}, "Search", ("session_id", "s-1")),
        ("$set", {"$set": {"plan": "pro"}}, "$identify", ("$set", {"plan": "pro"})),
    ],
)
def test_other_calls__are_kept_as_every_door_keeps_them(sent_name, fields, name, column):
    (row,) = captured(batch(event(sent_name, **fields)))
    assert row["name"] == name
    assert {**row, **row["props"]}[column[0]] == column[1]


def test_offset__counts_back_from_the_sending():
    (row,) = captured(batch(event(timestamp=None, offset=2500)))
    assert row["at"] == NOW - timedelta(seconds=2.5)


def test_sent_at__corrects_a_wrong_clock():
    (row,) = captured(batch(event(timestamp="2026-03-02T07:59:00Z"), sent_at="2026-03-02T08:00:00Z"))
    assert row["at"] == NOW - timedelta(minutes=1)


def test_batch__of_a_megabyte__is_kept_as_the_libraries_send_it():
    large = event(properties={"text": "x" * 800_000})
    assert len(captured(batch(large, {**large, "uuid": UUID[:-1] + "2"}))) == 2


@pytest.mark.parametrize("path", ["/decide/", "/decide", "/flags/", "/flags"])
def test_flag_calls__are_told_where_to_go(path):
    answer = call({"api_key": KEY}, path=path, query="v=4", headers={})
    assert (answer.status, answer.body["code"]) == (404, "not_found")
    assert "OpenFeature" in answer.body["detail"]


def test_errors__say_it_in_the_words_the_libraries_read():
    answer = call(batch(event(), api_key="tl_unknown"), path="/batch/", headers={})
    assert (answer.status, answer.body["type"], answer.body["code"]) == (401, "authentication_error", "invalid_key")
    assert answer.body["detail"] == answer.body["message"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 401, "invalid_key"),
        (b"[]", 401, "invalid_key"),
        (b"5", 400, "invalid_batch"),
        (b"nonsense", 400, "invalid_json"),
        (b"data=%%%", 400, "invalid_json"),
        (b'{"batch":5}', 400, "invalid_batch"),
        (json.dumps({"api_key": KEY, "batch": []}).encode(), 400, "empty_batch"),
        (json.dumps(batch(event(event=None))).encode(), 400, "missing_event"),
        (json.dumps(batch(event(distinct_id=None))).encode(), 400, "missing_unit"),
        (json.dumps(batch(event(), sent_at="soon")).encode(), 400, "invalid_time"),
    ],
)
def test_body__unusable__says_why(body, status, code):
    # An empty body has no key, and whoever has none is told only that.
    answer = call(
        body, path="/batch/", headers={} if status == 401 and body else {"x-api-key": KEY} if not body else {}
    )
    expected = (400, "invalid_json") if not body else (status, code)
    assert (answer.status, answer.body["code"]) == expected


def test_bad_event__costs_only_itself():
    sink = MemorySink()
    body = b'{"api_key":"%s","batch":[%s,{"event":"x","distinct_id":"u","properties":{"a":NaN}}]}' % (
        KEY.encode(),
        json.dumps(event()).encode(),
    )
    answer = call(body, path="/batch/", headers={}, sink=sink)
    assert (answer.status, answer.body["status"], answer.body["accepted"], len(sink.rows)) == (200, 1, 1, 1)
    assert answer.body["refused"][0]["code"] == "invalid_event"
