"""Targeting: the SDK protocol's conditions, with segments by name, checked before they are stored.

A condition names a segment as ``{"$segment": key}``; publishing turns that into what every client knows. Clients let a
condition that they do not understand pass for nobody, and its negation in some of them for everybody; so a mistake is
refused where it is made.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from experiments.domain.prerequisites import cycle_through
from experiments.domain.values import same

Condition = dict[str, Any]

SEGMENT, NOT = "$segment", "$not"
NAMING = (SEGMENT, "$inGroup", "$notInGroup")
NEGATING = ("$not", "$nor", "$notInGroup")
COMBINING = ("$or", "$nor", "$and")
DEEPEST = 10
MOST_PARTS = 2_000
LONGEST_PATTERN = 500


class TargetingError(ValueError):
    """A condition that cannot be stored; the message says which part and what is allowed."""


def check(condition: Any, segments: Collection[str] = ()) -> Condition:
    """Return the condition when every client can evaluate it and every segment in it exists.

    Parameters
    ----------
    condition
        JSON; an empty object is for everyone.
    segments
        The keys of the segments that may be named.

    Raises
    ------
    TargetingError
        With the first problem found.
    """
    if not isinstance(condition, dict):
        raise TargetingError(f"Targeting is a JSON object; this is {_kind(condition)}.")
    if _parts(condition) > MOST_PARTS:
        raise TargetingError(f"Targeting may have at most {MOST_PARTS} parts. Put long lists into a segment.")
    _check_condition(condition, 0)
    if missing := sorted(segments_in(condition) - set(segments)):
        known = ", ".join(sorted(segments)) or "none"
        raise TargetingError(f"There is no segment {missing[0]!r} in this project. There are: {known:.200}.")
    return condition


def segments_in(condition: Any) -> set[str]:
    """Return the keys of the segments that a condition names, however deep."""
    return {part[name] for part in _objects(condition) for name in NAMING if isinstance(part.get(name), str)}


def negates(condition: Any) -> bool:
    """Say whether something in the condition holds for those who do not pass a part of it."""
    return any(name in NEGATING for part in _objects(condition) for name in part)


def only_widens(before: Condition, after: Condition) -> bool:
    """Say whether whoever passes ``before`` surely passes ``after``: everyone may come, or alternatives were added."""
    return not after or all(any(same(one, other) for other in _alternatives(after)) for one in _alternatives(before))


def _alternatives(condition: Condition) -> list[Any]:
    found: list[Any] = condition["$or"] if set(condition) == {"$or"} else [condition]
    return found


def cannot_both_hold(left: Condition, right: Condition) -> bool:
    """Say whether surely no unit passes both: each pair of alternatives allows an attribute different values only.

    False where it is not sure: ranges, patterns and segments are not looked into.
    """
    return all(_clash(one, other) for one in _alternatives(left) for other in _alternatives(right))


def _clash(left: Any, right: Any) -> bool:
    if not isinstance(left, dict) or not isinstance(right, dict):
        return False
    for attribute in left.keys() & right.keys():
        allowed = [_values(left[attribute]), _values(right[attribute])]
        if allowed[0] is not None and allowed[1] is not None and not allowed[0] & allowed[1]:
            return True
    return False


def _values(wanted: Any) -> set[str] | None:
    """Return the texts that an attribute may have, or None where these are not a plain list of texts."""
    if isinstance(wanted, dict):
        wanted = wanted.get("$in", wanted.get("$eq")) if len(wanted) == 1 else None
    found = wanted if isinstance(wanted, list) else [wanted]
    return set(found) if found and all(isinstance(one, str) for one in found) else None


def segment_cycle(key: str, conditions: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return how the segment ``key`` leads back to itself through the conditions of segments, or None."""
    return cycle_through(key, {name: segments_in(condition) for name, condition in conditions.items()})


def _objects(condition: Any) -> Iterator[dict[str, Any]]:
    waiting = [condition]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _parts(condition: Any) -> int:
    found = 0
    waiting = [condition]
    while waiting and found <= MOST_PARTS:
        part = waiting.pop()
        found += 1
        waiting += part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
    return found


