"""How a flag's value comes about, rule by rule, for people who ask why."""

from typing import Any

from assignment.engine.interpreted import Answer, answers, last_obstacle, why_not
from assignment.engine.placing import hashing_of
from assignment.engine.sdk import features
from assignment.engine.sdk.context import Context
from assignment.engine.sdk.evaluating import evaluate_feature
from assignment.engine.sdk.results import FeatureResult, Source
from assignment.engine.sdk.units import RULE_HASH_VERSION, seed_of, unit_of
from assignment.engine.sdk.values import array, mapping, text
from assignment.engine.terminals import Explanation, Outcome, RuleAnswer, forced_outcome


def explain(context: Context, key: str) -> Explanation:
    """Return the result of a feature with what each of its rules said."""
    result = evaluate_feature(context, key)
    if key not in context.features or result.source is Source.OVERRIDE:
        outcome = Outcome.OVERRIDE if result.source is Source.OVERRIDE else Outcome.DEFAULT
        return Explanation(key=key, result=result, outcome=outcome, rules=())
    asked = list(answers(context, key))
    rules = tuple(_rule_answer(context, key, answer) for answer in asked)
    decided = bool(asked) and asked[-1].result is not None
    outcome = rules[-1].outcome if decided else last_obstacle(context, key, asked)
    return Explanation(key=key, result=result, outcome=outcome, rules=rules)


def _rule_answer(context: Context, key: str, answer: Answer) -> RuleAnswer:
    rule, result = answer.rule, answer.result
    outcome = why_not(context, key, rule) if result is None else _decision(result)
    bucket, buckets = _bucket(context, key, rule)
    experiment = text(rule.get("key"), key) if "force" not in rule and array(rule.get("variations")) else ""
    drawn = result.experiment_result if result is not None else None
    return RuleAnswer(
        rule=answer.position,
        rule_id=text(rule.get("id")),
        outcome=outcome,
        decided=result is not None,
        bucket=bucket,
        buckets=buckets,
        experiment_key=experiment,
        variant_key=drawn.key if drawn is not None else "",
    )


def _decision(result: FeatureResult) -> Outcome:
    drawn = result.experiment_result
    if drawn is not None:
        return Outcome.ASSIGNED if drawn.hash_used else Outcome.OVERRIDE
    return forced_outcome(result.rule_id) if result.source is Source.FORCE else Outcome.PREREQUISITE


def _bucket(context: Context, key: str, rule: Any) -> tuple[int | None, int | None]:
    """Return the unit's bucket under a rule, and of how many, where the rule hashes one."""
    source = rule
    if "force" in rule:
        if rule.get("range") is None and rule.get("coverage") is None:
            return None, None
        seed = seed_of(rule, key)
    else:
        source = mapping(features.described(key, rule, rule.get("variations")))
        seed = seed_of(source, source["key"])
    attribute, unit = unit_of(context.attributes, source.get("hashAttribute"))
    hashing = hashing_of(source, attribute, seed, RULE_HASH_VERSION)
    return (None, None) if hashing is None or not unit else (hashing.bucket(unit), hashing.buckets)
