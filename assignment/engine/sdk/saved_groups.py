"""Groups that are saved once and named by many conditions: lists of values, and conditions of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from assignment.engine.sdk.values import Kind, kind_of


class GroupType(StrEnum):
    """What a saved group holds."""

    LIST = "list"
    CONDITION = "condition"


@dataclass(frozen=True, slots=True)
class ListGroup:
    """A list of values and, where the group names one, the attribute that they belong to.

    A bare array is the form before groups had types: it can be named by ``$inGroup`` alone.
    """

    values: list[Any] | tuple[Any, ...]
    attribute: str | None
    typed: bool = True


@dataclass(frozen=True, slots=True)
class ConditionGroup:
    """Everyone who passes a condition."""

    condition: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NobodysGroup:
    """A group that is missing or malformed: it matches nobody."""

    missing: bool


@dataclass(frozen=True, slots=True)
class UnknownGroup:
    """A group of a type that this engine does not know: nobody can say whom it matches."""


Group = ListGroup | ConditionGroup | NobodysGroup | UnknownGroup


def group_at(saved_groups: Mapping[str, Any], group_id: Any) -> Group:
    """Return the group with this id, whatever lies there."""
    if not isinstance(group_id, str) or group_id not in saved_groups:
        return NobodysGroup(missing=isinstance(group_id, str))
    entry = saved_groups[group_id]
    if kind_of(entry) is Kind.ARRAY:
        return ListGroup(entry, None, typed=False)
    if not isinstance(entry, Mapping):
        return NobodysGroup(missing=False)
    return _typed(entry)


def _typed(entry: Mapping[str, Any]) -> Group:
    match entry.get("type"):
        case GroupType.LIST:
            values, attribute = entry.get("values"), entry.get("attributeKey")
            if not isinstance(values, (list, tuple)):
                return NobodysGroup(missing=False)
            return ListGroup(values, attribute if isinstance(attribute, str) else None)
        case GroupType.CONDITION:
            condition = entry.get("condition")
            return ConditionGroup(condition) if isinstance(condition, Mapping) else NobodysGroup(missing=False)
    return UnknownGroup()
