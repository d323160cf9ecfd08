"""The simulator's answers: for each flag and experiment the value, the variant, and why, rule by rule."""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assignment.engine.terminals import Explanation, Outcome, RuleAnswer
from assignment.pages.serving import Served
from assignment.pages.words import REASONS, passed_over, rule_title
from assignment.served import FlagFacts, hash_attribute
from experiments.domain.targeting import NOT, SEGMENT
from experiments.domain.units import UnitType
from experiments.forms.conditions import in_words

HIDDEN = "$"
MOST_ANSWERS = 200
SAMPLE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rule that was asked: its name, whom it is for, what it said, and the unit's place."""

    title: str
    whom: str
    said: str
    decided: bool
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the unit gets of one flag or experiment, and why."""

    key: str
    name: str
    kind: str
    value: Any
    variant: str
    reason: str
    is_live: bool
    steps: list[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How many of a sample get one variant, for one reason."""

    variant: str
    reason: str
    units: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What people call things: the rules of flags by their id, and segments by their key."""

    rules: Mapping[str, str]
    segments: Mapping[str, str]


def answers(served: Served, attributes: Mapping[str, Any], wanted: str, names: Names) -> list[Answer]:
    """Answer for every flag and experiment whose key or name contains ``wanted``; experiments first."""
    keys = [key for key, facts in served.facts.items() if not key.startswith(HIDDEN) and _fits(key, facts, wanted)]
    keys.sort(key=lambda key: (served.facts[key].kind != "experiment", served.facts[key].name.lower(), key))
    return [_answer(served, key, attributes, names) for key in keys[:MOST_ANSWERS]]


def _fits(key: str, facts: FlagFacts, wanted: str) -> bool:
    return not wanted or wanted.lower() in key.lower() or wanted.lower() in facts.name.lower()


def _answer(served: Served, key: str, attributes: Mapping[str, Any], names: Names) -> Answer:
    facts, found = served.facts[key], served.program.explain(key, dict(attributes))
    outcome = _outcome(facts, found.outcome)
    return Answer(
        key=key,
        name=facts.name or key,
        kind=facts.kind,
        value=found.result.value,
        variant=_variant(facts, found),
        reason=REASONS[outcome],
        is_live=outcome not in (Outcome.DISABLED, Outcome.STOPPED, Outcome.PAUSED),
        steps=list(_steps(served, key, found, names)),
    )


def _outcome(facts: FlagFacts, found: Outcome) -> Outcome:
    """Return the reason, which for something that is off lies outside its rules."""
    if found is not Outcome.DEFAULT:
        return found
    states = {"paused": Outcome.PAUSED, "stopped": Outcome.STOPPED, "disabled": Outcome.DISABLED}
    return states.get(facts.status, found)


def _variant(facts: FlagFacts, found: Explanation) -> str:
    decided = next((rule for rule in found.rules if rule.decided), None)
    if decided is None:
        return facts.default_variant
    return decided.variant_key or (facts.variants[decided.rule] if decided.rule < len(facts.variants) else "")


def _steps(served: Served, key: str, found: Explanation, names: Names) -> Iterator[Step]:
    rules: Any = served.features[key].get("rules", [])
    for answer in found.rules:
        rule = rules[answer.rule]
        yield Step(
            title=rule_title(rule, names.rules),
            whom=in_words(_by_segment(rule["condition"]), names.segments) if "condition" in rule else "",
            said=_said(answer),
            decided=answer.decided,
            place=_place(answer),
        )


def _by_segment(condition: Any) -> Any:
    """Return a served condition with its lists named as segments again."""
    if isinstance(condition, list):
        return [_by_segment(part) for part in condition]
    if not isinstance(condition, Mapping):
        return condition
    return dict(_entry_by_segment(name, wanted) for name, wanted in condition.items())


def _entry_by_segment(name: str, wanted: Any) -> tuple[str, Any]:
    match wanted:
        case {"$inGroup": str(key)} if len(wanted) == 1:
            return SEGMENT, key
        case {"$notInGroup": str(key)} if len(wanted) == 1:
            return NOT, {SEGMENT: key}
    return name, _by_segment(wanted)


def _said(answer: RuleAnswer) -> str:
    if not answer.decided:
        return f"Passed over: {passed_over(answer.outcome, answer.rule_id)}"
    return f"Decides: {answer.variant_key}" if answer.variant_key else "Decides"


def _place(answer: RuleAnswer) -> str:
    return "" if answer.bucket is None else f"place {answer.bucket:,} of {answer.buckets:,}"


def sample(served: Served, key: str, attributes: Mapping[str, Any]) -> list[Part]:
    """Ask for 1,000 units with random ids and these attributes, and count who gets what and why."""
    counted: Counter[tuple[str, str]] = Counter()
    facts = served.facts[key]
    flag = served.program.flag(key)
    if flag is None:
        return []
    named_by = [hash_attribute(kind) for kind in UnitType]
    drawn = secrets.token_hex(8 * SAMPLE)
    for place in range(0, len(drawn), 16):
        unit = dict.fromkeys(named_by, drawn[place : place + 16])
        chosen = flag.terminals[flag.choose({**attributes, **unit})]
        variant = chosen.variant_key or (facts.variants[chosen.rule] if chosen.rule >= 0 else facts.default_variant)
        counted[variant, REASONS[_outcome(facts, chosen.outcome)]] += 1
    return [
        Part(variant=variant, reason=reason, units=units, share=units / SAMPLE)
        for (variant, reason), units in counted.most_common()
    ]
