import json
from datetime import UTC, datetime, timedelta

import pytest

from events.intake.fields import EventError
from events.row import event_id
from events.segment.message import accept
from tests.events.builders import NOW, PROJECT, arrival, exposure, track


def taken(message: object, **shared):
    return accept(json.dumps(message).encode(), arrival(**shared))


def refused(message: object, **shared) -> EventError:
    with pytest.raises(EventError) as caught:
        taken(message, **shared)
    return caught.value


def test_track__whole__fills_the_columns():
    event = taken(track(messageId="m-1", anonymousId="device-1"))
    assert (event.project_id, event.id, event.dated) == (PROJECT, event_id("m-1"), True)
    assert (event.name, event.user_id, event.anonymous_id) == ("Order Completed", "user-1", "device-1")
    assert (event.experiment, event.variant, json.loads(event.props)) == (None, None, {"revenue": 12.5})
    assert event.ts == datetime(2026, 3, 2, 8, 59, 59, 500_000, tzinfo=UTC)


def test_experiment_viewed__names_experiment_and_variant():
    event = taken(exposure())
    assert (event.experiment, event.variant) == ("new-ranker", "treatment")


def test_time__client_clock_an_hour_slow__is_corrected_but_ts_is_kept():
    event = taken(track(timestamp="2026-03-02T07:59:50Z"), sent_at=datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    assert event.at == NOW - timedelta(seconds=10)
    assert event.ts == datetime(2026, 3, 2, 7, 59, 50, tzinfo=UTC)


def test_time__slow_and_fast_requests_of_one_clock__keep_the_order_in_which_things_happened():
    viewed, ordered = "2026-03-02T08:59:50.000001Z", "2026-03-02T08:59:50.000009Z"
    slow = taken({**exposure(), "timestamp": viewed}, sent_at=NOW - timedelta(seconds=4))
    fast = taken(track(timestamp=ordered), sent_at=NOW - timedelta(milliseconds=3))
    assert slow.at < fast.at


def test_time__no_sent_at__is_believed():
    assert taken(track(timestamp="2026-03-01T00:00:00+02:00")).at == datetime(2026, 2, 28, 22, 0, tzinfo=UTC)


def test_time__after_it_was_received__is_the_moment_it_was_received():
    event = taken(track(timestamp="2026-03-02T10:00:00Z"), sent_at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    assert event.at == NOW


def test_time__missing__is_the_servers_and_the_id_alone_tells_a_retry():
    event = taken(track(timestamp=..., messageId="m-1"))
    assert (event.ts, event.at, event.dated) == (NOW, NOW, False)


def test_message_id__missing__never_makes_two_events_one():
    first, second = taken(track(messageId=...)), taken(track(messageId=...))
    assert first.id != second.id


def test_user_id__a_number__is_kept_as_its_text():
    assert taken(track(userId=17)).user_id == "17"


@pytest.mark.parametrize("unit", ["session_id", "account_id", "impression_id"])
def test_unit__named_by_a_property__is_enough(unit):
    for named in ("x-1", 7):  # a whole number stands for its digits, as in an evaluation
        event = taken(track(userId=..., properties={unit: named}))
        assert (event.user_id, event.anonymous_id) == (None, None)


@pytest.mark.parametrize(
    ("call", "fields", "name", "props"),
    [
        ("identify", {"traits": {"plan": "pro"}}, "$identify", {"plan": "pro"}),
        ("group", {"groupId": "acme", "traits": {"size": 3}}, "$group", {"size": 3, "$group_id": "acme"}),
        ("alias", {"previousId": "device-9"}, "$alias", {"$previous_id": "device-9"}),
        ("page", {"name": "Cart", "properties": {"path": "/cart"}}, "$page", {"path": "/cart", "name": "Cart"}),
        ("screen", {"name": "Home", "category": "main"}, "$screen", {"name": "Home", "category": "main"}),
    ],
)
def test_other_calls__are_kept_under_their_own_names(call, fields, name, props):
    event = taken({"type": call, "userId": "user-1", **fields})
    assert (event.name, json.loads(event.props)) == (name, props)


def test_context__beyond_the_librarys_name__is_kept():
    event = taken(
        track(context={"library": {"name": "x"}, "locale": "de"}), context={"locale": "en", "ip": "192.0.2.1"}
    )
    assert json.loads(event.props)["$context"] == {"locale": "de", "ip": "192.0.2.1"}
    assert "$context" not in json.loads(taken(track(context={"library": {"name": "x"}})).props)


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        (track(userId=...), "missing_unit", "send userId, anonymousId or one of the properties session_id"),
        (track(userId=""), "missing_unit", "send userId, anonymousId or one of the properties session_id"),
        (track(userId="  "), "missing_unit", "names no unit"),
        (track(userId=..., properties={"session_id": " "}), "missing_unit", "names no unit"),
        (track(userId=..., properties={"session_id": True}), "missing_unit", "names no unit"),
        (
            track(userId=..., properties={"session_id": 5.5}),
            "missing_unit",
            "send userId, anonymousId or one of the properties session_id",
        ),
        (
            track(userId=..., properties={"session_id": "s" * 256}),
            "missing_unit",
            "send userId, anonymousId or one of the properties session_id",
        ),
        (track(userId=True), "invalid_event", "userId"),
        (track(userId={}), "invalid_event", "userId"),
        (track(userId="u" * 256), "too_long", "userId has 256"),
        (track(userId="a\0b"), "nul_character", "userId"),
        (track(anonymousId="a\0b"), "nul_character", "anonymousId"),
        (track(event=...), "missing_event", "event is missing"),
        (track(event=None), "missing_event", "event is missing"),
        (track(event="  "), "missing_event", "event is missing"),
        (track(event=5), "invalid_event", "`$.event`"),
        (track(event="e" * 256), "too_long", "event has 256"),
        (track(event="a\0"), "nul_character", "event"),
        (track(timestamp="yesterday"), "invalid_time", "'yesterday'"),
        (track(timestamp="2026-13-02T00:00:00Z"), "invalid_time", "ISO 8601"),
        (track(timestamp="1970-01-01T00:00:00Z"), "invalid_time", "between the years 2000 and 2100"),
        (track(timestamp="0001-01-01T00:00:00+14:00"), "invalid_time", "between the years"),
        (track(timestamp=1772442000), "invalid_event", "`$.timestamp`"),
        (track(sentAt="soon"), "invalid_time", "sentAt"),
        (track(properties=[]), "invalid_event", "`$.properties`"),
        (track(properties="x"), "invalid_event", "`$.properties`"),
        (track(properties={"a": "\0"}), "nul_character", "properties"),
        (track(properties={"a": [{"b\0": 1}]}), "nul_character", "properties"),
        (track(messageId="m" * 101), "invalid_message_id", "101 characters"),
        (track(messageId=5), "invalid_event", "`$.messageId`"),
        (track(type=...), "unknown_type", "type is missing"),
        (track(type="trak"), "unknown_type", "'trak'"),
        (exposure(experiment_id=...), "invalid_exposure", "experiment_id is missing"),
        (exposure(experiment_id=""), "invalid_exposure", "experiment_id is empty"),
        (exposure(variation_id=...), "invalid_exposure", "variation_id is missing"),
        (exposure(variation_id=1), "invalid_exposure", "variation_id is a int"),
        (exposure(variation_id="v" * 256), "too_long", "variation_id has 256"),
        ([], "invalid_event", "object"),
        ("track", "invalid_event", "object"),
        (None, "invalid_event", "object"),
    ],
)
def test_bad_event__is_refused_and_says_why(message, code, says):
    refusal = refused(message)
    assert refusal.code == code
    assert says in str(refusal)


