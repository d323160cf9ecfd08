"""A feature's rules prepared once: each becomes a chain of closures that ends at a terminal or at an obstacle.

A step returns the index of a terminal, or a negative obstacle where the next rule is to be asked.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from assignment.engine.ends import Ends
from assignment.engine.hashing import BUCKETS, fnv1a_32_of_bytes, fnv1a_32_of_code_units
from assignment.engine.native import NATIVE
from assignment.engine.placing import MOST_RANGES, OLD_BUCKETS, Cells, Hashing, after_bucket, cells_of, hashing_of
from assignment.engine.sdk.effort import Effort
from assignment.engine.sdk.shares import NONE, share_ranges
from assignment.engine.sdk.units import (
    FILTER_HASH_VERSION,
    RULE_HASH_VERSION,
    range_of,
    ranges_of,
    seed_of,
    weights_of,
)
from assignment.engine.sdk.values import array, finite, is_object, text, unit_text
from assignment.engine.targeting import Prepared, Test, TooLargeError
from assignment.engine.terminals import OBSTACLES, Outcome

FEWEST_VARIATIONS = 2
NEXT = -1


class Run:
    """One evaluation under way: the ends of the parent flags that were asked, and the unit that was hashed last.

    A run that is shared by evaluations must be read by none: it is for those that need only the end. Fields are set
    where they are first known; ``unit`` and ``bucket`` by every step that ends in an experiment.
    """

    __slots__ = ("bucket", "parents", "unit")
    bucket: int
    parents: dict[str, int]
    unit: str
    effort: ClassVar[Effort] = Effort()


class AccountedRun(Run):
    """An evaluation that has to keep within its effort: there are regular expressions or arrays."""

    __slots__ = ("effort",)
    effort: Effort  # type: ignore[misc]


SHARED = Run()
Attributes = Mapping[str, Any]


class Step(Protocol):
    """Part of a prepared rule."""

    def __call__(self, attributes: Attributes, run: Run = SHARED, /) -> int:
        """Return the index of a terminal, or a negative obstacle."""


class Obstacles:
    """What the steps of one rule return where it does not decide.

    Most return a negative code. The last rule of a feature ends at once at the default behind its obstacle, and a rule
    that concerns only whom it names has no obstacles.
    """

    def __init__(self, ends: Ends, *, exempt: bool, last: bool) -> None:
        self._ends = ends
        self._exempt = exempt
        self._last = last

    def code(self, outcome: Outcome) -> int:
        """Return what a step answers at the obstacle."""
        if self._exempt:
            return NEXT
        end = self._ends.default(outcome)
        return end if self._last else -1 - OBSTACLES.index(outcome)


def always(index: int) -> Step:
    """Return the step that ends here."""
    return lambda _, __=SHARED: index


def with_condition(prepared: Prepared, missed: int, then: Step) -> Step:
    """Ask the next step only for whom the condition is true."""
    test = prepared.test

    def step(attributes: Attributes, run: Run = SHARED) -> int:
        return then(attributes, run) if passes(test, attributes, run.effort) else missed

    return step


def passes(test: Test, attributes: Any, effort: Effort) -> bool:
    """Say whether a prepared condition is true; what is nested too deep to be compared passes for nobody."""
    try:
        return test(attributes, effort) is True
    except RecursionError:
        return False


def with_unit(attribute: str, missing: int, then: Step) -> Step:
    """Ask the next step only where the attribute names a unit."""

    def step(attributes: Attributes, run: Run = SHARED) -> int:
        return then(attributes, run) if unit_text(attributes.get(attribute)) else missing

    return step


def placed(hashing: Hashing, cells: Cells, ends: Sequence[int], missing: int) -> Step:
    """Return the step that hashes the unit and ends where its bucket's cell does; ``ends`` has one entry a cell."""
    attribute, seed, cuts = hashing.attribute, hashing.seed, cells.cuts
    if hashing.buckets != BUCKETS:
        return _placed_as_of_old(hashing, cells, ends, missing)
    if NATIVE is not None:
        return NATIVE.Placement(unit_text, ((attribute, seed, missing, cuts, tuple(ends)),))

    def step(attributes: Attributes, run: Run = SHARED) -> int:
        unit = attributes.get(attribute)
        if type(unit) is not str:
            unit = unit_text(unit)
        if not unit:
            return missing
        # The hottest lines of the product: ``bucket_of`` written out saves a call.
        named = seed + unit
        first = fnv1a_32_of_bytes(named.encode()) if named.isascii() else fnv1a_32_of_code_units(named)
        bucket = fnv1a_32_of_bytes(b"%d" % first) % BUCKETS
        run.unit, run.bucket = unit, bucket
        return ends[bisect_right(cuts, bucket)]

    return step


def _placed_as_of_old(hashing: Hashing, cells: Cells, ends: Sequence[int], missing: int) -> Step:
    attribute, bucket_in, cuts = hashing.attribute, hashing.bucket, cells.cuts

    def step(attributes: Attributes, run: Run = SHARED) -> int:
        unit = unit_text(attributes.get(attribute))
        if not unit:
            return missing
        run.unit, run.bucket = unit, bucket_in(unit)
        return ends[bisect_right(cuts, run.bucket)]

    return step


