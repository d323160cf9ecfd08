"""One unit in all flags at once: what a bulk answer needs, with the hashes of all experiments worked out together.

FNV-1a takes the seed before the unit, so the state after each seed is kept and the unit's characters are mixed into
all states at once. Most experiments need nothing else; a flag that needs more is asked by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from assignment.engine.flags import CompiledFlag
from assignment.engine.hashing import BUCKETS, OFFSET_BASIS, PRIME, fnv1a_32
from assignment.engine.placing import Cells, cells_of
from assignment.engine.program import Program
from assignment.engine.rules import experiment_cells
from assignment.engine.sdk import features
from assignment.engine.sdk.results import Source
from assignment.engine.sdk.shares import NONE
from assignment.engine.sdk.units import ranges_of, seed_of
from assignment.engine.sdk.values import array, mapping, text
from assignment.engine.terminals import HOLDOUT, OVERRIDE_PREFIX, Outcome

Words = NDArray[np.uint32]
Terminals = NDArray[np.int32]

_DECIDING = frozenset((
    "id", "key", "variations", "weights", "coverage", "ranges", "seed", "hashVersion", "hashAttribute", "meta", "name",
    "phase", "filters", "bucketVersion", "minBucketVersion", "fallbackAttribute",
))  # fmt: skip
_FILTER = frozenset(("attribute", "seed", "hashVersion", "ranges"))
_LOW_DIGITS = 100_000
_ZERO = ord("0")

# numpy takes a one-element array faster than a number.
_PRIME = np.array([PRIME], dtype=np.uint32)
_LOW = np.array([_LOW_DIGITS], dtype=np.uint32)
_WHOLE = np.array([BUCKETS], dtype=np.uint32)
_CHARACTERS = [np.array([code], dtype=np.uint32) for code in range(256)]


def _after_high_digits() -> Words:
    """Return the hash after the decimal digits of each number that a word has above its last five."""
    found = [OFFSET_BASIS, *(fnv1a_32(str(number)) for number in range(1, (1 << 32) // _LOW_DIGITS + 1))]
    return np.array(found, dtype=np.uint32)


def _low_digits() -> Words:
    """Return the five decimal digits of each number below 100,000, as characters: shape (5, 100,000)."""
    numbers = np.arange(_LOW_DIGITS, dtype=np.uint32)
    return np.stack([_ZERO + numbers // 10**place % 10 for place in (4, 3, 2, 1, 0)]).astype(np.uint32)


_AFTER_HIGH = _after_high_digits()
_DIGITS = _low_digits()


class Hashes:
    """The second version of the hash of one unit under many seeds."""

    __slots__ = ("_seeds", "_states")

    def __init__(self, seeds: Sequence[str]) -> None:
        self._seeds = seeds
        self._states: Words = np.array([fnv1a_32(seed) for seed in seeds], dtype=np.uint32)

    def buckets(self, unit: str) -> Words:
        """Return the unit's bucket, 0 to 9,999, under each seed; equal to ``bucket_of`` one by one."""
        state = self._states.copy()
        for code in _codes(unit):
            np.bitwise_xor(state, code, out=state)
            np.multiply(state, _PRIME, out=state)
        high, low = np.divmod(state, _LOW)
        mixed: Words = _AFTER_HIGH.take(high)
        for digits in _DIGITS.take(low, axis=1):
            np.bitwise_xor(mixed, digits, out=mixed)
            np.multiply(mixed, _PRIME, out=mixed)
        np.remainder(mixed, _WHOLE, out=mixed)
        if not high.all():  # without high digits the low ones have no leading zeros: one word in 43,000
            for index in np.flatnonzero(high == 0).tolist():
                mixed[index] = fnv1a_32(str(int(state[index]))) % BUCKETS
        return mixed


def _codes(unit: str) -> Iterable[Words]:
    if unit.isascii():
        return map(_CHARACTERS.__getitem__, unit.encode())
    pairs = np.frombuffer(unit.encode("utf-16-le", "surrogatepass"), dtype="<u2").astype(np.uint32)
    return list(pairs.reshape(-1, 1))


class _Filter(Struct, frozen=True):
    seed: str
    inside: NDArray[np.bool_]
    shut: int


class _Held(Struct, frozen=True):
    parent: str
    value: Any
    terminal: int


class _Row(Struct, frozen=True, kw_only=True):
    """A flag that one hash decides, with what may come before it."""

    position: int
    attribute: str
    seed: str
    by_bucket: NDArray[Any]
    filter: _Filter | None
    held: tuple[_Held, ...]
    overrides: Mapping[str, int]


