"""Conditions on an event's properties: which of the events of one name a metric counts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_FILTERS = 10
MOST_VALUES = 50
LONGEST_TEXT = 200
LONGEST_PROPERTY = 128

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...] | None


class Operator(StrEnum):
    """How a property is compared. A number is also met by a text that reads as it; "is not" by a property that is not
    there; of a list, by any of its entries; "contains" ignores case."""

    IS = "="
    IS_NOT = "!="
    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="
    IN = "in"
    EXISTS = "exists"
    CONTAINS = "contains"


OF_NUMBERS = (Operator.ABOVE, Operator.AT_LEAST, Operator.BELOW, Operator.AT_MOST)
WORDS = {
    Operator.IS: "is",
    Operator.IS_NOT: "is not",
    Operator.ABOVE: "is above",
    Operator.AT_LEAST: "is at least",
    Operator.BELOW: "is below",
    Operator.AT_MOST: "is at most",
    Operator.IN: "is one of",
    Operator.EXISTS: "is there",
    Operator.CONTAINS: "contains",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One condition: ``value`` is a tuple for "in", and None for "exists"."""

    property: str
    operator: Operator
    value: Value = None


def read(stored: Iterable[Mapping[str, object]]) -> tuple[Filter, ...]:
    """Return filters from what ``stored`` wrote.

    Raises:
        ValueError: an operator that is not known.
    """
    return tuple(
        Filter(property=str(one["property"]), operator=Operator(str(one["operator"])), value=_value(one.get("value")))
        for one in stored
    )


def _value(given: object) -> Value:
    if isinstance(given, Sequence) and not isinstance(given, str):
        return tuple(each for each in given if isinstance(each, (str, int, float)))
    return given if given is None or isinstance(given, (str, int, float)) else str(given)


def stored(filters: Iterable[Filter]) -> list[dict[str, object]]:
    """Return filters as the database and the API keep them."""
    return [{"property": one.property, "operator": one.operator.value, **_kept(one)} for one in filters]


def _kept(one: Filter) -> dict[str, object]:
    if one.operator is Operator.EXISTS:
        return {}
    return {"value": list(one.value) if isinstance(one.value, tuple) else one.value}


def problem(one: Filter) -> str | None:
    """Say what is wrong with a filter; None where nothing is."""
    if not one.property.strip() or len(one.property) > LONGEST_PROPERTY:
        return f"Name the property that the filter asks for, in at most {LONGEST_PROPERTY} characters."
    if "\x00" in one.property:
        return "The name of a property cannot hold the NUL character."
    if one.operator is Operator.EXISTS:
        return None if one.value is None else f"{one.property} is asked to be there, so no value goes with it."
    if one.operator is Operator.IN:
        if not isinstance(one.value, tuple) or not 1 <= len(one.value) <= MOST_VALUES:
            return f"Give a list of 1 to {MOST_VALUES} values for {one.property}."
        return next((said for each in one.value if (said := _scalar_problem(one.property, each))), None)
    if one.value is None or isinstance(one.value, tuple):
        return f"Give one value to compare {one.property} with."
    if one.operator in OF_NUMBERS and (isinstance(one.value, (str, bool))):
        return f"{one.property} {WORDS[one.operator]} {one.value!r}: that needs a number."
    if one.operator is Operator.CONTAINS and not (isinstance(one.value, str) and one.value):
        return f"Give the text that {one.property} must contain."
    return _scalar_problem(one.property, one.value)


def _scalar_problem(name: str, value: Scalar) -> str | None:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            return f"A value of {name} has {len(value)} characters; at most {LONGEST_TEXT} are allowed."
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            return f"A value of {name} holds a character that no event can carry."
    elif not math.isfinite(value) or abs(value) >= 1e18:
        return f"{value!r} is no number that {name} can be compared with."
    return None


def in_words(filters: Sequence[Filter]) -> str:
    """Return the filters as the end of a sentence about events; nothing where there are none."""
    return "" if not filters else " where " + " and ".join(_one_in_words(one) for one in filters)


def _one_in_words(one: Filter) -> str:
    start = f"{one.property} {WORDS[one.operator]}"
    if one.operator is Operator.EXISTS:
        return start
    values = one.value if isinstance(one.value, tuple) else (one.value,)
    return f"{start} {', '.join(_shown(value) for value in values)}"


def _shown(value: Scalar | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"“{value}”"
    return "nothing" if value is None else f"{value:,.15g}".replace("-", "−")