def with_filters(filters: Any, obstacles: Obstacles, then: Step) -> Step:
    """Ask the next step only for units that every filter lets in; a malformed filter lets nobody in."""
    shut = obstacles.code(Outcome.OTHER_EXPERIMENT)
    if not isinstance(filters, (list, tuple)):
        return always(shut)
    for one in reversed(filters):
        then = _with_filter(one, obstacles, then) if is_object(one) else always(shut)
    return then


def _with_filter(one: Mapping[str, Any], obstacles: Obstacles, then: Step) -> Step:
    shut, missing = obstacles.code(Outcome.OTHER_EXPERIMENT), obstacles.code(Outcome.NO_UNIT)
    attribute = text(one.get("attribute"), "id")
    hashing = hashing_of(one, attribute, text(one.get("seed")), FILTER_HASH_VERSION)
    if hashing is None:
        return with_unit(attribute, missing, always(shut))
    cells = cells_of(ranges_of(one.get("ranges")), hashing.buckets)
    return _with_cells(hashing, cells, shut, missing, then)


def _with_cells(hashing: Hashing, cells: Cells, shut: int, missing: int, then: Step) -> Step:
    attribute, seed, cuts = hashing.attribute, hashing.seed, cells.cuts
    inside = tuple(owner != NONE for owner in cells.owners)
    if hashing.buckets != BUCKETS:
        return _with_cells_as_of_old(hashing, cells, shut, missing, then)
    if NATIVE is not None and isinstance(then, NATIVE.Placement):
        ends = tuple(NATIVE.GO_ON if let_in else shut for let_in in inside)
        return NATIVE.Placement(unit_text, ((attribute, seed, missing, cuts, ends), *then.steps))

    def step(attributes: Attributes, run: Run = SHARED) -> int:
        unit = attributes.get(attribute)
        if type(unit) is not str:
            unit = unit_text(unit)
        if not unit:
            return missing
        named = seed + unit  # ``bucket_of`` written out, as in ``placed``
        first = fnv1a_32_of_bytes(named.encode()) if named.isascii() else fnv1a_32_of_code_units(named)
        bucket = fnv1a_32_of_bytes(b"%d" % first) % BUCKETS
        return then(attributes, run) if inside[bisect_right(cuts, bucket)] else shut

    return step


def _with_cells_as_of_old(hashing: Hashing, cells: Cells, shut: int, missing: int, then: Step) -> Step:
    attribute, bucket_in, owner = hashing.attribute, hashing.bucket, cells.owner

    def step(attributes: Attributes, run: Run = SHARED) -> int:
        unit = unit_text(attributes.get(attribute))
        if not unit:
            return missing
        return shut if owner(bucket_in(unit)) == NONE else then(attributes, run)

    return step


def in_namespace(namespace: Any, attribute: str, obstacles: Obstacles, then: Step) -> Step:
    """Ask the next step only for units in their part ``[id, start, end]`` of a namespace."""
    shut, missing = obstacles.code(Outcome.OTHER_EXPERIMENT), obstacles.code(Outcome.NO_UNIT)
    parts = array(namespace)
    if len(parts) != 3 or not isinstance(parts[0], str):
        return always(shut)
    # The first version of the hash puts the value first and the seed last.
    hashing = Hashing(attribute, "__" + parts[0], OLD_BUCKETS)
    return _with_cells(hashing, cells_of([range_of(parts[1:])], OLD_BUCKETS), shut, missing, then)


def rollout(key: str, rule: Mapping[str, Any], end: int, obstacles: Obstacles) -> Step:
    """Return the step of a rule that forces its value on a share of the units, or on all of them."""
    bounds, coverage = rule.get("range"), rule.get("coverage")
    if bounds is None and coverage is None:
        return always(end)
    outside, missing = obstacles.code(Outcome.NOT_IN_TRAFFIC), obstacles.code(Outcome.NO_UNIT)
    if bounds is None and coverage == 0:
        return always(outside)
    attribute = text(rule.get("hashAttribute"), "id")
    hashing = hashing_of(rule, attribute, seed_of(rule, key), RULE_HASH_VERSION)
    if hashing is None:
        return with_unit(attribute, missing, always(outside))
    if bounds is not None:
        cells = cells_of([range_of(bounds)], hashing.buckets)
    else:
        cells = covered_cells(finite(coverage, -1.0), hashing.buckets)
    return placed(hashing, cells, [outside if owner == NONE else end for owner in cells.owners], missing)


def covered_cells(coverage: float, buckets: int) -> Cells:
    """Return the cells of a forced value's coverage, which by contract includes its own end."""
    end = after_bucket(coverage, buckets)
    return Cells((end,), (0, NONE), buckets)


def experiment_cells(experiment: Mapping[str, Any], buckets: int) -> Cells:
    """Return which variation owns which buckets, by the experiment's ranges or its coverage and weights."""
    variations = len(array(experiment.get("variations")))
    if experiment.get("ranges") is not None:
        return cells_of(ranges_of(experiment["ranges"]), buckets, variations)
    coverage = experiment.get("coverage")
    covered = 1.0 if coverage is None else finite(coverage, 0.0)
    if variations > MOST_RANGES:
        raise TooLargeError(f"{variations} variations are more than {MOST_RANGES}")
    return cells_of(share_ranges(variations, covered, weights_of(experiment.get("weights"), variations)), buckets)
