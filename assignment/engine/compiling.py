"""From a feature of the SDK protocol to a flag that is ready to be asked."""

from collections.abc import Mapping
from typing import Any

from assignment.engine.ends import Ends
from assignment.engine.flags import CompiledFlag, Configuration
from assignment.engine.placing import MOST_RANGES, hashing_of
from assignment.engine.rules import (
    FEWEST_VARIATIONS,
    NEXT,
    SHARED,
    Attributes,
    Obstacles,
    Run,
    Step,
    always,
    experiment_cells,
    in_namespace,
    passes,
    placed,
    rollout,
    with_condition,
    with_filters,
    with_unit,
)
from assignment.engine.sdk import features
from assignment.engine.sdk.effort import STEPS
from assignment.engine.sdk.shares import NONE
from assignment.engine.sdk.units import RULE_HASH_VERSION, seed_of
from assignment.engine.sdk.values import array, is_object, mapping, text
from assignment.engine.targeting import Prepared, Preparer, TooLargeError
from assignment.engine.terminals import OBSTACLES, Outcome, is_exempt

Rule = Mapping[str, Any]
HIGHEST = 400
"""The most calls inside each other; Python allows a thousand, and conditions and whoever asks need theirs."""


def interpreted_flag(key: str, configuration: Configuration) -> CompiledFlag:
    """Return a flag that asks the interpreter every time, with all ends that it may find."""
    feature = mapping(configuration.features[key])
    ends = Ends(feature)
    for position, rule in enumerate(array(feature.get("rules"))):
        if not is_object(rule):
            continue
        ends.gate(position)
        if "force" in rule:
            ends.forced(position, rule)
        else:
            ends.experiment(position, rule, features.described(key, rule, _variations(rule)))
    ends.cyclic()
    for outcome in OBSTACLES:
        ends.default(outcome)
    return CompiledFlag(key, configuration, ends).seal()


def _variations(rule: Rule) -> Any:
    contextual = rule.get("contextualVariations")
    return rule.get("variations") if contextual is None else contextual


def compiled_flag(
    key: str, configuration: Configuration, preparer: Preparer, compiled: Mapping[str, CompiledFlag]
) -> CompiledFlag:
    """Return a flag that is evaluated without the interpreter.

    Parameters
    ----------
    key
        The feature's key; its parents are compiled already.
    configuration
        The program's features and groups.
    preparer
        Prepares conditions that name the program's saved groups.
    compiled
        The parents by key; one that is missing is unknown to the program.

    Raises
    ------
    TooLargeError
        When the interpreter has to bound what an evaluation costs.
    """
    compiler = _Compiler(key, configuration, preparer, compiled)
    steps = compiler.all_rules()
    defaults = tuple(compiler.ends.defaults.get(outcome, NONE) for outcome in OBSTACLES)
    flag = CompiledFlag(key, configuration, compiler.ends)
    above = [compiled[parent] for parent in compiler.above]
    flag.above |= compiler.above
    flag.steps = compiler.steps
    flag.draws = compiler.draws or any(parent.draws for parent in above)
    flag.traced = compiler.traced or any(parent.traced for parent in above)
    flag.height = compiler.height + max((parent.height for parent in above), default=0)
    if flag.height > HIGHEST:
        raise TooLargeError(f"{key!r} may take {flag.height} calls inside each other, more than {HIGHEST}")
    flag.budget = STEPS - flag.steps - sum(parent.steps for parent in above)
    if flag.budget < 0:
        raise TooLargeError(f"{key!r} may take {-flag.budget} steps more than an evaluation may")
    flag.interpreted = False
    flag.decide = _decided(steps, defaults, always_decides=compiler.always_decides)
    return flag.seal()


def _decided(steps: tuple[Step, ...], defaults: tuple[int, ...], *, always_decides: bool) -> Step:
    if len(steps) == 1 and always_decides:
        return steps[0]

    def decide(attributes: Attributes, run: Run = SHARED) -> int:
        obstacle = NEXT
        for step in steps:
            index = step(attributes, run)
            if index >= 0:
                return index
            if index != NEXT:
                obstacle = index
        return defaults[-1 - obstacle]

    return decide


