"""JSON values as the SDKs see them: kinds, strict equality, order, paths and the text that is hashed."""

import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeGuard

LARGEST_INDEX_DIGITS = 9
LONGEST_PLAIN_NUMBER = 21
SMALLEST_PLAIN_EXPONENT = -6

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)


class Kind(StrEnum):
    """The types of JSON. A missing value is null."""

    NULL = "null"
    BOOLEAN = "boolean"
    NUMBER = "number"
    STRING = "string"
    ARRAY = "array"
    OBJECT = "object"
    UNKNOWN = "unknown"


def kind_of(value: Any) -> Kind:
    """Return the JSON type of a value; True is a boolean and no number."""
    if value is None:
        return Kind.NULL
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if isinstance(value, (int, float)):
        return Kind.NUMBER
    if isinstance(value, str):
        return Kind.STRING
    if isinstance(value, (list, tuple)):
        return Kind.ARRAY
    return Kind.OBJECT if is_object(value) else Kind.UNKNOWN


def is_object(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Say whether the value is an object."""
    # Asking for the abstract class takes ten times as long as a look at the type.
    return type(value) is dict or isinstance(value, Mapping)


def is_number(value: Any) -> bool:
    """Say whether the value is a number; booleans are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def finite(value: Any, default: float) -> float:
    """Return the value where it is a finite number, and the default otherwise."""
    if not is_number(value):
        return default
    try:
        return float(value) if math.isfinite(value) else default
    except OverflowError:
        return default


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the value where it is an object, and an empty object otherwise."""
    return value if is_object(value) else {}


def array(value: Any) -> list[Any] | tuple[Any, ...]:
    """Return the value where it is an array, and an empty array otherwise."""
    return value if isinstance(value, (list, tuple)) else []


def text(value: Any, default: str = "") -> str:
    """Return the value where it is a string that is not empty, and the default otherwise."""
    return value if isinstance(value, str) and value else default


def truthy(value: Any) -> bool:
    """Say whether a feature with this value is on: all but null, false, the empty string, 0 and not-a-number."""
    if isinstance(value, float):
        return value != 0 and value == value
    return bool(value) or isinstance(value, (list, tuple, Mapping))


def same_scalar(one: Any, other: Any) -> bool:
    """Say whether two values are the same null, boolean, number or string; an array or object is never the same."""
    kind = kind_of(one)
    if kind is not kind_of(other) or kind in (Kind.ARRAY, Kind.OBJECT, Kind.UNKNOWN):
        return False
    return bool(one == other)


def same(one: Any, other: Any) -> bool:
    """Say whether two JSON values are equal in type and content, at every depth; the order of keys does not count."""
    kind = kind_of(one)
    if kind is not kind_of(other):
        return False
    if kind is Kind.ARRAY:
        return len(one) == len(other) and all(map(same, one, other))
    if kind is Kind.OBJECT:
        return len(one) == len(other) and all(key in other and same(one[key], other[key]) for key in one)
    return kind is not Kind.UNKNOWN and bool(one == other)


def code_units(value: str) -> bytes:
    """Return bytes that sort as the string's UTF-16 code units do, the order of the open SDKs."""
    return value.encode("utf-16-be", "surrogatepass")


def order(actual: Any, operand: Any) -> int | None:
    """Compare an attribute with a condition's operand.

    Parameters
    ----------
    actual
        The attribute's value; a missing one counts as 0 beside a number.
    operand
        What the condition names.

    Returns
    -------
    int or None
        −1, 0 or 1; None when the two have no order: booleans, arrays, objects, a number beside text that is no
        decimal number, not-a-number. Two strings compare by UTF-16 code units.
    """
    if isinstance(actual, str) and isinstance(operand, str):
        if actual.isascii() and operand.isascii():
            return (actual > operand) - (actual < operand)
        one, other = code_units(actual), code_units(operand)
        return (one > other) - (one < other)
    if not (is_number(actual) or is_number(operand)):
        return None
    left, right = 0 if actual is None else _number(actual), _number(operand)
    if left is None or right is None or left != left or right != right:
        return None
    return (left > right) - (left < right)


def _number(value: Any) -> int | float | None:
    if isinstance(value, str):
        return float(value) if _DECIMAL.fullmatch(value.strip()) else None
    return value if is_number(value) else None


def at_path(attributes: Any, path: str) -> Any:
    """Return what lies at a dotted path (``a.b``, ``list.0``, ``list.length``), or None where nothing does."""
    current = attributes
    for step in path.split("."):
        if is_object(current) and step in current:
            current = current[step]
        elif isinstance(current, (list, tuple)):
            current = _at_index(current, step)
        else:
            return None
    return current


def _at_index(items: list[Any] | tuple[Any, ...], step: str) -> Any:
    if step == "length":
        return len(items)
    # "01" and "-1" are no indices, and a very long run of digits must not be read as a number.
    if not (step.isascii() and step.isdigit()) or len(step) > LARGEST_INDEX_DIGITS or str(int(step)) != step:
        return None
    return items[int(step)] if int(step) < len(items) else None


def unit_text(value: Any) -> str:
    """Return the text by which a unit is hashed, or "" where the value names no unit.

    Only a string that is not empty and a finite number other than 0 name a unit.
    """
    if isinstance(value, str):
        return value
    return number_text(value) if finite(value, 0.0) != 0 else ""


def number_text(value: float) -> str:
    """Return a number as JavaScript writes it: ``1`` for 1.0, ``1e+21``, ``1.5e-7``."""
    try:
        number = float(value)
    except OverflowError:
        number = math.inf if value > 0 else -math.inf
    if number != number:
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "0"
    return ("-" if number < 0 else "") + _positive_text(abs(number))


def _positive_text(number: float) -> str:
    # The shortest digits that read back as the same number, and where the decimal point stands among them.
    mantissa, _, exponent = f"{number!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = (whole + fraction).lstrip("0")
    digits = padded.rstrip("0")
    point = int(exponent or 0) - len(fraction) + len(padded)
    if len(digits) <= point <= LONGEST_PLAIN_NUMBER:
        return digits.ljust(point, "0")
    if 0 < point <= LONGEST_PLAIN_NUMBER:
        return f"{digits[:point]}.{digits[point:]}"
    if SMALLEST_PLAIN_EXPONENT < point <= 0:
        return "0." + "0" * -point + digits
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{tail}e{point - 1:+d}"
