"""A flag prepared once: every end that its evaluation may have, and the way to the one of a unit."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from assignment.engine.ends import Ends
from assignment.engine.interpreted import Answer, answers, last_obstacle, session_of
from assignment.engine.native import NATIVE
from assignment.engine.rules import SHARED, AccountedRun, Attributes, Run, Step
from assignment.engine.sdk import features
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.effort import REGEX_SECONDS, Effort
from assignment.engine.sdk.results import ExperimentResult, FeatureResult, Source
from assignment.engine.sdk.values import unit_text
from assignment.engine.targeting import OverBudgetError
from assignment.engine.terminals import Outcome, Terminal

Choice = Callable[[Attributes], int]
Evaluation = Callable[[Attributes], FeatureResult]
Draw = Callable[[str, int], FeatureResult]
NO_BANDIT: Mapping[str, Any] = {}


class Configuration(Struct, frozen=True, kw_only=True):
    """What all flags of a program share."""

    features: Mapping[str, Any]
    saved_groups: Mapping[str, Any]
    contextual_bandits: Mapping[str, Any]

    def context(self, attributes: Attributes, **options: Any) -> Context:
        """Return the interpreter's context for these attributes."""
        given = {"contextual_bandits": self.contextual_bandits, **options}
        return Context(attributes=attributes, features=self.features, saved_groups=self.saved_groups, **given)


class CompiledFlag:
    """One feature, ready to be asked.

    Attributes
    ----------
    key
        The feature's key.
    terminals
        Every end that the evaluation may have.
    choose
        Returns the index of a unit's terminal; called with the attributes.
    evaluate
        Returns the protocol's result; called with the attributes.
    interpreted
        Whether the interpreter is asked every time: a cycle, a contextual bandit, a configuration beyond all bounds.
    budget
        The steps that are left for the elements of arrays, where the interpreter is not asked.
    draws
        Whether an evaluation draws on its effort: for regular expressions and for arrays.
    traced
        Whether exposures have to be traced by the interpreter.
    steps
        The most steps that the interpreter takes for this feature alone.
    above
        The keys of all features that may be asked: its own, its parents', theirs.
    height
        The most calls that stand inside each other in an evaluation, those of parents included, conditions not.
    """

    __slots__ = (
        "_draw", "_ends", "_fixed", "above", "budget", "choose", "configuration", "decide", "draws", "evaluate",
        "height", "interpreted", "key", "steps", "terminals", "traced",
    )  # fmt: skip

    def __init__(self, key: str, configuration: Configuration, ends: Ends) -> None:
        self.key = key
        self.configuration = configuration
        self.terminals: tuple[Terminal, ...] = ()
        self._ends = ends
        self.decide: Step = self._decide_by_interpreter
        self.choose: Choice = self.choose_by_interpreter
        self.interpreted = True
        self.draws = False
        self.traced = False
        self.steps = 0
        self.budget = 0
        self.height = 0
        self.above: frozenset[str] = frozenset((key,))
        self.evaluate: Evaluation = self.evaluate_by_interpreter
        self._fixed: tuple[FeatureResult | None, ...] = ()
        self._draw: tuple[Draw, ...] = ()

    def seal(self) -> "CompiledFlag":
        """Keep the ends that were found, with the results that are the same for every unit."""
        self.terminals = tuple(self._ends.terminals)
        self._fixed = tuple(map(_fixed, self.terminals))
        if not self.interpreted:
            self._draw = tuple(_drawing(self.key, end) for end in self.terminals)
            alone = not self.draws and len(self.above) == 1
            self.choose = self.decide if alone else self.choose_afresh
            self.evaluate = _evaluation(self) if alone else self.evaluate_afresh
        return self

    def _decide_by_interpreter(self, attributes: Attributes, _: Run = SHARED) -> int:
        return self.choose_by_interpreter(attributes)

    def choose_by_interpreter(self, attributes: Attributes, seconds: float = REGEX_SECONDS) -> int:
        """Return the index of a unit's terminal as the interpreter finds it."""
        context = self.configuration.context(attributes)
        passed_over: list[Answer] = []
        for answer in answers(context, self.key, seconds):
            if answer.result is not None:
                return self._end_of(answer.position, answer.result)
            passed_over.append(answer)
        outcome = last_obstacle(context, self.key, passed_over)
        return self._ends.defaults.get(outcome, self._ends.defaults[Outcome.DEFAULT])

    def _end_of(self, position: int, result: FeatureResult) -> int:
        if result.source is Source.CYCLIC_PREREQUISITE:
            return next(i for i, end in enumerate(self.terminals) if end.source is Source.CYCLIC_PREREQUISITE)
        if result.source is Source.PREREQUISITE:
            return self._ends.gates[position]
        variation = result.experiment_result.variation_id if result.experiment_result else 0
        return self._ends.of_rule[position] + variation

    def start(self) -> Run:
        """Return a fresh evaluation of this flag."""
        run = Run()
        if self.draws:
            run = AccountedRun()
            run.effort = Effort(steps=self.budget)
        run.parents = {}
        return run

    def choose_afresh(self, attributes: Attributes) -> int:
        """Return the index of a unit's terminal, in an evaluation of its own."""
        run = self.start()
        try:
            return self.decide(attributes, run)
        except OverBudgetError:
            return self.choose_by_interpreter(attributes, run.effort.seconds)

    def evaluate_afresh(self, attributes: Attributes) -> FeatureResult:
        """Return the protocol's result for a unit, in an evaluation that keeps account of its work and parents."""
        run = self.start()
        try:
            index = self.decide(attributes, run)
        except OverBudgetError:
            return self.evaluate_by_interpreter(attributes, run.effort.seconds)
        return self._fixed[index] or self._draw[index](run.unit, run.bucket)

    def evaluate_by_interpreter(self, attributes: Attributes, seconds: float = REGEX_SECONDS) -> FeatureResult:
        """Return the protocol's result for a unit as the interpreter finds it."""
        return features.evaluate(self.key, session_of(self.configuration.context(attributes), seconds))

    def drawn(self, index: int, attributes: Attributes) -> ExperimentResult | None:
        """Return what an experiment did with a unit that ends at a terminal, or None where none decided."""
        if self._fixed[index] is not None:
            return None
        hashing = self._ends.hashings[self.terminals[index].rule]
        unit = unit_text(attributes.get(hashing.attribute))
        return self._draw[index](unit, hashing.bucket(unit)).experiment_result


