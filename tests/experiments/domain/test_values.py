import math

import pytest

from experiments.domain.kinds import ValueType
from experiments.domain.values import ValueTypeError, checked


@pytest.mark.parametrize(
    ("value", "value_type"),
    [
        (True, ValueType.BOOLEAN),
        ("", ValueType.STRING),
        (3, ValueType.INTEGER),
        (0.5, ValueType.NUMBER),
        ({"a": [1, 1.0]}, ValueType.OBJECT),
        ([], ValueType.OBJECT),
    ],
)
def test_value__of_its_type__stays_as_it_is(value, value_type):
    assert checked(value, value_type) == value


def test_number__written_without_a_fraction__becomes_a_float():
    assert type(checked(1, ValueType.NUMBER)) is float
    assert type(checked(1.0, ValueType.NUMBER)) is float


@pytest.mark.parametrize(
    ("value", "value_type"),
    [
        (1, ValueType.BOOLEAN),
        (True, ValueType.INTEGER),
        (True, ValueType.NUMBER),
        (3.0, ValueType.INTEGER),
        ("3", ValueType.NUMBER),
        (None, ValueType.STRING),
        ("{}", ValueType.OBJECT),
    ],
)
def test_value__of_another_type__is_refused(value, value_type):
    with pytest.raises(ValueTypeError, match=f"is no {value_type}. Give "):
        checked(value, value_type)


@pytest.mark.parametrize(
    ("value", "value_type", "message"),
    [
        (math.inf, ValueType.NUMBER, "inf is no number that JSON can hold"),
        ({"a": [math.nan]}, ValueType.OBJECT, "nan is no number"),
        (2**53, ValueType.INTEGER, "too large"),
        ("a\x00b", ValueType.STRING, "NUL"),
        ("a" * 100_001, ValueType.STRING, "longer than 100,000"),
    ],
)
def test_value__that_clients_cannot_read__is_refused(value, value_type, message):
    with pytest.raises(ValueTypeError, match=message):
        checked(value, value_type)
