import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignment.engine.sdk.conditions import passes
from experiments.forms.conditions import (
    OF_LISTS,
    OF_SEGMENTS,
    OF_TEXT,
    WITHOUT_VALUE,
    Clause,
    Op,
    condition_of,
    groups_of,
    in_words,
    read_values,
    written_value,
)

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
SCALARS = st.one_of(TEXTS, st.integers(-(10**9), 10**9), st.booleans())


@st.composite
def clauses(draw):
    op = draw(st.sampled_from(Op))
    if op in OF_SEGMENTS:
        return Clause("", op, draw(st.sampled_from(["beta", "staff"])))
    name = draw(st.sampled_from(["country", "plan", "age", "device.os"]))
    if op in WITHOUT_VALUE:
        return Clause(name, op)
    if op in OF_LISTS:
        return Clause(name, op, draw(st.lists(SCALARS, max_size=3)))
    return Clause(name, op, draw(TEXTS if op in OF_TEXT else SCALARS))


GROUPS = st.lists(st.lists(clauses(), min_size=1, max_size=4).map(tuple), max_size=3).map(tuple)


@given(GROUPS)
def test_condition__written_and_read_again__is_the_same(groups):
    assert groups_of(condition_of(groups)) == groups


@given(TEXTS, TEXTS)
def test_contains__any_text__is_found_as_it_stands(text: str, around: str):
    condition = condition_of([(Clause("title", Op.CONTAINS, text),)])
    assert passes({"title": f"{around}{text}{around}"}, condition)


@pytest.mark.parametrize(
    ("op", "inside", "outside"), [(Op.STARTS, "a.b c", "aXb"), (Op.ENDS, "x a.b", "a.b c"), (Op.CONTAINS, "A.B", "ab")]
)
def test_text__a_dot__is_a_dot(op: Op, inside: str, outside: str):
    condition = condition_of([(Clause("title", op, "a.b"),)])
    assert (passes({"title": inside}, condition), passes({"title": outside}, condition)) == (True, False)


@given(SCALARS)
def test_value__typed_and_read_again__is_the_same(value):
    assert read_values(written_value(value)) == [value] or str(value) != str(value).strip()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("DE, AT", ["DE", "AT"]),
        ("18", [18]),
        ('"18"', ["18"]),
        ("007", ["007"]),
        ("true,false", [True, False]),
        ('New York, "a, b"', ["New York", "a, b"]),
        (" , ,x,", ["x"]),
        ("2.50", [2.5]),
        ('"open', ['"open']),
        ("", []),
    ],
)
def test_read_values__as_people_type_them(text, values):
    assert read_values(text) == values


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({}, "Everyone"),
        (None, "Everyone"),
        (
            {"country": {"$in": ["DE", "AT"]}, "plan": "pro"},
            "Only if country is one of DE, AT, and plan is pro",
        ),
        (
            {"$or": [{"beta": True}, {"app": {"$vgte": "2.3"}}]},
            "Only if beta is yes; or if app is version 2.3 or newer",
        ),
        ({"$not": {"$segment": "staff"}}, "Only if not in the segment Our staff"),
        ({"age": {"$exists": False}}, "Only if age is not known"),
        ({"tags": {"$size": 2}}, 'Only where this holds: {"tags": {"$size": 2}}'),
    ],
)
def test_in_words__is_a_sentence_about_people(condition, words: str):
    assert in_words(condition, {"staff": "Our staff"}) == words


@pytest.mark.parametrize(
    "condition",
    [
        {"$or": []},
        {"$nor": [{"a": 1}]},
        {"$and": ["x"]},
        {"a": None},
        {"a": {"$gt": 1, "$lt": 5}},
        {"a": {"$in": "x"}},
        {"a": {"$regexi": "a.c"}},
        {"a": {"$eq": 1}},
        {"$or": [{"a": 1}], "b": 2},
    ],
)
def test_groups__a_condition_that_says_more__is_left_as_it_is(condition):
    assert groups_of(condition) is None