def _check_condition(condition: Any, depth: int) -> None:
    if not isinstance(condition, dict):
        raise TargetingError(f"A condition is a JSON object; this is {_kind(condition)}.")
    if depth > DEEPEST:
        raise TargetingError(f"Targeting is nested more than {DEEPEST} deep. Put a part of it into a segment.")
    for name, wanted in condition.items():
        if name in COMBINING:
            _check_alternatives(name, wanted, depth)
        elif name == NOT:
            _check_condition(wanted, depth + 1)
        elif name == SEGMENT:
            _text(SEGMENT, wanted, "the key of a segment")
        elif name.startswith("$"):
            raise TargetingError(f"{name} is no operator on conditions; use {', '.join((*COMBINING, NOT, SEGMENT))}.")
        elif not name:
            raise TargetingError("Name the attribute to compare, for example country.")
        else:
            _check_wanted(name, wanted, depth)


def _check_alternatives(name: str, wanted: Any, depth: int) -> None:
    # An empty list would pass everyone under $or and nobody under $nor: never what was meant.
    if not isinstance(wanted, list) or not wanted:
        raise TargetingError(f"{name} needs a list of one or more conditions; this is {_kind(wanted)}.")
    for one in wanted:
        _check_condition(one, depth + 1)


def _check_wanted(attribute: str, wanted: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise TargetingError(f"Targeting is nested more than {DEEPEST} deep.")
    if not isinstance(wanted, dict) or not any(name.startswith("$") for name in wanted):
        return  # equality with any JSON value
    for operator, operand in wanted.items():
        if operator == NOT:
            _check_wanted(attribute, operand, depth + 1)
        elif operator == "$elemMatch":
            _check_element(attribute, operand, depth + 1)
        elif operator in _OPERANDS:
            _OPERANDS[operator](operator, operand)
        else:
            raise TargetingError(
                f"{operator!r} is no operator on {attribute}; use {', '.join([*_OPERANDS, NOT, '$elemMatch'])}."
            )


def _check_element(attribute: str, operand: Any, depth: int) -> None:
    if isinstance(operand, dict) and any(name.startswith("$") and name not in COMBINING for name in operand):
        _check_wanted(attribute, operand, depth)
    else:
        _check_condition(operand, depth)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "nothing"}
    empty = "an empty list" if value == [] else None
    return empty or names.get(type(value), "a number")


def _refuse(operator: str, operand: Any, allowed: str) -> None:
    raise TargetingError(f"{operator} needs {allowed}; this is {_kind(operand)}.")


def _anything(operator: str, operand: Any) -> None:
    if isinstance(operand, (dict, list)):
        _refuse(operator, operand, "one value")


def _ordered(operator: str, operand: Any) -> None:
    if isinstance(operand, bool) or not isinstance(operand, (int, float, str)):
        _refuse(operator, operand, "a number or text")


def _version(operator: str, operand: Any) -> None:
    if isinstance(operand, bool) or not isinstance(operand, (str, int, float)) or not re.search(r"\d", str(operand)):
        _refuse(operator, operand, "a version such as 3.2.0")


def _text(operator: str, operand: Any, allowed: str = "text") -> None:
    if not isinstance(operand, str) or not operand:
        _refuse(operator, operand, allowed)


def _list(operator: str, operand: Any) -> None:
    if not isinstance(operand, list) or not operand:
        _refuse(operator, operand, "a list of one or more values")


def _truth(operator: str, operand: Any) -> None:
    if not isinstance(operand, bool):
        _refuse(operator, operand, "true or false")


def _pattern(operator: str, operand: Any) -> None:
    _text(operator, operand, "a regular expression")
    if len(operand) > LONGEST_PATTERN:
        raise TargetingError(f"The pattern has {len(operand)} characters; {LONGEST_PATTERN} are allowed.")
    try:
        re.compile(operand)
    except (re.error, OverflowError, RecursionError) as error:
        raise TargetingError(f"{operand!r} is no regular expression: {error}.") from error


def _size(operator: str, operand: Any) -> None:
    if not isinstance(operand, dict):
        _ordered(operator, operand)


_OPERANDS: dict[str, Callable[[str, Any], None]] = {
    **dict.fromkeys(("$eq", "$ne"), _anything),
    **dict.fromkeys(("$lt", "$lte", "$gt", "$gte"), _ordered),
    **dict.fromkeys(("$veq", "$vne", "$vlt", "$vlte", "$vgt", "$vgte"), _version),
    **dict.fromkeys(("$in", "$nin", "$ini", "$nini", "$all", "$alli"), _list),
    **dict.fromkeys(("$regex", "$regexi", "$notRegex", "$notRegexi"), _pattern),
    **dict.fromkeys(("$inGroup", "$notInGroup"), _text),
    "$exists": _truth,
    "$type": _text,
    "$size": _size,
}
