"""Can the same unit be in two audiences? Only a proof says no; whatever is not understood may overlap.

A condition is written out as alternatives, each a list of facts about attributes that must all hold. A fact that is
not understood is left out, which only makes an alternative wider. Two audiences are apart when every alternative of
the one contradicts every alternative of the other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from experiments.domain.kinds import SegmentKind
from experiments.domain.targeting import NOT, SEGMENT, Condition

MOST_ALTERNATIVES = 64
"""Beyond this a condition is not written out, and may overlap with anything."""

_RELEASE_PARTS, _RELEASE_DIGITS = 3, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFacts:
    """A saved segment: the listed ``values`` of ``attribute``, or targeting."""

    kind: SegmentKind
    attribute: str = ""
    values: frozenset[str] = frozenset()
    targeting: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """A proof that nobody is in both: ``attribute`` cannot be both. ``single`` says that it must hold one value.

    An attribute that holds several values (roles, tags) may match two lists at once; one that identifies or locates
    a unit does not.
    """

    attribute: str
    single: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One comparison of an attribute that must hold, or with ``holds`` False must not."""

    attribute: str
    operator: str
    operand: Any
    holds: bool = True


Alternative = tuple[Fact, ...]
Bound = tuple[Any, bool]
"""A number or release, and whether it is itself allowed."""


def apart(
    left: Condition, right: Condition, segments: Mapping[str, SegmentFacts] | None = None, unit_attribute: str = ""
) -> Apart | None:
    """Return why nobody passes both conditions, or None where somebody might.

    Parameters
    ----------
    left, right
        Targeting conditions; an empty one is everyone.
    segments
        What is known of the segments by key; one that is not known may hold anybody.
    unit_attribute
        The attribute that is randomised, which never holds several values.
    """
    known = segments or {}
    return excluding(alternatives(left, known), alternatives(right, known), unit_attribute)


def excluding(left: list[Alternative], right: list[Alternative], unit_attribute: str = "") -> Apart | None:
    """Return why nobody is in both of two audiences whose conditions are written out, as ``apart`` does."""
    if () in left and () in right:
        return None  # everyone and everyone: of most pairs there is no more to ask
    proofs: list[Apart] = []
    for one, other in product(left, right):
        proof = _contradiction((*one, *other), unit_attribute)
        if proof is None:
            return None
        proofs.append(proof)
    if not proofs:
        return None
    return next((proof for proof in proofs if proof.single), proofs[0])


def alternatives(condition: Any, segments: Mapping[str, SegmentFacts]) -> list[Alternative]:
    """Write a condition out; one that cannot be holds everyone."""
    found = _written_out(condition, segments, holds=True, inside=frozenset())
    return [()] if found is None else found


def _written_out(
    condition: Any, segments: Mapping[str, SegmentFacts], *, holds: bool, inside: frozenset[str]
) -> list[Alternative] | None:
    """Return the alternatives of a condition, or of its negation; None where they are too many or not understood."""
    if not isinstance(condition, Mapping):
        return None
    parts = [_entry(name, wanted, segments, holds=holds, inside=inside) for name, wanted in condition.items()]
    return _all_of(parts) if holds else _any_of(parts)


def _entry(
    name: str, wanted: Any, segments: Mapping[str, SegmentFacts], *, holds: bool, inside: frozenset[str]
) -> list[Alternative] | None:
    match name:
        case "$and" | "$or" | "$nor":
            if not isinstance(wanted, list) or not wanted:
                return None
            each_holds = holds != (name == "$nor")
            parts = [_written_out(one, segments, holds=each_holds, inside=inside) for one in wanted]
            return _all_of(parts) if each_holds == (name == "$and") else _any_of(parts)
        case "$not":
            return _written_out(wanted, segments, holds=not holds, inside=inside)
        case "$segment":
            return _segment(wanted, segments, holds=holds, inside=inside)
    if name.startswith("$"):
        return None
    return _comparison(name, wanted, holds=holds)


def _segment(
    key: Any, segments: Mapping[str, SegmentFacts], *, holds: bool, inside: frozenset[str]
) -> list[Alternative] | None:
    """Return being in a segment as a fact of its own, and by what it stands for."""
    itself: list[Alternative] = [(Fact(f"{SEGMENT} {key}", "$eq", True, holds),)]
    known = segments.get(key) if isinstance(key, str) else None
    if known is None or key in inside:
        return itself
    meant: list[Alternative]
    if known.kind is SegmentKind.LIST:
        meant = [(Fact(known.attribute, "$in", known.values, holds),)]
    else:
        meant = _written_out(known.targeting or {}, segments, holds=holds, inside=inside | {key}) or [()]
    return _all_of([itself, meant])