class _Compiler:
    """Compiles the rules of one feature and adds up what they may cost."""

    def __init__(
        self, key: str, configuration: Configuration, preparer: Preparer, compiled: Mapping[str, CompiledFlag]
    ) -> None:
        self._key = key
        self._features = configuration.features
        self._preparer = preparer
        self._compiled = compiled
        feature = mapping(configuration.features[key])
        self._rules = array(feature.get("rules"))
        self.ends = Ends(feature)
        self.ends.default(Outcome.DEFAULT)
        self.always_decides = True
        self.above: frozenset[str] = frozenset()
        self.steps = 0
        self.height = 1
        self.draws = False
        self.traced = False

    def all_rules(self) -> tuple[Step, ...]:
        """Return the steps of all rules that are rules."""
        rules = [(position, rule) for position, rule in enumerate(self._rules) if is_object(rule)]
        return tuple(self._rule(position, rule, last=rule is rules[-1][1]) for position, rule in rules)

    def _rule(self, position: int, rule: Rule, *, last: bool) -> Step:
        """Return a rule's step: its parents, its filters, then what it decides."""
        # Each filter and each parent is one call inside the one before; unit, namespace, condition and hash are four.
        links = len(array(rule.get("filters"))) + len(array(rule.get("parentConditions"))) + 4
        self.height = max(self.height, 1 + links)
        exempt = is_exempt(text(rule.get("id")))
        self.always_decides = last and not exempt
        obstacles = Obstacles(self.ends, exempt=exempt, last=last)
        step = self._force(position, rule, obstacles) if "force" in rule else self._drawn(position, rule, obstacles)
        if rule.get("filters") is not None:
            step = with_filters(rule["filters"], obstacles, step)
        if rule.get("parentConditions") is not None:
            step = self._with_parents(position, rule["parentConditions"], obstacles, step)
        return step

    def _prepared(self, condition: Any) -> Prepared:
        prepared = self._preparer.prepare(condition)
        self.steps += prepared.steps
        self.draws |= prepared.draws
        return prepared

    def _force(self, position: int, rule: Rule, obstacles: Obstacles) -> Step:
        self.traced |= bool(rule.get("tracks"))
        step = rollout(self._key, rule, self.ends.forced(position, rule), obstacles)
        if rule.get("condition") is None:
            return step
        return with_condition(self._prepared(rule["condition"]), obstacles.code(Outcome.NOT_TARGETED), step)

    def _drawn(self, position: int, rule: Rule, obstacles: Obstacles) -> Step:
        """Return the step of a rule that draws a variation."""
        variations = _variations(rule)
        if not isinstance(variations, (list, tuple)) or len(variations) < FEWEST_VARIATIONS:
            self.always_decides = False
            return always(NEXT)
        if len(variations) > MOST_RANGES:
            raise TooLargeError(f"{len(variations)} variations are more than {MOST_RANGES}")
        experiment = features.described(self._key, rule, variations)
        attribute = text(experiment.get("hashAttribute"), "id")
        step = self._variation(position, rule, experiment, attribute, obstacles)
        checked = False
        if experiment.get("condition") is not None:
            missed = obstacles.code(Outcome.NOT_TARGETED)
            step, checked = with_condition(self._prepared(experiment["condition"]), missed, step), True
        if rule.get("filters") is None and experiment.get("namespace") is not None:
            step, checked = in_namespace(experiment["namespace"], attribute, obstacles, step), True
        return with_unit(attribute, obstacles.code(Outcome.NO_UNIT), step) if checked else step

    def _variation(
        self, position: int, rule: Rule, experiment: Mapping[str, Any], attribute: str, obstacles: Obstacles
    ) -> Step:
        missing, outside = obstacles.code(Outcome.NO_UNIT), obstacles.code(Outcome.NOT_IN_TRAFFIC)
        hashing = hashing_of(experiment, attribute, seed_of(experiment, experiment["key"]), RULE_HASH_VERSION)
        if hashing is None:
            self.ends.experiment(position, rule, experiment)
            return with_unit(attribute, missing, always(outside))
        first = self.ends.experiment(position, rule, experiment, hashing.buckets)
        self.ends.hashings[position] = hashing
        cells = experiment_cells(experiment, hashing.buckets)
        on = {index for index, meta in enumerate(array(experiment.get("meta"))) if _passes_through(meta)}
        self.traced |= bool(on)
        self.always_decides &= not on
        ends = [outside if owner == NONE else NEXT if owner in on else first + owner for owner in cells.owners]
        return placed(hashing, cells, ends, missing)

    def _with_parents(self, position: int, conditions: Any, obstacles: Obstacles, then: Step) -> Step:
        failed = obstacles.code(Outcome.PREREQUISITE)
        if not isinstance(conditions, (list, tuple)):
            return always(failed)
        for condition in reversed(conditions):
            if not isinstance(condition, Mapping) or not isinstance(condition.get("id"), str):
                then = always(failed)
                continue
            shut = self.ends.gate(position) if condition.get("gate") else failed
            wanted = condition.get("condition")
            then = self._with_parent(condition["id"], self._prepared({} if wanted is None else wanted), shut, then)
        return then

    def _with_parent(self, key: str, prepared: Prepared, shut: int, then: Step) -> Step:
        parent = self._compiled.get(key)
        if parent is None:
            return with_value(None, prepared, shut, then)
        self.above |= parent.above
        values = [{"value": end.value} for end in parent.terminals]
        decide, test = parent.decide, prepared.test
        # A condition that draws on no effort answers the same for ever: it is asked once for each end of the parent.
        met = None if prepared.draws else tuple(passes(test, value, SHARED.effort) for value in values)

        def step(attributes: Attributes, run: Run = SHARED) -> int:
            index = run.parents.get(key)
            if index is None:
                index = run.parents[key] = decide(attributes, run)
            passed = met[index] if met is not None else passes(test, values[index], run.effort)
            return then(attributes, run) if passed else shut

        return step


def with_value(value: Any, prepared: Prepared, shut: int, then: Step) -> Step:
    """Ask the next step only where the prepared condition is true of a parent flag's known value."""
    test, known = prepared.test, {"value": value}

    def step(attributes: Attributes, run: Run = SHARED) -> int:
        return then(attributes, run) if passes(test, known, run.effort) else shut

    return step


def _passes_through(meta: Any) -> bool:
    return mapping(meta).get("passthrough") is True
