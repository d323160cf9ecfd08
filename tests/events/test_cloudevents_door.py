import json
from datetime import timedelta

import pytest

from events.row import Door
from tests.events.builders import KEY, NOW, MemorySink, basic, call, sent

PATH = "/v1/events"


def cloud_event(**fields) -> dict:
    made = {
        "specversion": "1.0", "id": "A-1", "source": "/shop", "type": "Order Completed", "subject": "user-1",
        "time": "2026-03-02T08:59:00Z", "datacontenttype": "application/json", "data": {"revenue": 5},
    }  # fmt: skip
    return {name: value for name, value in {**made, **fields}.items() if value is not ...}


def test_structured__fills_the_columns():
    (row,) = sent(cloud_event(), path=PATH)
    assert (row["name"], row["user_id"], row["door"]) == ("Order Completed", "user-1", Door.CLOUDEVENTS)
    assert row["props"] == {"revenue": 5, "$source": "/shop", "$subject": "user-1"}
    assert row["at"] == NOW - timedelta(minutes=1)


def test_batch__keeps_each():
    assert len(sent([cloud_event(), cloud_event(id="A-2")], path=PATH)) == 2


def test_binary__reads_attributes_from_headers():
    headers = {
        **basic(KEY), "content-type": "application/json", "ce-specversion": "1.0", "ce-id": "A-1",
        "ce-source": "/shop", "ce-type": "Order%20Completed", "ce-userid": "Zo%C3%AB",
    }  # fmt: skip
    (row,) = sent({"revenue": 5}, path=PATH, headers=headers)
    assert (row["name"], row["user_id"], row["props"]["revenue"]) == ("Order Completed", "Zoë", 5)
    (text,) = sent(b"plain words", path=PATH, headers={**headers, "content-type": "text/plain"})
    assert text["props"]["data"] == "plain words"


def test_identity__is_source_and_id_together():
    first, other_source, other_id = (
        sent(cloud_event(**fields), path=PATH)[0]["id"] for fields in ({}, {"source": "/b"}, {"id": "A-2"})
    )
    assert len({first, other_source, other_id}) == 3
    assert sent(cloud_event(data={}), path=PATH)[0]["id"] == first


@pytest.mark.parametrize(
    ("fields", "column", "value"),
    [
        ({"data": {"userId": "u-2"}}, "user_id", "u-2"),
        ({"data": {"user_id": 7}}, "user_id", "7"),
        ({"userid": "u-3"}, "user_id", "u-3"),
        ({"anonymousid": "d-1"}, "anonymous_id", "d-1"),
        ({"data": {"account_id": "acme"}}, "user_id", None),
    ],
)
def test_unit__is_found_in_extensions_data_or_subject(fields, column, value):
    assert sent(cloud_event(**fields), path=PATH)[0][column] == value


def test_exposure__names_experiment_and_variant():
    data = {"experiment_id": "e", "variation_id": "v", "outputs_differ": True}
    (row,) = sent(cloud_event(type="Experiment Viewed", data=data), path=PATH)
    assert (row["experiment"], row["variant"], row["props"]["outputs_differ"]) == ("e", "v", True)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (cloud_event(specversion="0.3"), "invalid_cloudevent"),
        (cloud_event(specversion=...), "invalid_cloudevent"),
        (cloud_event(id=...), "invalid_cloudevent"),
        (cloud_event(source=""), "invalid_cloudevent"),
        (cloud_event(type=...), "missing_event"),
        (cloud_event(subject=...), "missing_unit"),
        (cloud_event(time="soon"), "invalid_time"),
        (cloud_event(id=5), "invalid_event"),
        ([], "empty_batch"),
        (5, "invalid_batch"),
        (b"nonsense", "invalid_json"),
    ],
)
def test_event__unusable__says_why(body, code):
    answer = call(body, path=PATH)
    assert (answer.status, answer.body["code"]) == (400, code)


def test_bad_event__costs_only_itself():
    sink = MemorySink()
    body = b'[%s,{"specversion":"1.0","id":"n","data":NaN}]' % json.dumps(cloud_event()).encode()
    answer = call(body, path=PATH, sink=sink)
    assert (answer.status, answer.body["accepted"], answer.body["refused"][0]["message_id"]) == (200, 1, "n")