class Together:
    """All flags of a program in one order, asked for one unit at a time.

    Parameters
    ----------
    program
        The compiled flags.
    keys
        Which of them to ask, in the order of the answers.
    """

    def __init__(self, program: Program, keys: Sequence[str]) -> None:
        self.flags: tuple[CompiledFlag, ...] = tuple(program.flags[key] for key in keys)
        rows: dict[str, list[_Row]] = {}
        alone = []
        for position, flag in enumerate(self.flags):
            row = _row(position, flag)
            if row is None:
                alone.append(position)
            else:
                rows.setdefault(row.attribute, []).append(row)
        self._alone = tuple((position, self.flags[position].choose) for position in alone)
        self._groups = tuple(_Group(program, attribute, found) for attribute, found in rows.items())
        counts = np.array([0, *(len(flag.terminals) for flag in self.flags)], dtype=np.int32)
        self._firsts: Terminals = np.cumsum(counts, dtype=np.int32)[:-1]

    def choose(self, attributes: Mapping[str, Any]) -> list[int]:
        """Return the index of the unit's terminal in each flag, as each flag's own ``choose`` does."""
        answer: list[int] = self._chosen(attributes).tolist()
        return answer

    def places(self, attributes: Mapping[str, Any]) -> list[int]:
        """Return where the unit's terminals stand in a list of the terminals of all flags, one flag after the other."""
        answer: list[int] = (self._chosen(attributes) + self._firsts).tolist()
        return answer

    def _chosen(self, attributes: Mapping[str, Any]) -> Terminals:
        chosen: Terminals = np.empty(len(self.flags), dtype=np.int32)
        for position, choose in self._alone:
            chosen[position] = choose(attributes)
        for group in self._groups:
            unit = attributes.get(group.attribute)
            if type(unit) is str and unit:
                chosen[group.positions] = group.choose(unit, attributes)
            else:  # no unit, or a number: rare, and each flag knows what to say
                for position in group.positions.tolist():
                    chosen[position] = self.flags[position].choose(attributes)
        return chosen


class _Group:
    """Flags that hash the same attribute."""

    def __init__(self, program: Program, attribute: str, rows: Sequence[_Row]) -> None:
        self.attribute = attribute
        self.positions = np.array([row.position for row in rows], dtype=np.intp)
        filtered = [index for index, row in enumerate(rows) if row.filter is not None]
        filters = [row.filter for row in rows if row.filter is not None]
        seeds = dict.fromkeys([*(row.seed for row in rows), *(one.seed for one in filters)])
        place = {seed: index for index, seed in enumerate(seeds)}
        self._hashes = Hashes(list(seeds))
        self._seed_of = np.array([place[row.seed] for row in rows], dtype=np.intp)
        self._all = np.arange(len(rows))
        # The narrowest type: a thousand experiments take 10 MB and stay near the processor.
        widest = max(int(row.by_bucket.max()) for row in rows)
        self._by_bucket = np.stack([row.by_bucket for row in rows]).astype(np.min_scalar_type(widest))
        self._filtered = np.array(filtered, dtype=np.intp)
        self._filter_seed = np.array([place[one.seed] for one in filters], dtype=np.intp)
        self._filter = np.arange(len(filters))
        self._inside = np.stack([one.inside for one in filters]) if filters else np.empty((0, BUCKETS), dtype=np.bool_)
        self._shut = np.array([one.shut for one in filters], dtype=np.int32)
        self._held = _held(program, rows)
        self._overrides: dict[str, list[tuple[int, int]]] = {}
        for index, row in enumerate(rows):
            for unit, terminal in row.overrides.items():
                self._overrides.setdefault(unit, []).append((index, terminal))

    def choose(self, unit: str, attributes: Mapping[str, Any]) -> Terminals:
        """Return the index of the unit's terminal in each of the group's flags."""
        buckets = self._hashes.buckets(unit)
        chosen: Terminals = self._by_bucket[self._all, buckets[self._seed_of]].astype(np.int32)
        if len(self._filtered):
            out = ~self._inside[self._filter, buckets[self._filter_seed]]
            chosen[self._filtered[out]] = self._shut[out]
        for parent, met, rows, terminals in self._held:
            if met[parent.choose(attributes)]:
                chosen[rows] = terminals
        for row, terminal in self._overrides.get(unit, ()):
            chosen[row] = terminal
        return chosen


_HeldRows = tuple[CompiledFlag, tuple[bool, ...], NDArray[np.intp], Terminals]


def _held(program: Program, rows: Sequence[_Row]) -> tuple[_HeldRows, ...]:
    """Return each holdout once, with the flags that it keeps units from."""
    members: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for index, row in enumerate(rows):
        for one in row.held:
            members.setdefault((one.parent, one.value), []).append((index, one.terminal))
    found = []
    for (key, value), pairs in members.items():
        parent = program.flags[key]
        met = tuple(type(end.value) is str and end.value == value for end in parent.terminals)
        indices, terminals = zip(*pairs, strict=True)
        found.append((parent, met, np.array(indices, dtype=np.intp), np.array(terminals, dtype=np.int32)))
    return tuple(found)


