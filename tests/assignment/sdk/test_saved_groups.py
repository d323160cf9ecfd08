import pytest

from assignment.engine.sdk.conditions import passes

GROUPS = {
    "plain": [1, "2"],
    "list": {"type": "list", "attributeKey": "id", "values": ["u1", "u2"]},
    "keyless": {"type": "list", "values": ["u1"]},
    "condition": {"type": "condition", "condition": {"plan": "pro"}},
    "nested": {"type": "condition", "condition": {"$savedGroup": {"id": "condition"}, "country": "DE"}},
    "self": {"type": "condition", "condition": {"$savedGroup": {"id": "self"}}},
    "not_self": {"type": "condition", "condition": {"$not": {"$savedGroup": {"id": "not_self"}}}},
    "newer": {"type": "model"},
    "broken": {"type": "list", "values": "u1"},
    "text": "u1",
}
ME = {"one": 1, "id": "u1", "other": "u2", "plan": "pro", "country": "DE"}


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"id": "list"}, True),
        ({"id": "list", "attributeKey": "plan"}, False),
        ({"id": "list", "attributeKey": "other"}, True),
        ({"id": "list", "attributeKey": 3}, False),
        ({"id": "keyless"}, False),
        ({"id": "keyless", "attributeKey": "id"}, True),
        ({"id": "plain"}, False),
        ({"id": "plain", "attributeKey": "one"}, False),
        ({"id": "condition"}, True),
        ({"id": "nested"}, True),
        ({"id": "self"}, False),
        ({"id": "newer"}, False),
        ({"id": "broken"}, False),
        ({"id": "unknown"}, False),
        ({"id": ["list"]}, False),
        ({}, False),
        ("list", False),
    ],
)
def test_saved_group__reference__matches_whom_the_group_holds(reference, expected):
    assert passes(ME, {"$savedGroup": reference}, GROUPS) is expected


def test_saved_group__cycle_under_not__ends():
    assert passes(ME, {"$savedGroup": {"id": "not_self"}}, GROUPS) is True


def test_saved_group__type_of_a_newer_version__is_not_known_and_not_the_opposite():
    assert not passes(ME, {"$not": {"$savedGroup": {"id": "newer"}}}, GROUPS)
    assert not passes(ME, {"id": {"$notInGroup": "newer"}}, GROUPS)


@pytest.mark.parametrize(
    ("value", "group", "inside", "outside"),
    [
        (1, "plain", True, False),
        ("1", "plain", False, True),
        (True, "plain", False, True),
        ("u1", "list", True, False),
        ("u1", "unknown", False, True),
        ("u1", "broken", False, False),
        ("u1", "text", False, False),
        ("u1", "condition", False, False),
        ("u1", 3, False, False),
    ],
)
def test_in_group__and_its_negation__agree_unless_the_group_is_malformed(value, group, inside, outside):
    assert passes({"id": value}, {"id": {"$inGroup": group}}, GROUPS) is inside
    assert passes({"id": value}, {"id": {"$notInGroup": group}}, GROUPS) is outside


def test_saved_groups__forty_groups_of_three_references_each__take_bounded_work():
    step = {
        f"g{i}": {"type": "condition", "condition": {"$or": [{"$savedGroup": {"id": f"g{i + 1}"}}] * 3}}
        for i in range(40)
    }
    assert not passes(ME, {"$savedGroup": {"id": "g0"}}, step)
