"""Targeting conditions: whom a rule is for.

An answer is True, False or *not known* (None), where an operator or group type is not this engine's. Not known stays
so under ``$not``; a condition passes only when it is True. So a rule written for a newer SDK reaches nobody here
rather than the wrong people.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from assignment.engine.sdk.effort import Effort, TooMuchWorkError
from assignment.engine.sdk.operators import OPERATORS, Truth, contains, opposite
from assignment.engine.sdk.saved_groups import ConditionGroup, ListGroup, NobodysGroup, UnknownGroup, group_at
from assignment.engine.sdk.values import at_path, is_object, same

OF_A_CONDITION = ("$or", "$nor", "$and", "$savedGroup")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a condition may refer to, the groups it is already inside of, and the work it may still do."""

    saved_groups: Mapping[str, Any] = field(default_factory=dict)
    inside: frozenset[str] = frozenset()
    effort: Effort = field(default_factory=Effort)


def passes(
    attributes: Any, condition: Any, saved_groups: Mapping[str, Any] | None = None, effort: Effort | None = None
) -> bool:
    """Say whether the attributes pass the condition.

    Parameters
    ----------
    attributes
        The unit's attributes, JSON values by name.
    condition
        A condition of the SDK protocol; anything else passes for nobody.
    saved_groups
        Groups by id, for ``$inGroup``, ``$notInGroup`` and ``$savedGroup``.
    effort
        The work that is left; by default what one evaluation may do.

    Returns
    -------
    bool
        False also when the condition is malformed, unknown or takes too much work; nothing is raised.
    """
    groups = saved_groups if is_object(saved_groups) else {}
    try:
        return condition_truth(attributes, condition, Scope(groups, effort=effort or Effort())) is True
    except (TooMuchWorkError, RecursionError):
        return False


def condition_truth(attributes: Any, condition: Any, scope: Scope) -> Truth:
    """Return whether every entry of the condition passes, or None where that is not known."""
    if not is_object(condition):
        return None
    with scope.effort:
        return _all(_entry(attributes, key, value, scope) for key, value in condition.items())


def _all(truths: Iterable[Truth]) -> Truth:
    known = True
    for truth in truths:
        if truth is False:
            return False
        known = known and truth is not None
    return True if known else None


def _any(truths: Iterable[Truth]) -> Truth:
    return opposite(_all(opposite(truth) for truth in truths))


def _entry(attributes: Any, key: Any, value: Any, scope: Scope) -> Truth:
    scope.effort.step()
    match key:
        case "$or":
            return _or(attributes, value, scope)
        case "$nor":
            return opposite(_or(attributes, value, scope))
        case "$and":
            return _each(attributes, value, scope, _all)
        case "$not":
            return opposite(condition_truth(attributes, value, scope))
        case "$savedGroup":
            return _saved_group(attributes, value, scope)
    return value_truth(value, at_path(attributes, key), scope) if isinstance(key, str) else None


def _or(attributes: Any, conditions: Any, scope: Scope) -> Truth:
    # By contract an empty list of alternatives passes.
    return True if conditions == [] else _each(attributes, conditions, scope, _any)


def _each(attributes: Any, conditions: Any, scope: Scope, joined: Callable[[Iterable[Truth]], Truth]) -> Truth:
    if not isinstance(conditions, (list, tuple)):
        return None
    return joined(condition_truth(attributes, condition, scope) for condition in conditions)


def _saved_group(attributes: Any, reference: Any, scope: Scope) -> Truth:
    if not is_object(reference):
        return False
    group_id, attribute = reference.get("id"), reference.get("attributeKey")
    if not isinstance(group_id, str) or ("attributeKey" in reference and not isinstance(attribute, str)):
        return False
    match group_at(scope.saved_groups, group_id):
        case ListGroup(values, own, typed=True):
            path = attribute if isinstance(attribute, str) else own
            return path is not None and contains(values, at_path(attributes, path))
        case ConditionGroup(condition):
            if group_id in scope.inside:
                return False
            inner = replace(scope, inside=scope.inside | {group_id})
            return condition_truth(attributes, condition, inner)
        case UnknownGroup():
            return None
    return False


def value_truth(wanted: Any, actual: Any, scope: Scope, *, insensitive: bool = False) -> Truth:
    """Return whether one value is as wanted: equal, or passing every operator where only operators are given."""
    if is_object(wanted) and all(isinstance(key, str) and key.startswith("$") for key in wanted):
        with scope.effort:
            return _all(_operator(name, actual, operand, scope) for name, operand in wanted.items())
    if insensitive and isinstance(wanted, str) and isinstance(actual, str):
        return wanted.lower() == actual.lower()
    return same(wanted, actual)


def _operator(name: str, actual: Any, operand: Any, scope: Scope) -> Truth:
    scope.effort.step()
    alone = OPERATORS.get(name)
    if alone is not None:
        return alone(actual, operand, scope.effort)
    match name:
        case "$not":
            return opposite(value_truth(operand, actual, scope))
        case "$inGroup" | "$notInGroup":
            return _in_group(actual, operand, scope, wanted=name == "$inGroup")
        case "$elemMatch":
            return _element_matches(actual, operand, scope)
        case "$size":
            return isinstance(actual, (list, tuple)) and value_truth(operand, len(actual), scope)
        case "$all" | "$alli":
            return _has_all(actual, operand, scope, insensitive=name == "$alli")
    return False if name in OF_A_CONDITION else None


def _in_group(actual: Any, group_id: Any, scope: Scope, *, wanted: bool) -> Truth:
    match group_at(scope.saved_groups, group_id):
        case ListGroup(values, _):
            return contains(values, actual) is wanted
        case NobodysGroup(missing):
            return missing and not wanted
        case UnknownGroup():
            return None
    return False


def _element_matches(actual: Any, operand: Any, scope: Scope) -> Truth:
    if not isinstance(actual, (list, tuple)):
        return False
    if not is_object(operand):
        return None
    of_value = all(isinstance(key, str) and key.startswith("$") for key in operand)
    matched = value_truth if of_value and not any(key in OF_A_CONDITION for key in operand) else _of_element
    return _any(matched(operand, element, scope) for element in actual if element is not None)


def _of_element(condition: Any, element: Any, scope: Scope) -> Truth:
    return condition_truth(element, condition, scope)


def _has_all(actual: Any, wanted: Any, scope: Scope, *, insensitive: bool) -> Truth:
    if not isinstance(actual, (list, tuple)) or not isinstance(wanted, (list, tuple)):
        return False
    return _all(_has(actual, one, scope, insensitive=insensitive) for one in wanted)


def _has(actual: Iterable[Any], wanted: Any, scope: Scope, *, insensitive: bool) -> Truth:
    def matched(element: Any) -> Truth:
        scope.effort.step()
        return value_truth(wanted, element, scope, insensitive=insensitive)

    return _any(matched(element) for element in actual)