def _comparison(attribute: str, wanted: Any, *, holds: bool) -> list[Alternative] | None:
    if not isinstance(wanted, Mapping):
        return [(Fact(attribute, "$same", wanted, holds),)]
    if not wanted or not all(str(name).startswith("$") for name in wanted):
        return None
    if NOT in wanted and len(wanted) == 1:
        return _comparison(attribute, wanted[NOT], holds=not holds)
    facts = [Fact(attribute, str(operator), operand, holds) for operator, operand in wanted.items()]
    if holds:
        # A nested negation among others is left out: the rest still must hold.
        return [tuple(fact for fact in facts if fact.operator in _TRUTHS)]
    if any(fact.operator not in _TRUTHS for fact in facts):
        return None
    return [(fact,) for fact in facts]


def _all_of(parts: Iterable[list[Alternative] | None]) -> list[Alternative] | None:
    found: list[Alternative] = [()]
    for part in parts:
        if part is None:
            continue  # what is not understood must hold as well: leaving it out widens the audience
        if len(found) * len(part) <= MOST_ALTERNATIVES:
            found = [(*one, *other) for one in found for other in part]
    return found


def _any_of(parts: Iterable[list[Alternative] | None]) -> list[Alternative] | None:
    found: list[Alternative] = []
    for part in parts:
        if part is None or len(found) + len(part) > MOST_ALTERNATIVES:
            return None
        found += part
    return found


def _contradiction(facts: Iterable[Fact], unit_attribute: str) -> Apart | None:
    """Return the attribute of which not all facts can hold; one that needs no assumption before one that does."""
    by_attribute: dict[str, list[Fact]] = {}
    for fact in facts:
        by_attribute.setdefault(fact.attribute, []).append(fact)
    assumed = None
    for attribute, about in by_attribute.items():
        found = _impossible(about)
        if found is None:
            continue
        if not found or attribute == unit_attribute:
            return Apart(attribute=attribute)
        assumed = assumed or Apart(attribute=attribute, single=True)
    return assumed


def _impossible(facts: list[Fact]) -> bool | None:
    """Say whether no value makes all facts true: False surely, True if it is a single one, None where some may."""
    for fact in facts:
        values = _exactly(fact)
        if values is not None and not any(_may_be(value, facts) for value in values):
            return False
    if _crossed(facts) or _crossed_versions(facts):
        return False
    for fact in facts:
        values = _among(fact)
        if values is not None and not any(_may_be(value, facts) for value in values):
            return True
    return None


def _exactly(fact: Fact) -> list[Any] | None:
    """Return the only values that make the fact true, where they are few and none of them is a list."""
    if fact.operator in ("$same", "$eq") and fact.holds and _is_scalar(fact.operand):
        return [fact.operand]
    if fact.operator == "$exists" and bool(fact.operand) != fact.holds:
        return [None]
    return None


def _among(fact: Fact) -> list[Any] | None:
    """Return the only values that make the fact true, if the attribute holds a single one."""
    if fact.operator in ("$in", "$ini") and fact.holds and isinstance(fact.operand, (list, frozenset)):
        listed = list(fact.operand)
        if fact.operator == "$in":
            return listed
        # In another case it is another value: only facts that do not mind may speak about it.
        return [_Folded(one) if isinstance(one, str) else one for one in listed]
    return None


class _Folded(str):
    """Text of which the case is not known."""


def _may_be(value: Any, facts: Iterable[Fact]) -> bool:
    for fact in facts:
        truth = _truth(fact, value)
        if truth is not None and truth is not fact.holds:
            return False
    return True


def _truth(fact: Fact, value: Any) -> bool | None:
    """Return whether a scalar makes the comparison true; None where that is not known here."""
    truth = _TRUTHS.get(fact.operator)
    if truth is None or (isinstance(value, _Folded) and fact.operator not in ("$ini", "$nini", "$exists")):
        return None
    return truth(value, fact.operand)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))


def _same(value: Any, other: Any) -> bool:
    if not _is_scalar(value) or not _is_scalar(other):
        return False
    return _kind(value) == _kind(other) and bool(value == other)