def test_nul__written_as_text__is_no_nul():
    assert json.loads(taken(track(properties={"a": "\\u0000"})).props) == {"a": "\\u0000"}


def test_refusal__names_the_message():
    assert refused(track(userId=..., messageId="m-1")).message_id == "m-1"
    assert refused(track(event=5, messageId="m-2")).message_id == "m-2"


def test_event__one_byte_over_the_limit__is_refused():
    room = 32 * 1024 - len(json.dumps(track(properties={"a": ""}, messageId="m-1")))
    assert taken(track(properties={"a": "x" * room}, messageId="m-1")).name == "Order Completed"
    refusal = refused(track(properties={"a": "x" * (room + 1)}, messageId="m-1"))
    assert (refusal.code, refusal.message_id) == ("event_too_large", "m-1")


@pytest.mark.parametrize("levels", [65, 5000])
def test_properties__too_deep__are_refused(levels):
    nested = b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)
    raw = b'{"type":"track","event":"e","userId":"u","properties":' + nested + b"}"
    with pytest.raises(EventError) as caught:
        accept(raw, arrival())
    assert caught.value.code == "too_deep"


def test_properties__as_deep_as_allowed__are_kept():
    nested: object = {}
    for _ in range(63):
        nested = {"a": nested}
    assert taken(track(properties=nested)).name == "Order Completed"


def test_properties__many_flat_brackets__are_not_deep():
    assert taken(track(properties={"items": [{"id": n} for n in range(300)]})).name == "Order Completed"


def test_single_call__type_of_another_call__is_refused():
    assert refused(track(), call="page").code == "unknown_type"
    assert taken(track(type=...), call="track").name == "Order Completed"


@pytest.mark.parametrize("field", ["outputs_differ", "outputsDiffer"])
def test_exposure__says_whether_outputs_differ__under_one_name(field):
    event = taken(exposure(**{field: True}))
    assert json.loads(event.props)["outputs_differ"] is True
    assert "outputsDiffer" not in json.loads(event.props)


def test_exposure__whose_outputs_differ_is_a_word__is_refused():
    assert refused(exposure(outputs_differ="yes")).code == "invalid_exposure"
