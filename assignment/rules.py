"""Experiments as rules of the SDK protocol: overrides, holdout, the experiment itself, and what was shipped."""

from collections.abc import Iterable
from typing import Any

from assignment.engine.bucketing import bucket_ranges
from assignment.engine.hashing import BUCKETS
from assignment.served import ExperimentRow, PrerequisiteRow, VariantRow, hash_attribute
from experiments.domain.kinds import ExperimentKind, ValueType
from experiments.domain.lifecycle import Status

Rule = dict[str, Any]
Named = tuple[Rule, str]
"""A rule with the variant that it stands for; empty where the rule splits units and each gets its own."""

HASH_VERSION = 2
FEWEST_VARIANTS = 2
INTERLEAVED, NOT_INTERLEAVED = "interleaved", "control"
HELD_OUT, TAKES_PART, GENERAL = "holdoutcontrol", "holdouttreatment", "genpop"


def holdout_feature(key: str) -> str:
    """Return the key of the hidden feature that says whether a unit is held out."""
    return f"$holdout:{key}"


def values_of(experiment: ExperimentRow, value_type: str = "") -> list[Any]:
    """Return what the variants serve: the value set by hand or the variant's key, numbers all of one type.

    Typed clients refuse ``1`` for a flag of fractions, so one variant's fraction makes floats of all. A holdout's
    values are the protocol's own words.
    """
    if experiment.kind == ExperimentKind.HOLDOUT:
        return [HELD_OUT, TAKES_PART]
    values = [variant.key if variant.value is None else variant.value for variant in experiment.variants]
    numbers = all(type(value) in (int, float) for value in values)
    if numbers and (value_type == ValueType.NUMBER or any(type(value) is float for value in values)):
        return [float(value) for value in values]
    return values


def type_of(values: Iterable[Any]) -> ValueType:
    """Return the type of an experiment's values."""
    kinds = {type(value) for value in values}
    named = {bool: ValueType.BOOLEAN, str: ValueType.STRING, int: ValueType.INTEGER, float: ValueType.NUMBER}
    return named.get(kinds.pop(), ValueType.OBJECT) if len(kinds) == 1 else ValueType.OBJECT


def problem_of(experiment: ExperimentRow) -> str | None:
    """Return why an experiment cannot be served, or None."""
    keys = [variant.key for variant in experiment.variants]
    if not experiment.salt:
        return "it has no salt, so its split would equal that of others."
    if len(keys) < FEWEST_VARIANTS:
        return f"it has {len(keys)} variants; it needs {FEWEST_VARIANTS} or more."
    if len(set(keys)) < len(keys) or not all(keys):
        return f"its variants are {keys}; each needs a key of its own."
    if experiment.kind == ExperimentKind.HOLDOUT and len(keys) != FEWEST_VARIANTS:
        return f"it is a holdout with the variants {keys}; it needs the held-out and an equal slice of the rest."
    try:
        bucket_ranges([variant.weight for variant in experiment.variants], experiment.allocation)
    except ValueError as error:
        return str(error)
    return _layer_problem(experiment) or _holdback_problem(experiment)


def _layer_problem(experiment: ExperimentRow) -> str | None:
    if any(not 0 <= start < end <= BUCKETS for start, end in experiment.layer_ranges):
        return f"its places in the layer are {experiment.layer_ranges}; each is [start, end) within {BUCKETS}."
    if experiment.layer_salt is not None and not experiment.layer_ranges and experiment.status == Status.RUNNING:
        return "it runs in a layer and holds no place there, so nobody could take part."
    return None


def _holdback_problem(experiment: ExperimentRow) -> str | None:
    own = experiment.variants[0].weight
    if experiment.holdback_share > own:
        return (
            f"its holdback is {experiment.holdback_share} of {BUCKETS} and its control had {own}: "
            "units that had the shipped variant would lose it."
        )
    return None


def parent_conditions(prerequisites: Iterable[PrerequisiteRow]) -> list[Rule]:
    """Return the parents that must have a value; without a gate, so that a unit falls through to the default."""
    return [{"id": parent.key, "condition": {"value": parent.value}} for parent in prerequisites]


def override_rules(experiment: ExperimentRow, values: list[Any]) -> list[Named]:
    """Return one forcing rule for each variant that units get by hand; clients report no exposure for it."""
    attribute = hash_attribute(experiment.unit_type)
    rules = []
    for number, (variant, value) in enumerate(zip(experiment.variants, values, strict=True)):
        units = sorted(one.unit for one in experiment.overrides if one.variant == variant.key)
        if units:
            condition = {attribute: {"$in": units}}
            rules.append(({"id": f"override:{number}", "condition": condition, "force": value}, variant.key))
    return rules


def holdout_rules(holdouts: Iterable[ExperimentRow], experiment: ExperimentRow, values: list[Any]) -> list[Named]:
    """Return the rules that give held-out units the control's value."""
    control = experiment.variants[0].key
    return [({"id": "holdout", "parentConditions": [_held_out(one)], "force": values[0]}, control) for one in holdouts]


