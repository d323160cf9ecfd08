"""Targeting conditions prepared once: a tree of closures that answers as ``sdk.conditions`` does.

The interpreter counts each step that it takes. Here the most steps that it could take are known beforehand, but for
the elements of attributes that are arrays; those are charged when they are seen. Where the sum stays within the
interpreter's budget, its answer and this one are the same; where it might not, the interpreter is asked instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assignment.engine.sdk.conditions import OF_A_CONDITION
from assignment.engine.sdk.effort import DEPTH, Effort
from assignment.engine.sdk.operators import OPERATORS, Truth, opposite, scalar_key
from assignment.engine.sdk.saved_groups import ConditionGroup, ListGroup, NobodysGroup, UnknownGroup, group_at
from assignment.engine.sdk.values import at_path, is_number, is_object, mapping, same, same_scalar

LARGEST = 20_000
"""The most entries and operators of one condition, saved groups written out, that are prepared."""

Test = Callable[[Any, Effort], Truth]
NOBODY: frozenset[str] = frozenset()
TIMED = frozenset(("$regex", "$regexi", "$notRegex", "$notRegexi"))


class TooLargeError(Exception):
    """A configuration is too large or too deep to be prepared; the interpreter bounds what it costs."""


class OverBudgetError(Exception):
    """An evaluation may take more steps than the interpreter allows, which alone can say where it stops."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A test, the most steps the interpreter takes for it (array elements aside), and whether it draws on effort."""

    test: Test
    steps: int = 0
    draws: bool = False


def constant(truth: Truth) -> Prepared:
    """Return the test that always answers the same."""
    return Prepared(lambda _, __: truth)


def charge(effort: Effort, steps: int) -> None:
    """Take steps off the budget; raise ``OverBudgetError`` where that may be more than the interpreter allows."""
    effort.steps -= steps
    if effort.steps < 0:
        raise OverBudgetError(f"{-effort.steps} steps more than an evaluation may take")


