"""The operators that look at one value alone: equality, order, versions, text, lists of scalars, kinds."""

from collections.abc import Callable, Sequence
from typing import Any

from assignment.engine.sdk.effort import Effort
from assignment.engine.sdk.patterns import InvalidPatternError, found
from assignment.engine.sdk.values import Kind, kind_of, order, same_scalar, truthy
from assignment.engine.sdk.versions import compare_versions

Truth = bool | None
"""True, False, or None: not known to this engine, so that its negation is not known either."""

Operator = Callable[[Any, Any, Effort], Truth]


def opposite(truth: Truth) -> Truth:
    """Return the negation; what is not known stays so."""
    return None if truth is None else not truth


def _ordered(passes: Callable[[int], bool]) -> Operator:
    def compare(actual: Any, operand: Any, _: Effort) -> Truth:
        found_order = order(actual, operand)
        return found_order is not None and passes(found_order)

    return compare


def _version(passes: Callable[[int], bool], *, otherwise: bool = False) -> Operator:
    def compare(actual: Any, operand: Any, _: Effort) -> Truth:
        found_order = compare_versions(actual, operand)
        return otherwise if found_order is None else passes(found_order)

    return compare


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def contains(listed: Sequence[Any], actual: Any) -> bool:
    """Say whether a scalar is among the listed values, or whether an array shares a scalar with them."""
    if isinstance(actual, str):
        return actual in listed
    if isinstance(actual, (list, tuple)):
        wanted = {key for value in listed if (key := scalar_key(value)) is not None}
        return any(scalar_key(value) in wanted for value in actual)
    return any(same_scalar(value, actual) for value in listed)


def scalar_key(value: Any) -> tuple[Kind, Any] | None:
    """Return a key that is equal only for the same scalar of the same kind; an array or object has none."""
    kind = kind_of(value)
    if kind in (Kind.ARRAY, Kind.OBJECT, Kind.UNKNOWN) or value != value:
        return None
    return kind, value


def _listed(*, insensitive: bool, negated: bool) -> Operator:
    def compare(actual: Any, operand: Any, _: Effort) -> Truth:
        if kind_of(operand) is not Kind.ARRAY:
            return False
        if insensitive:
            operand = [_folded(value) for value in operand]
            actual = [_folded(value) for value in actual] if kind_of(actual) is Kind.ARRAY else _folded(actual)
        return contains(operand, actual) is not negated

    return compare


def _searched(*, insensitive: bool, negated: bool) -> Operator:
    def compare(actual: Any, operand: Any, effort: Effort) -> Truth:
        if not isinstance(actual, str) or not isinstance(operand, str):
            return negated
        try:
            matches = found(operand, actual, effort, insensitive=insensitive)
        except InvalidPatternError:
            return negated
        return opposite(matches) if negated else matches

    return compare


def _exists(actual: Any, operand: Any, _: Effort) -> Truth:
    return (actual is not None) is truthy(operand)


def _is_kind(actual: Any, operand: Any, _: Effort) -> Truth:
    return isinstance(operand, str) and kind_of(actual).value == operand


OPERATORS: dict[str, Operator] = {
    "$eq": lambda actual, operand, _: same_scalar(actual, operand),
    "$ne": lambda actual, operand, _: not same_scalar(actual, operand),
    "$lt": _ordered(lambda found_order: found_order < 0),
    "$lte": _ordered(lambda found_order: found_order <= 0),
    "$gt": _ordered(lambda found_order: found_order > 0),
    "$gte": _ordered(lambda found_order: found_order >= 0),
    "$veq": _version(lambda found_order: found_order == 0),
    "$vne": _version(lambda found_order: found_order != 0, otherwise=True),
    "$vlt": _version(lambda found_order: found_order < 0),
    "$vlte": _version(lambda found_order: found_order <= 0),
    "$vgt": _version(lambda found_order: found_order > 0),
    "$vgte": _version(lambda found_order: found_order >= 0),
    "$in": _listed(insensitive=False, negated=False),
    "$nin": _listed(insensitive=False, negated=True),
    "$ini": _listed(insensitive=True, negated=False),
    "$nini": _listed(insensitive=True, negated=True),
    "$regex": _searched(insensitive=False, negated=False),
    "$regexi": _searched(insensitive=True, negated=False),
    "$notRegex": _searched(insensitive=False, negated=True),
    "$notRegexi": _searched(insensitive=True, negated=True),
    "$exists": _exists,
    "$type": _is_kind,
}