def _held_out(holdout: ExperimentRow) -> Rule:
    return {"id": holdout_feature(holdout.key), "condition": {"value": HELD_OUT}}


def experiment_rule(experiment: ExperimentRow, values: list[Any]) -> Rule:
    """Return the rule that splits units, without the conditions for whom it is."""
    rule: Rule = {
        "id": "experiment",
        "key": experiment.key,
        "name": experiment.name,
        "phase": str(experiment.phase - 1),
        "seed": experiment.salt,
        "hashVersion": HASH_VERSION,
        "hashAttribute": hash_attribute(experiment.unit_type),
        "variations": values,
        "weights": [variant.weight / BUCKETS for variant in experiment.variants],
        "coverage": experiment.allocation / BUCKETS,
        "meta": [_meta(variant) for variant in experiment.variants],
    }
    if experiment.fallback_unit_type:
        rule["fallbackAttribute"] = hash_attribute(experiment.fallback_unit_type)
    if experiment.bucket_version:
        rule["bucketVersion"] = experiment.bucket_version
    if experiment.min_bucket_version:
        rule["minBucketVersion"] = experiment.min_bucket_version
    return rule | layer_filter(experiment)


def interleaved_rule(experiment: ExperimentRow) -> Rule:
    """Return the rule that gives its share of units mixed lists; no split, so that no exposure follows from it."""
    return {
        "id": "interleaved",
        "force": INTERLEAVED,
        "range": [0.0, experiment.allocation / BUCKETS],
        "seed": experiment.salt,
        "hashVersion": HASH_VERSION,
        "hashAttribute": hash_attribute(experiment.unit_type),
    }


def _meta(variant: VariantRow) -> Rule:
    return {"key": variant.key, "name": variant.name} if variant.name else {"key": variant.key}


def layer_filter(experiment: ExperimentRow) -> Rule:
    """Return the filter that keeps an experiment to its places in a layer; a draft may hold none yet."""
    if experiment.layer_salt is None or not experiment.layer_ranges:
        return {}
    ranges = [[start / BUCKETS, end / BUCKETS] for start, end in experiment.layer_ranges]
    attribute = hash_attribute(experiment.unit_type)
    return {
        "filters": [
            {"attribute": attribute, "seed": experiment.layer_salt, "hashVersion": HASH_VERSION, "ranges": ranges}
        ]
    }


def shipped_rules(experiment: ExperimentRow, values: list[Any], holdback: ExperimentRow | None) -> list[Named]:
    """Return the rules of a stopped experiment: none, or the shipped variant, with a holdback that goes on measuring.

    A holdback splits by the experiment's own seed and keeps the first buckets, which were the control's; and only
    within the experiment's places in its layer, for elsewhere nobody was in the control. A variant shipped to a share
    reaches the last buckets and whoever had it before, so that nobody moves away from it.
    """
    index = next((i for i, variant in enumerate(experiment.variants) if variant.key == experiment.shipped), None)
    if index is None:
        return []
    key = experiment.variants[index].key
    cut = experiment.holdback_share / BUCKETS if holdback is not None and index > 0 else 0.0
    start = max(cut, (BUCKETS - experiment.shipped_share) / BUCKETS)
    chosen: list[Named] = []
    if holdback is not None and cut:
        chosen.append((_holdback_rule(experiment, values, holdback, index, (cut, start)), ""))
    if experiment.shipped_share >= BUCKETS:
        return [*chosen, ({"id": "shipped", "force": values[index]}, key)]
    first, end = bucket_ranges([v.weight for v in experiment.variants], experiment.allocation)[index]
    before = _within(experiment, values[index], first / BUCKETS, end / BUCKETS) | layer_filter(experiment)
    return [*chosen, (before, key), (_within(experiment, values[index], start, 1.0), key)]


def _within(experiment: ExperimentRow, value: Any, start: float, end: float) -> Rule:
    return {
        "id": "shipped",
        "force": value,
        "range": [start, end],
        "seed": experiment.salt,
        "hashVersion": HASH_VERSION,
        "hashAttribute": hash_attribute(experiment.unit_type),
    }


def _holdback_rule(
    experiment: ExperimentRow, values: list[Any], holdback: ExperimentRow, index: int, cuts: tuple[float, float]
) -> Rule:
    cut, start = cuts
    # While the variant reaches a share alone, as large a share of those held back is compared: the split is one split
    # from the first day, and both sides only grow.
    compared = (1 - start) / (1 - cut)
    return experiment_rule(experiment, values) | {
        "id": "holdback",
        "key": holdback.key,
        "name": holdback.name,
        "phase": str(holdback.phase - 1),
        "variations": [values[0], values[index]],
        "weights": [cut, 1 - cut],
        "coverage": 1.0,
        "ranges": [[0.0, cut * compared], [start, 1.0]],
        "meta": [_meta(experiment.variants[0]), _meta(experiment.variants[index])],
    }