class Preparer:
    """Prepares conditions that refer to one set of saved groups."""

    def __init__(self, saved_groups: Mapping[str, Any]) -> None:
        self._groups = mapping(saved_groups)
        self._members: dict[tuple[str, bool], Test] = {}
        self._left = LARGEST

    def prepare(self, condition: Any) -> Prepared:
        """Return the condition as a test of attributes; raise ``TooLargeError`` where it is too large."""
        self._left = LARGEST
        return self._condition(condition, 0, NOBODY)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TooLargeError(f"the condition has more than {LARGEST} entries")

    def _condition(self, condition: Any, depth: int, inside: frozenset[str]) -> Prepared:
        if not is_object(condition):
            return constant(None)
        return _all_of([self._entry(key, value, _deeper(depth), inside) for key, value in condition.items()])

    def _entry(self, key: Any, value: Any, depth: int, inside: frozenset[str]) -> Prepared:
        self._count()
        return _costing(1, self._entry_of(key, value, depth, inside))

    def _entry_of(self, key: Any, value: Any, depth: int, inside: frozenset[str]) -> Prepared:
        match key:
            case "$or" | "$nor":
                # By contract an empty list of alternatives passes.
                found = constant(True) if value == [] else self._each(value, depth, inside, _any_of)
                return found if key == "$or" else _negated(found)
            case "$and":
                return self._each(value, depth, inside, _all_of)
            case "$not":
                return _negated(self._condition(value, depth, inside))
            case "$savedGroup":
                return self._saved_group(value, depth, inside)
        return _at(key, self._value(value, depth, inside)) if isinstance(key, str) else constant(None)

    def _each(
        self, conditions: Any, depth: int, inside: frozenset[str], joined: Callable[[Sequence[Prepared]], Prepared]
    ) -> Prepared:
        if not isinstance(conditions, (list, tuple)):
            return constant(None)
        for _ in conditions:
            self._count()
        return joined([self._condition(condition, depth, inside) for condition in conditions])

    def _saved_group(self, reference: Any, depth: int, inside: frozenset[str]) -> Prepared:
        if not is_object(reference):
            return constant(False)
        group_id, attribute = reference.get("id"), reference.get("attributeKey")
        if not isinstance(group_id, str) or ("attributeKey" in reference and not isinstance(attribute, str)):
            return constant(False)
        match group_at(self._groups, group_id):
            case ListGroup(values, own, typed=True):
                path = attribute if isinstance(attribute, str) else own
                if path is None:
                    return constant(False)
                return _at(path, Prepared(self._member_test(group_id, values, wanted=True)))
            case ConditionGroup(condition):
                if group_id in inside:
                    return constant(False)
                return self._condition(condition, depth, inside | {group_id})
            case UnknownGroup():
                return constant(None)
        return constant(False)

    def _value(self, wanted: Any, depth: int, inside: frozenset[str], *, insensitive: bool = False) -> Prepared:
        if is_object(wanted) and all(isinstance(key, str) and key.startswith("$") for key in wanted):
            deeper = _deeper(depth)
            return _all_of([self._operator(name, operand, deeper, inside) for name, operand in wanted.items()])
        self._count()
        return Prepared(_equal_folded(wanted) if insensitive and isinstance(wanted, str) else _equal(wanted))

    def _operator(self, name: str, operand: Any, depth: int, inside: frozenset[str]) -> Prepared:
        self._count()
        return _costing(1, self._operator_of(name, operand, depth, inside))

    def _operator_of(self, name: str, operand: Any, depth: int, inside: frozenset[str]) -> Prepared:
        if name in OPERATORS:
            return Prepared(_alone(name, operand), draws=name in TIMED)
        match name:
            case "$not":
                return _negated(self._value(operand, depth, inside))
            case "$inGroup" | "$notInGroup":
                return self._in_group(operand, wanted=name == "$inGroup")
            case "$elemMatch":
                return self._element_matches(operand, depth, inside)
            case "$size":
                return _size(self._value(operand, depth, inside))
            case "$all" | "$alli":
                if not isinstance(operand, (list, tuple)):
                    return constant(False)
                insensitive = name == "$alli"
                return _has_all([self._value(one, depth, inside, insensitive=insensitive) for one in operand])
        return constant(False if name in OF_A_CONDITION else None)

    def _in_group(self, group_id: Any, *, wanted: bool) -> Prepared:
        match group_at(self._groups, group_id):
            case ListGroup(values, _):
                return Prepared(self._member_test(group_id, values, wanted=wanted))
            case NobodysGroup(missing):
                return constant(missing and not wanted)
            case UnknownGroup():
                return constant(None)
        return constant(False)

    def _member_test(self, group_id: str, values: Sequence[Any], *, wanted: bool) -> Test:
        # A group of many thousand ids is laid out once, however many conditions name it.
        if (group_id, wanted) not in self._members:
            self._members[group_id, wanted] = is_member(values, wanted=wanted)
        return self._members[group_id, wanted]

    def _element_matches(self, operand: Any, depth: int, inside: frozenset[str]) -> Prepared:
        if not is_object(operand):
            return Prepared(lambda actual, _: None if isinstance(actual, (list, tuple)) else False)
        of_value = all(isinstance(key, str) and key.startswith("$") for key in operand)
        if of_value and not any(key in OF_A_CONDITION for key in operand):
            return _some_element(self._value(operand, depth, inside))
        return _some_element(self._condition(operand, depth, inside))


def _deeper(depth: int) -> int:
    if depth >= DEPTH:
        raise TooLargeError(f"the condition is nested more than {DEPTH} deep")
    return depth + 1


def _costing(steps: int, prepared: Prepared) -> Prepared:
    return Prepared(prepared.test, prepared.steps + steps, prepared.draws)


def _joined(test: Test, parts: Sequence[Prepared]) -> Prepared:
    return Prepared(test, sum(part.steps for part in parts), any(part.draws for part in parts))


def _all_of(parts: Sequence[Prepared]) -> Prepared:
    tests = tuple(part.test for part in parts)
    if not tests:
        return constant(True)
    if len(tests) == 1:
        return parts[0]

    def every(actual: Any, effort: Effort) -> Truth:
        known = True
        for test in tests:
            truth = test(actual, effort)
            if truth is False:
                return False
            if truth is None:
                known = False
        return True if known else None

    return _joined(every, parts)


def _any_of(parts: Sequence[Prepared]) -> Prepared:
    tests = tuple(part.test for part in parts)

    def some(actual: Any, effort: Effort) -> Truth:
        known = True
        for test in tests:
            truth = test(actual, effort)
            if truth is True:
                return True
            if truth is None:
                known = False
        return False if known else None

    return _joined(some, parts)


def _negated(prepared: Prepared) -> Prepared:
    test = prepared.test
    return _joined(lambda actual, effort: opposite(test(actual, effort)), [prepared])


