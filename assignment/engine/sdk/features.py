"""What a feature's value is for a unit: its rules in order, then its default."""

from collections.abc import Mapping
from typing import Any

from assignment.engine.sdk.conditions import passes
from assignment.engine.sdk.context import Session
from assignment.engine.sdk.contextual import with_bandit
from assignment.engine.sdk.prerequisites import Parents, ask_parents
from assignment.engine.sdk.results import FeatureResult, Source
from assignment.engine.sdk.running import run
from assignment.engine.sdk.sticky import is_sticky
from assignment.engine.sdk.units import in_rollout, is_filtered_out, seed_of, unit_of
from assignment.engine.sdk.values import array, is_object, mapping, text, truthy

DEEPEST_CHAIN = 32
OF_AN_EXPERIMENT = frozenset((
    "weights", "hashAttribute", "fallbackAttribute", "disableStickyBucketing", "bucketVersion", "minBucketVersion",
    "namespace", "meta", "ranges", "name", "phase", "seed", "hashVersion", "filters", "condition",
))  # fmt: skip
WHERE_GIVEN = ("coverage", "bucketVersion", "minBucketVersion")
"""Fields whose 0 says something, so that the protocol copies it as well."""


def evaluate(key: str, session: Session) -> FeatureResult:
    """Return the value of a feature in an evaluation under way.

    A flag whose parents lead back to it is cyclic, and so is a chain of more than ``DEEPEST_CHAIN`` parents. Each
    parent is evaluated once, however many flags ask for it.
    """
    context = session.context
    if key in context.forced_features:
        return FeatureResult(value=context.forced_features[key], source=Source.OVERRIDE)
    if key in session.inside or len(session.inside) > DEEPEST_CHAIN:
        return FeatureResult(value=None, source=Source.CYCLIC_PREREQUISITE)
    if key not in context.features:
        return FeatureResult(value=None, source=Source.UNKNOWN_FEATURE)
    if key not in session.finished:
        session.finished[key] = _evaluate(key, mapping(context.features[key]), session.entering(key))
    return session.finished[key]


def _evaluate(key: str, feature: Mapping[str, Any], session: Session) -> FeatureResult:
    for rule in array(feature.get("rules")):
        result = by_rule(key, rule, session) if is_object(rule) else None
        if result is not None:
            return result
    return FeatureResult(value=feature.get("defaultValue"), source=Source.DEFAULT_VALUE)


def by_rule(key: str, rule: Mapping[str, Any], session: Session) -> FeatureResult | None:
    """Return what a rule decides, or None where the next one is to be asked."""
    match ask_parents(rule.get("parentConditions"), session):
        case Parents.CYCLIC:
            return FeatureResult(value=None, source=Source.CYCLIC_PREREQUISITE)
        case Parents.GATE_SHUT:
            return FeatureResult(value=None, source=Source.PREREQUISITE)
        case Parents.FAILED:
            return None
    filters = rule.get("filters")
    if filters is not None and is_filtered_out(filters, session.context.attributes):
        return None
    return _forced(key, rule, session) if "force" in rule else _experimented(key, rule, session)


def _forced(key: str, rule: Mapping[str, Any], session: Session) -> FeatureResult | None:
    context, condition = session.context, rule.get("condition")
    if condition is not None and not passes(context.attributes, condition, context.saved_groups, session.effort):
        return None
    fallback = rule.get("fallbackAttribute") if is_sticky(rule, context.sticky) else None
    if not in_rollout(rule, seed_of(rule, key), unit_of(context.attributes, rule.get("hashAttribute"), fallback)):
        return None
    if context.exposures is not None:
        context.exposures.report_tracks(rule.get("tracks"))
    return FeatureResult(value=rule["force"], source=Source.FORCE, rule_id=text(rule.get("id")))


def _experimented(key: str, rule: Mapping[str, Any], session: Session) -> FeatureResult | None:
    contextual = rule.get("contextualVariations")
    variations = rule.get("variations") if contextual is None else contextual
    if not isinstance(variations, (list, tuple)):
        return None
    experiment = with_bandit(described(key, rule, variations), rule.get("contextualBanditRef"), session)
    result = run(experiment, session, key)
    if not result.in_experiment or result.passthrough:
        return None
    if not result.hash_used:
        # A variation chosen by hand was not drawn by the bandit, so its propensities must not be reported.
        experiment = {name: value for name, value in experiment.items() if name != "contextualBandit"}
    return FeatureResult(
        value=result.value,
        source=Source.EXPERIMENT,
        rule_id=text(rule.get("id")),
        experiment=experiment,
        experiment_result=result,
    )


def described(key: str, rule: Mapping[str, Any], variations: Any) -> Mapping[str, Any]:
    """Return the experiment that a rule describes: the fields that the protocol copies."""
    experiment = {"key": text(rule.get("key"), key), "variations": variations}
    experiment |= {name: rule[name] for name in WHERE_GIVEN if rule.get(name) is not None}
    return experiment | {name: value for name, value in rule.items() if name in OF_AN_EXPERIMENT and truthy(value)}
