"""Asking the reference interpreter, rule by rule: for what is rare, and for why a rule was passed over."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from assignment.engine.rules import FEWEST_VARIATIONS
from assignment.engine.sdk import features
from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.context import Context, Session
from assignment.engine.sdk.effort import REGEX_SECONDS, Effort
from assignment.engine.sdk.prerequisites import Parents, ask_parents
from assignment.engine.sdk.results import FeatureResult
from assignment.engine.sdk.running import run
from assignment.engine.sdk.sticky import is_sticky
from assignment.engine.sdk.units import in_namespace, lets_in, unit_of
from assignment.engine.sdk.values import array, is_object, mapping, text
from assignment.engine.terminals import Outcome, is_exempt

Rule = Mapping[str, Any]


class Answer(Struct, frozen=True):
    """What one rule answered; ``result`` is None where it was passed over."""

    position: int
    rule: Rule
    result: FeatureResult | None


def session_of(context: Context, seconds: float = REGEX_SECONDS) -> Session:
    """Return a fresh evaluation, with what is left of its seconds for regular expressions."""
    return Session(context=context, evaluate=features.evaluate, effort=Effort(seconds=seconds))


def answers(context: Context, key: str, seconds: float = REGEX_SECONDS) -> Iterator[Answer]:
    """Yield the answer of each rule up to the one that decides, as the interpreter gives it."""
    session = session_of(context, seconds).entering(key)
    for position, rule in enumerate(array(mapping(context.features.get(key)).get("rules"))):
        if is_object(rule):
            result = features.by_rule(key, rule, session)
            yield Answer(position, rule, result)
            if result is not None:
                return


def last_obstacle(context: Context, key: str, passed_over: list[Answer]) -> Outcome:
    """Return why the last rule that was meant for everyone did not reach this unit."""
    for answer in reversed(passed_over):
        if is_exempt(text(answer.rule.get("id"))):
            continue
        outcome = why_not(context, key, answer.rule)
        if outcome is not Outcome.DEFAULT:
            return outcome
    return Outcome.DEFAULT


def why_not(context: Context, key: str, rule: Rule) -> Outcome:
    """Return what kept the unit from a rule that was passed over; DEFAULT where the rule itself says nothing."""
    session = session_of(context).entering(key)
    if ask_parents(rule.get("parentConditions"), session) is not Parents.MET:
        return Outcome.PREREQUISITE
    filters = rule.get("filters")
    if filters is not None and (obstacle := _at_filters(filters, context.attributes)):
        return obstacle
    return _of_force(rule, session) if "force" in rule else _of_experiment(key, rule, session)


def _at_filters(filters: Any, attributes: Mapping[str, Any]) -> Outcome | None:
    if not isinstance(filters, (list, tuple)):
        return Outcome.OTHER_EXPERIMENT
    for one in filters:
        if not is_object(one):
            return Outcome.OTHER_EXPERIMENT
        if not lets_in(one, attributes):
            return Outcome.OTHER_EXPERIMENT if unit_of(attributes, one.get("attribute"))[1] else Outcome.NO_UNIT
    return None


def _of_force(rule: Rule, session: Session) -> Outcome:
    condition = rule.get("condition")
    if condition is not None and not _passes(condition, session):
        return Outcome.NOT_TARGETED
    if rule.get("range") is None and rule.get("coverage") == 0:
        return Outcome.NOT_IN_TRAFFIC
    return Outcome.NOT_IN_TRAFFIC if _unit(rule, session) else Outcome.NO_UNIT


def _of_experiment(key: str, rule: Rule, session: Session) -> Outcome:
    variations = rule.get("variations") if rule.get("contextualVariations") is None else rule["contextualVariations"]
    if not isinstance(variations, (list, tuple)) or len(variations) < FEWEST_VARIATIONS:
        return Outcome.DEFAULT
    experiment = features.described(key, rule, variations)
    unit, namespace, condition = _unit(experiment, session), experiment.get("namespace"), experiment.get("condition")
    if not unit:
        return Outcome.NO_UNIT
    if rule.get("filters") is None and namespace is not None and not in_namespace(unit, namespace):
        return Outcome.OTHER_EXPERIMENT
    if condition is not None and not _passes(condition, session):
        return Outcome.NOT_TARGETED
    return Outcome.DEFAULT if run(experiment, session, key).in_experiment else Outcome.NOT_IN_TRAFFIC


def _passes(condition: Any, session: Session) -> bool:
    context = session.context
    return passes(context.attributes, condition, context.saved_groups, session.effort)


def _unit(source: Rule, session: Session) -> str:
    context = session.context
    fallback = source.get("fallbackAttribute") if is_sticky(source, context.sticky) else None
    return unit_of(context.attributes, source.get("hashAttribute"), fallback)[1]