def _kind(value: Any) -> str:
    """Return the kind of a scalar as apps see it: 1 and 1.0 are numbers, true is none."""
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, (int, float)) else "text" if isinstance(value, str) else "nothing"


def _listed(value: Any, listed: Any) -> bool | None:
    return any(_same(value, one) for one in listed) if isinstance(listed, (list, frozenset)) else None


def _listed_folded(value: Any, listed: Any) -> bool | None:
    if not isinstance(listed, (list, frozenset)):
        return None
    return any(_same(_fold(value), _fold(one)) for one in listed)


def _fold(value: Any) -> Any:
    return str(value).lower() if isinstance(value, str) else value


def _opposite(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _compared(value: Any, bound: Any, operator: str) -> bool | None:
    if not _is_number(bound) or not (_is_number(value) or value is None):
        return None
    left, right = float(value or 0), float(bound)
    truths = {"$lt": left < right, "$lte": left <= right, "$gt": left > right, "$gte": left >= right}
    return truths[operator]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


_ORDER = ("$lt", "$lte", "$gt", "$gte")
_VERSIONS = ("$vlt", "$vlte", "$vgt", "$vgte", "$veq")
_OPAQUE = ("$vne", "$regex", "$regexi", "$notRegex", "$notRegexi", "$all", "$alli", "$elemMatch", "$size", "$type")
_TRUTHS: dict[str, Callable[[Any, Any], bool | None]] = {
    "$same": lambda value, operand: _same(value, operand) if _is_scalar(operand) else False,
    "$eq": _same,
    "$ne": lambda value, operand: not _same(value, operand),
    "$in": _listed,
    "$nin": lambda value, operand: _opposite(_listed(value, operand)),
    "$ini": _listed_folded,
    "$nini": lambda value, operand: _opposite(_listed_folded(value, operand)),
    "$exists": lambda value, operand: (value is not None) is bool(operand),
    **{name: partial(_compared, operator=name) for name in _ORDER},
    **dict.fromkeys((*_VERSIONS, *_OPAQUE), lambda _value, _operand: None),
}


def _crossed(facts: Iterable[Fact]) -> bool:
    """Say whether the attribute would have to be above and below numbers that leave nothing between them."""
    lows: list[Bound] = []
    highs: list[Bound] = []
    for fact in facts:
        if fact.operator in _ORDER and fact.holds and _is_number(fact.operand):
            (lows if fact.operator.startswith("$g") else highs).append((fact.operand, fact.operator.endswith("e")))
    return any(_nothing_between(low, high) for low, high in product(lows, highs))


def _crossed_versions(facts: Iterable[Fact]) -> bool:
    lows: list[Bound] = []
    highs: list[Bound] = []
    for fact in facts:
        version = _release(fact.operand) if fact.operator in _VERSIONS and fact.holds else None
        if version is not None:
            included = fact.operator.endswith(("e", "q"))
            if fact.operator != "$vlt" and fact.operator != "$vlte":
                lows.append((version, included))
            if fact.operator != "$vgt" and fact.operator != "$vgte":
                highs.append((version, included))
    return any(_nothing_between(low, high) for low, high in product(lows, highs))


def _nothing_between(low: Bound, high: Bound) -> bool:
    return bool(low[0] > high[0]) or (low[0] == high[0] and not (low[1] and high[1]))


def _release(text: Any) -> tuple[int, ...] | None:
    """Return a plain release such as 3.2.0; anything else sorts in ways of its own."""
    parts = text.split(".") if isinstance(text, str) else []
    if len(parts) != _RELEASE_PARTS or not all(
        p.isascii() and p.isdigit() and len(p) <= _RELEASE_DIGITS for p in parts
    ):
        return None
    return tuple(int(part) for part in parts)


def facts_of_segments(rows: Iterable[tuple[str, str, str, list[str], Mapping[str, Any]]]) -> dict[str, SegmentFacts]:
    """Return what is known of segments by key, from (key, kind, attribute, values, targeting)."""
    return dict(_segments(rows))


def _segments(rows: Iterable[tuple[str, str, str, list[str], Mapping[str, Any]]]) -> Iterator[tuple[str, SegmentFacts]]:
    for key, kind, attribute, values, targeting in rows:
        yield (
            key,
            SegmentFacts(kind=SegmentKind(kind), attribute=attribute, values=frozenset(values), targeting=targeting),
        )
