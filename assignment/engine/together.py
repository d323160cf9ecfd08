"""One unit in all flags at once: what a bulk answer needs, with the hashes of all experiments worked out together.

Most experiments need nothing but hashes, and perhaps a holdout or an override; a flag that needs more is asked by
itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from assignment.engine.flags import CompiledFlag
from assignment.engine.hashing import BUCKETS
from assignment.engine.lanes import GO_ON, Ends, Lanes, Step, Steps
from assignment.engine.native import NATIVE
from assignment.engine.placing import cells_of
from assignment.engine.program import Program
from assignment.engine.rules import experiment_cells
from assignment.engine.sdk import features
from assignment.engine.sdk.results import Source
from assignment.engine.sdk.shares import NONE
from assignment.engine.sdk.units import ranges_of, seed_of
from assignment.engine.sdk.values import array, mapping, text
from assignment.engine.terminals import HOLDOUT, OVERRIDE_PREFIX, Outcome

_DECIDING = frozenset((
    "id", "key", "variations", "weights", "coverage", "ranges", "seed", "hashVersion", "hashAttribute", "meta", "name",
    "phase", "filters", "bucketVersion", "minBucketVersion", "fallbackAttribute",
))  # fmt: skip
_FILTER = frozenset(("attribute", "seed", "hashVersion", "ranges"))


class _Held(Struct, frozen=True):
    parent: str
    value: Any
    terminal: int


class _Row(Struct, frozen=True, kw_only=True):
    """A flag that hashes decide, with what may come before them."""

    position: int
    attribute: str
    steps: Steps
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
        self._firsts: Ends = np.cumsum(counts, dtype=np.int32)[:-1]
        self._only = self._groups[0] if len(self._groups) == 1 and not alone else None

    def choose(self, attributes: Mapping[str, Any]) -> Ends:
        """Return the index of the unit's terminal in each flag, as each flag's own ``choose`` does."""
        if self._only is not None:  # every flag hashes the same attribute, as is usual: nothing to be put together
            unit = attributes.get(self._only.attribute)
            if type(unit) is str and unit:
                return self._only.choose(unit, attributes)
        chosen: Ends = np.empty(len(self.flags), dtype=np.int32)
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

    def places(self, attributes: Mapping[str, Any]) -> Ends:
        """Return where the unit's terminals stand in a list of the terminals of all flags, one flag after the other."""
        return self.choose(attributes) + self._firsts


class _Rows(Protocol):
    """Flags that hash one attribute, asked for one unit."""

    def choose(self, unit: str) -> Ends:
        """Return the unit's end in each flag."""


class _Compiled:
    """The same as ``Lanes``, in compiled code."""

    def __init__(self, attribute: str, flags: Sequence[Steps]) -> None:
        rows = (tuple((attribute, step.seed, 0, step.cuts, step.ends) for step in steps) for steps in flags)
        self._placements = NATIVE.Placements(tuple(rows))
        self._count = len(flags)

    def choose(self, unit: str) -> Ends:
        ends: Ends = np.empty(self._count, dtype=np.int32)
        self._placements.choose(unit, ends)
        return ends


class _Group:
    """Flags that hash the same attribute."""

    def __init__(self, program: Program, attribute: str, rows: Sequence[_Row]) -> None:
        self.attribute = attribute
        self.positions = np.array([row.position for row in rows], dtype=np.intp)
        steps = [row.steps for row in rows]
        self._rows: _Rows = Lanes(steps) if NATIVE is None else _Compiled(attribute, steps)
        self._held = _held(program, rows)
        self._overrides: dict[str, list[tuple[int, int]]] = {}
        for index, row in enumerate(rows):
            for unit, terminal in row.overrides.items():
                self._overrides.setdefault(unit, []).append((index, terminal))

    def choose(self, unit: str, attributes: Mapping[str, Any]) -> Ends:
        """Return the index of the unit's terminal in each of the group's flags."""
        chosen = self._rows.choose(unit)
        for parent, met, rows, terminals in self._held:
            if met[parent.choose(attributes)]:
                chosen[rows] = terminals
        for row, terminal in self._overrides.get(unit, ()):
            chosen[row] = terminal
        return chosen


_HeldRows = tuple[CompiledFlag, tuple[bool, ...], NDArray[np.intp], Ends]


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
    gate = _gate(flag, filters, attribute)
    if outside is None or len(filters) != (gate is not None):
        return None
    first = next(i for i, end in enumerate(flag.terminals) if end.rule == place)
    cells = experiment_cells(experiment, BUCKETS)
    ends = tuple(outside if owner == NONE else first + owner for owner in cells.owners)
    deciding = Step(seed_of(experiment, experiment["key"]), cells.cuts, ends)
    steps = (deciding,) if gate is None else (gate, deciding)
    return _Row(position=position, attribute=attribute, steps=steps, held=(), overrides={})


def _gate(flag: CompiledFlag, filters: Any, attribute: str) -> Step | None:
    """Return the step of a filter that hashes the same attribute, or None where there is no such filter."""
    if not isinstance(filters, list) or len(filters) != 1 or not isinstance(filters[0], Mapping):
        return None
    one, shut = filters[0], _default(flag, Outcome.OTHER_EXPERIMENT)
    if one.keys() != _FILTER or one["hashVersion"] != 2 or text(one["attribute"], "id") != attribute or shut is None:
        return None
    cells = cells_of(ranges_of(one["ranges"]), BUCKETS)
    return Step(text(one["seed"]), cells.cuts, tuple(shut if owner == NONE else GO_ON for owner in cells.owners))


def _default(flag: CompiledFlag, outcome: Outcome) -> int | None:
    """Return the flag's end at its default behind an obstacle."""
    ends = enumerate(flag.terminals)
    return next((i for i, end in ends if end.source is Source.DEFAULT_VALUE and end.outcome is outcome), None)