def _at(path: str, prepared: Prepared) -> Prepared:
    """Return the test of what lies at a dotted path."""
    test = prepared.test
    if "." in path:
        return _joined(lambda attributes, effort: test(at_path(attributes, path), effort), [prepared])

    def at_name(attributes: Any, effort: Effort) -> Truth:
        # A plain dictionary is asked at once; whatever else may lie here goes the long way.
        if type(attributes) is dict:
            return test(attributes.get(path), effort)
        return test(at_path(attributes, path), effort)

    return _joined(at_name, [prepared])


def _size(prepared: Prepared) -> Prepared:
    test = prepared.test

    def sized(actual: Any, effort: Effort) -> Truth:
        return isinstance(actual, (list, tuple)) and test(len(actual), effort)

    return _joined(sized, [prepared])


def _some_element(prepared: Prepared) -> Prepared:
    some, steps = prepared.test, prepared.steps

    def matches(actual: Any, effort: Effort) -> Truth:
        if not isinstance(actual, (list, tuple)):
            return False
        charge(effort, len(actual) * steps)
        known = True
        for element in actual:
            truth = some(element, effort) if element is not None else False
            if truth is True:
                return True
            if truth is None:
                known = False
        return False if known else None

    return Prepared(matches, draws=True)


def _has_all(parts: Sequence[Prepared]) -> Prepared:
    elements = [_some_value(part) for part in parts]

    def has_all(actual: Any, effort: Effort) -> Truth:
        if not isinstance(actual, (list, tuple)):
            return False
        known = True
        for element in elements:
            truth = element(actual, effort)
            if truth is False:
                return False
            if truth is None:
                known = False
        return True if known else None

    return Prepared(has_all, draws=True)


def _some_value(prepared: Prepared) -> Test:
    test, steps = prepared.test, prepared.steps + 1

    def some(actual: Any, effort: Effort) -> Truth:
        charge(effort, len(actual) * steps)
        known = True
        for element in actual:
            truth = test(element, effort)
            if truth is True:
                return True
            if truth is None:
                known = False
        return False if known else None

    return some


def _equal(wanted: Any) -> Test:
    if type(wanted) is str:
        return lambda actual, _: actual == wanted if type(actual) is str else same(wanted, actual)
    return lambda actual, _: same(wanted, actual)


def _equal_folded(wanted: str) -> Test:
    folded = wanted.lower()
    return lambda actual, _: isinstance(actual, str) and actual.lower() == folded


def _alone(name: str, operand: Any) -> Test:
    """Return an operator that looks at one value alone, with what follows from its operand worked out."""
    if name in ("$in", "$nin"):
        if not isinstance(operand, (list, tuple)):
            return lambda _, __: False
        return is_member(operand, wanted=name == "$in")
    if name in ("$eq", "$ne") and type(operand) is str:
        wanted = name == "$eq"
        return lambda actual, _: (actual == operand if type(actual) is str else same_scalar(actual, operand)) is wanted
    if name in ("$lt", "$lte", "$gt", "$gte") and is_number(operand) and operand == operand:
        return _compared(name, operand)
    operator = OPERATORS[name]
    return lambda actual, effort: operator(actual, operand, effort)


def _compared(name: str, operand: float) -> Test:
    operator = OPERATORS[name]
    compare: Callable[[Any], bool] = {
        "$lt": lambda actual: actual < operand,
        "$lte": lambda actual: actual <= operand,
        "$gt": lambda actual: actual > operand,
        "$gte": lambda actual: actual >= operand,
    }[name]

    def ordered(actual: Any, effort: Effort) -> Truth:
        # Not-a-number fails each of the four comparisons, as it has no order.
        if type(actual) is int or type(actual) is float:
            return compare(actual)
        return operator(actual, operand, effort)

    return ordered


def is_member(values: Sequence[Any], *, wanted: bool) -> Test:
    """Return the test whether a scalar is among the values, or whether an array shares a scalar with them."""
    texts = frozenset(value for value in values if isinstance(value, str))
    others = frozenset(key for value in values if not isinstance(value, str) and (key := scalar_key(value)) is not None)

    def holds(value: Any) -> bool:
        return value in texts if isinstance(value, str) else scalar_key(value) in others

    def member(actual: Any, _: Effort) -> Truth:
        if type(actual) is str:
            return (actual in texts) is wanted
        found = any(map(holds, actual)) if isinstance(actual, (list, tuple)) else holds(actual)
        return found is wanted

    return member
