import json
from datetime import datetime, timedelta

import pytest

from events.row import Door
from tests.events.builders import KEY, NOW, MemorySink, call, columns, sent

QUERY = f"client_key={KEY}"
TEXT = {"content-type": "text/plain"}


def sdk(body: object, **request):
    return sent(body, path="/track", query=QUERY, headers=TEXT, **request)


def plugin(name: str = "Order Completed", **fields) -> dict:
    made = {
        "event_name": name, "properties_json": {"revenue": 5}, "context_json": {"country": "DE"}, "url": "",
        "sdk_language": "js", "sdk_version": "1.8.0", "user_id": "user-1", "device_id": "device-1", "page_id": "p",
        "session_id": "s-1",
    }  # fmt: skip
    return {**made, **fields}


def test_plugin_event__fills_the_columns():
    (row,) = sdk([plugin()])
    assert (row["name"], row["user_id"], row["anonymous_id"]) == ("Order Completed", "user-1", "device-1")
    assert (row["door"], row["environment"], row["experiment"]) == (Door.SDK, 0, None)
    assert row["props"] == {
        "revenue": 5, "session_id": "s-1", "$context": {"page_id": "p", "country": "DE"},
    }  # fmt: skip


def test_public_shape__reads_units_from_attributes():
    attributes = {"id": "user-2", "device_id": "d-2", "account_id": 17}
    (row,) = sdk([{"event_name": "Search", "properties": {"q": "x"}, "attributes": attributes}])
    assert (row["user_id"], row["anonymous_id"], row["props"]["account_id"]) == ("user-2", "d-2", "17")


@pytest.mark.parametrize(
    ("name", "props"),
    [
        ("Experiment Viewed", {"experimentId": "e", "variationId": "v", "hashAttribute": "id", "hashValue": "user-9"}),
        (
            "$$experiment_viewed",
            {"experiment_id": "e", "variation_id": 1, "variation_key": "v", "hash_attribute": "id",
             "hash_value": "user-9", "in_experiment": True, "hash_used": True},
        ),
        ("Experiment Viewed", {"experiment_id": "e", "variation_id": "v", "hashValue": "user-9"}),
    ],
)  # fmt: skip
def test_exposure__of_either_dialect__is_the_one_exposure_of_the_unit_it_was_hashed_by(name, props):
    (row,) = sdk([plugin(name, properties_json=props, user_id=None, device_id="user-9")])
    assert (row["name"], row["experiment"], row["variant"]) == ("Experiment Viewed", "e", "v")
    assert row["user_id"] == "user-9"


@pytest.mark.parametrize(
    ("attribute", "column"), [("device_id", "anonymous_id"), ("account_id", "account_id"), ("id", "user_id")]
)
def test_exposure__hashed_by_another_attribute__names_that_unit(attribute, column):
    props = {"experimentId": "e", "variationId": "v", "hashAttribute": attribute, "hashValue": "x-1"}
    (row,) = sdk([plugin("Experiment Viewed", properties_json=props)])
    assert {**row, **row["props"]}[column] == "x-1"


def test_exposure__of_a_variant_without_a_key__is_named_by_its_number():
    props = {"experimentId": "e", "variationId": 1, "hashAttribute": "id", "hashValue": "u"}
    assert sdk([plugin("Experiment Viewed", properties_json=props)])[0]["variant"] == "1"


def test_exposure__of_a_forced_variant__is_an_event_and_no_exposure():
    props = {"experiment_id": "e", "variation_key": "v", "hash_used": False, "in_experiment": True}
    (row,) = sdk([plugin("$$experiment_viewed", properties_json=props)])
    assert (row["name"], row["experiment"]) == ("$$experiment_viewed", None)


def test_evaluations__of_either_dialect__have_one_name():
    names = {row["name"] for row in sdk([plugin("$$feature_evaluated"), plugin("Feature Evaluated")])}
    assert names == {"Feature Evaluated"}


def test_lone_device__stands_for_the_user_too():
    (row,) = sdk([plugin(user_id=None)])
    assert (row["user_id"], row["anonymous_id"]) == ("device-1", "device-1")


def test_sent_at__corrects_a_wrong_clock():
    stamped = plugin(timestamp="2026-03-02T07:00:00Z")
    (row,) = sdk({"sentAt": "2026-03-02T07:30:00Z", "events": [stamped]})
    assert row["at"] == NOW - timedelta(minutes=30)
    assert row["ts"] == datetime.fromisoformat("2026-03-02T07:00:00Z")


def test_request__sent_again__has_the_same_identities():
    body = {"sentAt": "2026-03-02T08:59:59Z", "events": [plugin(), plugin()]}
    first, again = sdk(body), sdk(body)
    assert [(row["id"], row["ts"]) for row in first] == [(row["id"], row["ts"]) for row in again]
    assert first[0]["id"] != first[1]["id"]
    assert sdk({**body, "sentAt": "2026-03-02T08:59:58Z"})[0]["id"] != first[0]["id"]


def test_request__without_any_time__counts_at_every_arrival():
    assert sdk([plugin()])[0]["id"] != sdk([plugin()])[0]["id"]


def test_key__in_the_address_or_a_header__decides():
    body = [plugin()]
    assert call(body, path="/track", query="client_key=tl_unknown", headers={}).status == 401
    assert call(body, path="/track", headers={}).status == 401
    assert call(body, path="/track", headers={"x-api-key": KEY}).status == 200
    assert call(body, path="/track", query="client_key=tl_reader").status == 403


def test_staging_key__marks_its_events():
    (row,) = sent([plugin()], path="/track/", query="client_key=tl_staging", headers=TEXT)
    assert row["environment"] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"5", "invalid_batch"),
        (b'"x"', "invalid_batch"),
        (b"{}", "invalid_batch"),
        (b'{"events":5}', "invalid_batch"),
        (b'{"events":{"a":NaN}}', "invalid_batch"),
        (b"[]", "empty_batch"),
        (b'{"sentAt":"soon","events":[{}]}', "invalid_time"),
        (b"[{}]", "missing_event"),
        (json.dumps([plugin(user_id=None, device_id=None, session_id=None)]).encode(), "missing_unit"),
        (json.dumps([plugin("Experiment Viewed")]).encode(), "invalid_exposure"),
    ],
)
def test_body__unusable__says_why(body, code):
    answer = call(body, path="/track", query=QUERY, headers=TEXT)
    assert (answer.status, answer.body["code"]) == (400, code)


def test_bad_event__costs_only_itself():
    sink = MemorySink()
    body = b'[%s,{"event_name":"x","user_id":"u","properties":{"a":NaN}}]' % json.dumps(plugin()).encode()
    answer = call(body, path="/track", query=QUERY, headers=TEXT, sink=sink)
    assert (answer.status, answer.body["accepted"]) == (200, 1)
    assert answer.body["refused"][0]["code"] == "invalid_event"
    assert columns(sink.rows[0])["name"] == "Order Completed"
