"""Values of flags and variants: JSON of one declared type."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from experiments.domain.kinds import ValueType

LARGEST_WHOLE = 2**53 - 1
"""Beyond this JavaScript reads another number than was sent."""
LONGEST_JSON = 100_000


class ValueTypeError(ValueError):
    """A value is not of the type that its flag declares; the message says which value and type."""


def checked(value: Any, value_type: ValueType) -> Any:
    """Return the value as it is to be stored: a number's 1 becomes 1.0, all else stays as it is.

    Raises
    ------
    ValueTypeError
        When the value is of another type, or one that clients cannot read.
    """
    if not _IS[value_type](value):
        raise ValueTypeError(f"{_shown(value)} is no {value_type.value}. {_ALLOWED[value_type]}")
    if problem := _unreadable(value):
        raise ValueTypeError(problem)
    return float(value) if value_type is ValueType.NUMBER else value


def same(left: Any, right: Any) -> bool:
    """Say whether two values are the same JSON: the order of an object's names does not matter, 1 and 1.0 differ."""
    return _canonical(left) == _canonical(right)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=_plain)


def _plain(value: Any) -> str:
    # The same moment may come in two time zones; a row of the database is its key.
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else f"{type(value).__name__} {value.pk}"


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


_IS: dict[ValueType, Callable[[Any], bool]] = {
    ValueType.BOOLEAN: lambda value: type(value) is bool,
    ValueType.STRING: lambda value: type(value) is str,
    ValueType.INTEGER: lambda value: type(value) is int,
    ValueType.NUMBER: _is_number,
    ValueType.OBJECT: lambda value: isinstance(value, (dict, list)),
}
_ALLOWED: dict[ValueType, str] = {
    ValueType.BOOLEAN: "Give true or false.",
    ValueType.STRING: "Give text.",
    ValueType.INTEGER: "Give a whole number, for example 3.",
    ValueType.NUMBER: "Give a number, for example 0.5.",
    ValueType.OBJECT: 'Give a JSON object or array, for example {"model": "v2"}.',
}


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 40 else text[:39] + "…"


def _unreadable(value: Any) -> str | None:
    """Return why a client could not read the value as it was meant, or None; a stack and not recursion, for depth."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, float) and not math.isfinite(part):
            return f"{part} is no number that JSON can hold."
        elif type(part) is int and abs(part) > LARGEST_WHOLE:
            return f"{part} is too large: JavaScript reads whole numbers exactly up to {LARGEST_WHOLE}."
        elif isinstance(part, str) and "\x00" in part:
            return "Text cannot hold the character NUL."
    if len(json.dumps(value)) > LONGEST_JSON:
        return f"The value is longer than {LONGEST_JSON:,} characters."
    return None