def _row(position: int, flag: CompiledFlag) -> _Row | None:
    """Return a flag that one hash decides, or None where more is needed."""
    rules = array(mapping(flag.configuration.features[flag.key]).get("rules"))
    if flag.interpreted or not rules or not all(isinstance(rule, Mapping) for rule in rules):
        return None
    *leading, last = rules
    deciding = _deciding(position, flag, len(leading), last)
    if deciding is None:
        return None
    held: list[_Held] = []
    overrides: dict[str, int] = {}
    for place, rule in enumerate(leading):
        terminal = next((i for i, end in enumerate(flag.terminals) if end.rule == place), None)
        units, holdout = _overridden(rule, deciding.attribute), _holdout(rule, flag)
        if terminal is None or (units is None and (holdout is None or held)):
            return None
        if holdout is not None:
            held.append(_Held(*holdout, terminal))
        elif held:
            return None  # an override behind a holdout: none is published so
        else:
            overrides = dict.fromkeys(units or (), terminal) | overrides
    return structs.replace(deciding, held=tuple(held), overrides=overrides)


def _overridden(rule: Mapping[str, Any], attribute: str) -> Sequence[str] | None:
    """Return whom a rule forces its value on by name, or None where it is no such rule."""
    condition = rule.get("condition")
    if {"id", "condition", "force"} != rule.keys() or not text(rule["id"]).startswith(OVERRIDE_PREFIX):
        return None
    operand = condition.get(attribute) if isinstance(condition, Mapping) and len(condition) == 1 else None
    if not isinstance(operand, Mapping) or operand.keys() != {"$in"}:
        return None
    units = operand["$in"]
    return units if isinstance(units, list) and all(type(unit) is str for unit in units) else None


def _holdout(rule: Mapping[str, Any], flag: CompiledFlag) -> tuple[str, str] | None:
    """Return the holdout that keeps units from the flag and the value that it has for them, or None."""
    if {"id", "parentConditions", "force"} != rule.keys() or rule["id"] != HOLDOUT:
        return None
    parents = rule["parentConditions"]
    if not isinstance(parents, list) or len(parents) != 1 or parents[0].keys() != {"id", "condition"}:
        return None
    key, condition = parents[0]["id"], parents[0]["condition"]
    known = key in flag.configuration.features and isinstance(condition, Mapping) and condition.keys() == {"value"}
    return (key, condition["value"]) if known and type(condition["value"]) is str else None


def _deciding(position: int, flag: CompiledFlag, place: int, rule: Mapping[str, Any]) -> _Row | None:
    variations = rule.get("variations")
    if not rule.keys() <= _DECIDING or not isinstance(variations, list) or rule.get("hashVersion") != 2:
        return None
    if len(variations) < 2 or any("passthrough" in mapping(meta) for meta in array(rule.get("meta"))):
        return None
    experiment = features.described(flag.key, rule, variations)
    attribute = text(experiment.get("hashAttribute"), "id")
    filters = rule.get("filters") or []
    outside = _default(flag, Outcome.NOT_IN_TRAFFIC)
    chosen = _filter(flag, filters, attribute)
    if outside is None or len(filters) != (chosen is not None):
        return None
    first = next(i for i, end in enumerate(flag.terminals) if end.rule == place)
    cells = experiment_cells(experiment, BUCKETS)
    return _Row(
        position=position,
        attribute=attribute,
        seed=seed_of(experiment, experiment["key"]),
        by_bucket=_by_bucket(cells, [outside if owner == NONE else first + owner for owner in cells.owners]),
        filter=chosen,
        held=(),
        overrides={},
    )


def _filter(flag: CompiledFlag, filters: Any, attribute: str) -> _Filter | None:
    if not isinstance(filters, list) or len(filters) != 1 or not isinstance(filters[0], Mapping):
        return None
    one, shut = filters[0], _default(flag, Outcome.OTHER_EXPERIMENT)
    if one.keys() != _FILTER or one["hashVersion"] != 2 or text(one["attribute"], "id") != attribute or shut is None:
        return None
    cells = cells_of(ranges_of(one["ranges"]), BUCKETS)
    inside = _by_bucket(cells, [int(owner != NONE) for owner in cells.owners]).astype(np.bool_)
    return _Filter(text(one["seed"]), inside, shut)


def _by_bucket(cells: Cells, ends: Sequence[int]) -> NDArray[Any]:
    # In the narrowest type from the start: in a wide one a thousand experiments pass through 80 MB on their way.
    edges = (0, *cells.cuts, BUCKETS)
    return np.repeat(np.array(ends, dtype=np.min_scalar_type(max(ends))), np.diff(edges))


def _default(flag: CompiledFlag, outcome: Outcome) -> int | None:
    """Return the flag's end at its default behind an obstacle."""
    ends = enumerate(flag.terminals)
    return next((i for i, end in ends if end.source is Source.DEFAULT_VALUE and end.outcome is outcome), None)
