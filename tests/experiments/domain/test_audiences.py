"""Soundness is held against the engine that decides who passes: where a proof says nobody, nobody does."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assignment.engine.sdk.conditions import passes
from experiments.domain.audiences import Apart, SegmentFacts, apart
from experiments.domain.kinds import SegmentKind

STAFF = SegmentFacts(kind=SegmentKind.LIST, attribute="id", values=frozenset({"u1", "u2"}))
BUYERS = SegmentFacts(kind=SegmentKind.LIST, attribute="id", values=frozenset({"u3"}))
GERMANS = SegmentFacts(kind=SegmentKind.CONDITION, targeting={"country": "DE"})
SEGMENTS = {"staff": STAFF, "buyers": BUYERS, "germans": GERMANS}

SURE, SINGLE, MAYBE = "sure", "single", "maybe"
CASES: list[tuple[Any, Any, str]] = [
    ({}, {}, MAYBE),
    ({"country": "DE"}, {}, MAYBE),
    ({"country": "DE"}, {"country": "AT"}, SURE),
    ({"country": "DE"}, {"country": "DE"}, MAYBE),
    ({"country": "DE"}, {"plan": "pro"}, MAYBE),
    ({"country": "DE"}, {"country": {"$in": ["AT", "CH"]}}, SURE),
    ({"country": {"$in": ["DE"]}}, {"country": {"$in": ["AT", "CH"]}}, SINGLE),
    ({"country": {"$in": ["DE", "AT"]}}, {"country": {"$in": ["AT"]}}, MAYBE),
    ({"country": {"$in": ["DE"]}}, {"country": {"$nin": ["DE", "AT"]}}, SINGLE),
    ({"country": {"$ini": ["de"]}}, {"country": {"$ini": ["AT"]}}, SINGLE),
    ({"country": {"$ini": ["de"]}}, {"country": "DE"}, MAYBE),
    ({"country": {"$ini": ["de"]}}, {"country": "AT"}, SURE),
    ({"country": {"$ini": ["de"]}}, {"country": {"$in": ["AT"]}}, SINGLE),
    ({"country": "DE"}, {"country": {"$ne": "DE"}}, SURE),
    ({"country": "DE"}, {"$not": {"country": "DE"}}, SURE),
    ({"country": {"$exists": False}}, {"country": "DE"}, SURE),
    ({"country": {"$exists": True}}, {"country": {"$exists": False}}, SURE),
    ({"country": None}, {"country": {"$exists": True}}, SURE),
    ({"age": {"$gt": 18}}, {"age": {"$lte": 18}}, SURE),
    ({"age": {"$gte": 18}}, {"age": {"$lte": 18}}, MAYBE),
    ({"age": {"$gt": 18, "$lt": 30}}, {"age": {"$gte": 30}}, SURE),
    ({"age": 17}, {"age": {"$gte": 18}}, SURE),
    ({"age": {"$exists": False}}, {"age": {"$gt": -1}}, MAYBE),  # a missing number counts as 0
    ({"age": {"$gt": "18"}}, {"age": {"$lt": "10"}}, MAYBE),  # text sorts in ways of its own
    ({"app": {"$vgte": "3.0.0"}}, {"app": {"$vlt": "3.0.0"}}, SURE),
    ({"app": {"$veq": "2.9.9"}}, {"app": {"$vgte": "2.10.0"}}, SURE),
    ({"app": {"$vgte": "3.0"}}, {"app": {"$vlt": "3.0.0"}}, MAYBE),
    ({"$or": [{"country": "DE"}, {"country": "AT"}]}, {"country": "CH"}, SURE),
    ({"$or": [{"country": "DE"}, {"plan": "pro"}]}, {"country": "CH"}, MAYBE),
    ({"$nor": [{"country": "DE"}]}, {"country": "DE"}, SURE),
    ({"$and": [{"country": "DE"}, {"plan": "pro"}]}, {"plan": "free"}, SURE),
    ({"$segment": "staff"}, {"$not": {"$segment": "staff"}}, SURE),
    ({"$segment": "staff"}, {"$segment": "buyers"}, SURE),  # of the unit's own id
    ({"$segment": "germans"}, {"country": "AT"}, SURE),
    ({"$segment": "unknown"}, {"country": "AT"}, MAYBE),
    ({"$segment": "unknown"}, {"$not": {"$segment": "unknown"}}, SURE),
    ({"country": {"$regex": "^D"}}, {"country": "AT"}, MAYBE),  # patterns are not read
    ({"roles": {"$all": ["a"]}}, {"roles": {"$all": ["b"]}}, MAYBE),
    ({"country": {"$not": {"$in": ["DE"]}}}, {"country": "DE"}, SURE),
    ({"country": {}}, {"country": "DE"}, MAYBE),
    ({"flag": True}, {"flag": 1}, SURE),
    ({"n": 1}, {"n": 1.0}, MAYBE),
]


@pytest.mark.parametrize(("left", "right", "expected"), CASES)
def test_apart__is_proved_or_left_open(left: Any, right: Any, expected: str):
    for one, other in ((left, right), (right, left)):
        proof = apart(one, other, SEGMENTS, unit_attribute="id")
        assert (MAYBE if proof is None else SINGLE if proof.single else SURE) == expected


def test_apart__names_the_attribute_that_cannot_be_both():
    assert apart({"country": "DE", "plan": "pro"}, {"plan": "free"}) == Apart(attribute="plan")


def test_apart__a_condition_too_large_to_write_out__may_overlap():
    wide = {"$and": [{"$or": [{f"a{i}": 1}, {f"b{i}": 1}]} for i in range(12)]}
    assert apart(wide, {"a0": 2, "b0": 2}) is not None  # what is written out suffices
    many = {"$or": [{"country": str(i)} for i in range(100)]}
    assert apart(many, {"country": "x"}) is None


def test_apart__segments_in_a_circle__end():
    loop = {
        "a": SegmentFacts(kind=SegmentKind.CONDITION, targeting={"$segment": "b"}),
        "b": SegmentFacts(kind=SegmentKind.CONDITION, targeting={"$segment": "a"}),
    }
    assert apart({"$segment": "a"}, {"country": "DE"}, loop) is None


SCALARS = st.sampled_from([None, True, 0, 1, 2.5, "DE", "de", "AT", "2", "1.10.0", "1.9.0"])
NUMBERS = st.sampled_from([0, 1, 2, 2.5])
LISTS = st.lists(SCALARS, min_size=1, max_size=3)
VERSIONS = st.sampled_from(["1.9.0", "1.10.0", "2"])
OPERATORS = st.one_of(
    st.fixed_dictionaries({}, optional={"$eq": SCALARS, "$ne": SCALARS}),
    st.fixed_dictionaries({}, optional={"$in": LISTS, "$nin": LISTS}),
    st.fixed_dictionaries({}, optional={"$ini": LISTS, "$nini": LISTS}),
    st.fixed_dictionaries({}, optional={"$gt": NUMBERS, "$lt": NUMBERS, "$gte": NUMBERS, "$lte": NUMBERS}),
    st.fixed_dictionaries({}, optional={"$vgte": VERSIONS, "$vlt": VERSIONS, "$veq": VERSIONS}),
    st.fixed_dictionaries({"$exists": st.booleans()}),
    st.fixed_dictionaries({"$all": LISTS}),
)
WANTED = st.one_of(SCALARS, LISTS, OPERATORS, st.builds(lambda one: {"$not": one}, OPERATORS))
SIMPLE = st.dictionaries(st.sampled_from(["a", "b"]), WANTED, max_size=2)
JOINING = st.sampled_from(["$or", "$and", "$nor"])
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(lambda name, parts: {name: parts}, JOINING, st.lists(inner, min_size=1, max_size=2)),
        st.builds(lambda one: {"$not": one}, inner),
    ),
    max_leaves=3,
)  # fmt: skip
VALUES = st.one_of(SCALARS, LISTS)
PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=300)


@PATIENT
@given(CONDITIONS, CONDITIONS, st.lists(st.fixed_dictionaries({"a": VALUES, "b": VALUES}), min_size=8, max_size=8))
def test_apart__where_it_is_proved__the_engine_lets_nobody_through_both(left: Any, right: Any, people: list[Any]):
    proof = apart(left, right)
    if proof is None:
        return
    for person in people:
        if proof.single and any(isinstance(value, list) for value in person.values()):
            continue
        assert not (passes(person, left) and passes(person, right)), (proof, person)