def _fixed(end: Terminal) -> FeatureResult | None:
    """Return the result of a terminal that is the same for every unit."""
    if end.source is Source.EXPERIMENT:
        return None
    return FeatureResult(value=end.value, source=end.source, rule_id=end.rule_id)


def _drawing(key: str, end: Terminal) -> Draw:
    """Return how the result of an experiment's terminal follows from the unit and its bucket."""
    value, source, rule_id, experiment, buckets = end.value, end.source, end.rule_id, end.experiment, end.buckets
    variation, variant, name, attribute = end.variation, end.variant_key, end.variant_name, end.hash_attribute

    def draw(unit: str, bucket: int) -> FeatureResult:
        # Positional, for this is done for every unit: names would take half as long again.
        share = bucket / buckets
        result = ExperimentResult(
            True, variation, value, variant, True, attribute, unit, key, False, share, name, False, NO_BANDIT
        )
        return FeatureResult(value, source, rule_id, experiment, result)

    return draw


def _evaluation(flag: CompiledFlag) -> Evaluation:
    """Return how a flag without parents and without arrays or patterns is evaluated."""
    decide, fixed, draw = flag.decide, flag._fixed, flag._draw
    if NATIVE is not None and isinstance(decide, NATIVE.Placement):
        place = decide.place

        def evaluate_compiled(attributes: Attributes) -> FeatureResult:
            index, unit, bucket = place(attributes)
            return fixed[index] or draw[index](unit, bucket)

        return evaluate_compiled

    def evaluate(attributes: Attributes) -> FeatureResult:
        run = Run()
        index = decide(attributes, run)
        return fixed[index] or draw[index](run.unit, run.bucket)

    return evaluate
