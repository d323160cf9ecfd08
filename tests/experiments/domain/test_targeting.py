from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment.engine.sdk.conditions import Scope, condition_truth
from experiments.domain.targeting import TargetingError, cannot_both_hold, check, segment_cycle, segments_in

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$or", "$not", "$in", "$regex", "$segment", "$gt", "country", ""]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"country": "SE"},
        {"country": {"$in": ["SE", "NO"]}, "version": {"$vgte": "3.2"}},
        {"$or": [{"age": {"$gte": 18, "$lt": 65}}, {"$not": {"$segment": "staff"}}]},
        {"email": {"$not": {"$regexi": "@example\\.com$"}}},
        {"tags": {"$elemMatch": {"$eq": "vip"}}, "items": {"$elemMatch": {"price": {"$gt": 3}}}},
        {"plan": {"tier": 1}},
        {"id": {"$inGroup": "staff"}},
    ],
)
def test_condition__that_every_client_understands__is_kept(condition):
    assert check(condition, {"staff"}) == condition


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ([], "is a JSON object; this is an empty list"),
        ({"$xor": []}, r"\$xor is no operator on conditions"),
        ({"country": {"$equals": "SE"}}, r"'\$equals' is no operator on country"),
        ({"country": {"$in": "SE"}}, r"\$in needs a list of one or more values; this is text"),
        ({"country": {"$in": []}}, r"\$in needs a list of one or more values; this is an empty list"),
        ({"$or": []}, r"\$or needs a list of one or more conditions"),
        ({"email": {"$regex": "("}}, "is no regular expression"),
        ({"app": {"$vgte": "new"}}, r"\$vgte needs a version"),
        ({"age": {"$gt": True}}, r"\$gt needs a number or text; this is a truth value"),
        ({"age": {"$exists": 1}}, r"\$exists needs true or false"),
        ({"": 1}, "Name the attribute"),
        ({"$segment": "gone"}, "There is no segment 'gone' in this project. There are: staff"),
        ({"id": {"$notInGroup": "gone"}}, "There is no segment 'gone'"),
        ({"a": {"$not": {"$mod": 2}}}, "is no operator on a"),
    ],
)
def test_condition__that_some_client_would_misread__is_refused(condition, message):
    with pytest.raises(TargetingError, match=message):
        check(condition, {"staff"})


def test_condition__nested_too_deep__is_refused():
    condition: dict = {"a": 1}
    for _ in range(12):
        condition = {"$not": condition}
    with pytest.raises(TargetingError, match="nested more than 10 deep"):
        check(condition)


def test_condition__too_long__asks_for_a_segment():
    with pytest.raises(TargetingError, match="Put long lists into a segment"):
        check({"id": {"$in": [str(number) for number in range(3000)]}})


def outcome(value: Any) -> Any:
    try:
        return check(value, {"staff"})
    except TargetingError as error:
        return str(error)


@given(json_values)
def test_check__any_json__keeps_it_or_says_what_is_wrong(value):
    found = outcome(value)
    assert found is value or (isinstance(found, str) and found)


@given(json_values, st.dictionaries(st.sampled_from(["country", "a.b"]), json_values, max_size=2))
def test_condition__that_is_kept__is_known_to_the_engine(value, attributes):
    found = outcome(value)
    if isinstance(found, dict) and not segments_in(found):
        assert condition_truth(attributes, found, Scope()) is not None


def test_segments__named_deep_inside__are_found():
    assert segments_in({"$or": [{"$not": {"$segment": "a"}}, {"id": {"$inGroup": "b"}}]}) == {"a", "b"}


def test_segment_cycle__through_another__is_named():
    conditions = {"a": {"$segment": "b"}, "b": {"$not": {"$segment": "a"}}, "c": {}}
    assert segment_cycle("a", conditions) == ("a", "b", "a")
    assert segment_cycle("c", conditions) is None


@pytest.mark.parametrize(
    ("left", "right", "apart"),
    [
        ({"country": "DE"}, {"country": "AT"}, True),
        ({"country": "DE"}, {"country": {"$in": ["AT", "CH"]}}, True),
        ({"country": "DE"}, {"country": {"$in": ["AT", "DE"]}}, False),
        ({"country": "DE"}, {"plan": "pro"}, False),
        ({}, {"country": "DE"}, False),
        ({"$or": [{"country": "DE"}, {"plan": "pro"}]}, {"country": "AT"}, False),
        ({"$or": [{"country": "DE"}, {"country": "CH"}]}, {"country": "AT"}, True),
        ({"country": {"$ne": "DE"}}, {"country": "DE"}, False),
        ({"age": 3}, {"age": 4}, False),
        ({"country": []}, {"country": "DE"}, False),
    ],
)
def test_cannot_both_hold__is_said_only_where_it_is_sure(left, right, apart):
    assert cannot_both_hold(left, right) is cannot_both_hold(right, left) is apart
