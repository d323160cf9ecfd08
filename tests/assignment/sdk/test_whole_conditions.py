"""Whole conditions on whole attributes, by both engines."""

import pytest

from assignment.engine.rules import passes as holds
from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.effort import Effort
from assignment.engine.targeting import Preparer

ME = {
    "id": "u1", "age": 30, "score": 0, "paid": False, "name": "", "nothing": None, "tags": ["a", "b"], "none": [],
    "home": {"city": "Ulm", "geo": {"lat": 48.4}}, "pets": [{"kind": "cat", "age": 3}, {"kind": "dog"}], "n": "8",
}  # fmt: skip


def answer(condition, attributes=ME, groups=None):
    prepared = Preparer(groups or {}).prepare(condition)
    interpreted = passes(attributes, condition, groups)
    assert holds(prepared.test, attributes, Effort()) is interpreted
    return interpreted


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        ({"id": "u1", "age": 30}, True),
        ({"id": "u1", "age": 31}, False),
        ({"missing": {"$gt": -10, "$lt": 10, "$gte": -9, "$lte": 9, "$ne": 10}}, True),
        ({"missing": {"$gt": 0}}, False),
        ({"n": {"$gt": "5"}}, True),
        ({"n": {"$gte": 8, "$lte": 8}}, True),
        ({"age": {"$gt": "5", "$lt": "100"}}, True),
        ({"home.city": "Ulm"}, True),
        ({"home.geo.lat": {"$gt": 48}}, True),
        ({"home.geo.lat.x": None}, True),
        ({"nothing.city": "Ulm"}, False),
        ({"tags.city": "Ulm"}, False),
        ({"age.city": None}, True),
        ({"home": {"city": "Ulm", "geo": {"lat": 48.4}}}, True),
        ({"home": {"city": "Ulm"}}, False),
        ({"home": {"city": "Ulm", "geo": {"lat": 48.4}, "zip": None}}, False),
        ({"tags": ["a", "b"]}, True),
        ({"tags": ["a"]}, False),
        ({"none": []}, True),
        ({"nothing": None}, True),
        ({"score": None}, False),
        ({"paid": None}, False),
        ({"paid": False}, True),
        ({"nothing": False}, False),
        ({"nothing": {"$ne": "x"}}, True),
        ({"nothing": {"$eq": None}}, True),
        ({"missing": {"$type": "null"}}, True),
        ({"none": {"$size": 0}}, True),
        ({"none": {"$all": []}}, True),
        ({"none": {"$in": []}}, False),
        ({"none": {"$nin": []}}, True),
        ({"missing": {"$size": 0}}, False),
        ({"missing": {"$all": []}}, False),
        ({"missing": {"$nin": ["a"]}}, True),
        ({"missing": {"$not": {"$eq": 1}}}, True),
        ({"pets": {"$elemMatch": {"kind": "cat", "age": {"$gte": 3}}}}, True),
        ({"pets": {"$elemMatch": {"kind": "dog", "age": {"$gte": 3}}}}, False),
        ({"pets": {"$elemMatch": {"kind": {"$not": {"$in": ["cat", "dog"]}}}}}, False),
        ({"pets.1.kind": "dog"}, True),
        ({"tags": {"$not": {"$elemMatch": {"$eq": "c"}}}}, True),
        ({"tags": {"$size": {"$gt": 1, "$lt": 3}}}, True),
        ({"tags": {"$all": ["b", {"$regex": "^A"}]}}, False),
        ({"tags": {"$alli": ["B", "A"]}}, True),
        ({"$not": {"$not": {"id": "u1"}}}, True),
        ({"$and": []}, True),
        ({"$or": []}, True),
        ({"$nor": []}, False),
        ({"$and": [{"$or": [{"age": 1}, {"$nor": [{"age": 1}, {"id": "u2"}]}]}, {"paid": False}]}, True),
        ({"$or": [{"age": 1}], "id": "u1"}, False),
        ({"$groups": {"$exists": False}}, True),
    ],
)
def test_condition__on_attributes_of_every_kind__as_the_contract_says(condition, expected):
    assert answer(condition) is expected


ORDERED = [
    "0.0.0", "0.0.1", "0.9.0", "0.10.0", "1.0.0-0", "1.0.0-1", "1.0.0-9999", "1.0.0-alpha", "1.0.0-alpha.1",
    "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.3-4", "1.2.3-5",
    "1.2.3-5-Foo", "1.2.3-5-foo", "1.2.3-a.5", "1.2.3-a.10", "1.2.3-a.b", "1.2.3-a.b.c", "1.2.3-a.b.c.10.d.5",
    "1.2.3-r100", "1.2.3-r2", "1.2.3", "2.0.0", "9999.0.0", "10000.0.0", "99999.0.0", "a.b.c.d.e.f",
]  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "v"])
def test_versions__in_their_order__compare_so_by_every_operator(prefix):
    for place, one in enumerate(ORDERED):
        for other_place, other in enumerate(ORDERED):
            wanted = {"$veq": place == other_place, "$vne": place != other_place}
            wanted |= {"$vlt": place < other_place, "$vlte": place <= other_place}
            wanted |= {"$vgt": place > other_place, "$vgte": place >= other_place}
            found = {name: answer({"v": {name: other + "+build.7"}}, {"v": prefix + one}) for name in wanted}
            assert found == wanted, (one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("1.2.3", "1-2-3"), ("v1.2.3", "1.2.3+x"), ("", "0"), ("1.0", 1.0), (7, "7"), ("v", "")]
)
def test_versions__of_another_spelling__are_the_same_or_not(one, other):
    same = (one, other) not in {("1.0", 1.0), ("v", "")}
    assert answer({"v": {"$veq": other}}, {"v": one}) is same


GROUPS = {"ids": [1, "2", 3, True], "typed": {"type": "list", "attributeKey": "id", "values": ["u1"]}, "none": []}


@pytest.mark.parametrize(
    ("value", "group", "inside"),
    [
        (1, "ids", True), ("1", "ids", False), ("2", "ids", True), (2, "ids", False), (True, "ids", True),
        (None, "ids", False), ([5, "2"], "ids", True), ([], "ids", False), ("u1", "typed", True), ("x", "none", False),
        ("x", "unknown", False),
    ],
)  # fmt: skip
def test_groups__strict_values__are_in_or_not_in(value, group, inside):
    assert answer({"v": {"$inGroup": group}}, {"v": value}, GROUPS) is inside
    assert answer({"v": {"$notInGroup": group}}, {"v": value}, GROUPS) is not inside
    assert answer({"$not": {"v": {"$inGroup": group}}}, {"v": value}, GROUPS) is not inside
