"""Publish a project for one environment: rows become the SDK protocol's own feature document.

Every door evaluates this document, so that an app that asks and an app that evaluates by itself agree to the bucket.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from assignment import rules
from assignment.engine.hashing import BUCKETS
from assignment.engine.program import parents_first, parents_of
from assignment.programs import reached
from assignment.rules import Named, Rule
from assignment.segments import SegmentError, Segments
from assignment.served import (
    ExperimentRow,
    FlagFacts,
    FlagRow,
    PrerequisiteRow,
    ProjectRows,
    RuleRow,
    hash_attribute,
)
from experiments.domain.environments import Environment
from experiments.domain.kinds import ExperimentKind, RuleKind, ValueType
from experiments.domain.lifecycle import Status

FLAG_KEY = re.compile(r"[A-Za-z0-9._-]+")
SERVED_KINDS = (
    ExperimentKind.STANDARD,
    ExperimentKind.INTERLEAVING,
    ExperimentKind.BANDIT,
    ExperimentKind.SWITCHBACK,
)
"""Kinds that apps ask for by their own key."""
DEFAULT_VARIANT = "default"
DISABLED, ON, SHIPPED = "disabled", "on", "shipped"
BAD_KEY = "its key may hold only letters, digits, dots, underscores and hyphens."


class RefusedError(ValueError):
    """A flag or experiment cannot be published; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Features and saved groups in the protocol's terms, what doors say beside, and what could not be published."""

    features: dict[str, Rule]
    saved_groups: dict[str, list[str]]
    facts: dict[str, FlagFacts]
    refused: dict[str, str]


def publish(project: ProjectRows, environment: str) -> Document:
    """Return the project's document for one environment.

    Parameters
    ----------
    project
        Every flag and experiment of the project with what they refer to.
    environment
        Drafts are served as if they ran everywhere but in production, so that teams can try them.

    Returns
    -------
    Document
        In the order of the keys. Something that cannot be published is in ``refused`` with the reason, and all else
        is published.
    """
    return _Publisher(project, environment).document()


class _Publisher:
    def __init__(self, project: ProjectRows, environment: str) -> None:
        self._environment = environment
        self._flags = project.flags
        self._segments = Segments(project.segments)
        served = [one for one in project.experiments if self._is_served(one)]
        self._experiments = {one.key: one for one in served}
        self._holdouts = [one for one in served if one.kind == ExperimentKind.HOLDOUT and self._runs(one)]
        self._holdbacks = {
            one.parent: one for one in served if one.kind == ExperimentKind.HOLDBACK and self._runs(one) and one.parent
        }

    def document(self) -> Document:
        features: dict[str, Rule] = {}
        facts: dict[str, FlagFacts] = {}
        refused: dict[str, str] = {}
        for key, row in sorted(self._rows(), key=lambda entry: entry[0]):
            try:
                if key in features or key in refused:
                    raise RefusedError("its key is there twice.")
                features[key], facts[key] = self._flag(row) if isinstance(row, FlagRow) else self._experiment(row)
            except (RefusedError, SegmentError) as error:
                refused[key] = str(error)
        for key in cyclic(features):
            del features[key], facts[key]
            refused[key] = "its prerequisites lead back to itself, so that none of them could ever be met."
        return Document(features=features, saved_groups=self._segments.saved_groups(), facts=facts, refused=refused)

    def _rows(self) -> Iterator[tuple[str, FlagRow | ExperimentRow]]:
        for flag in self._flags:
            yield flag.key, flag
        for one in self._experiments.values():
            if one.kind in SERVED_KINDS:
                yield one.key, one
        for holdout in self._holdouts:
            yield rules.holdout_feature(holdout.key), holdout

    def _is_served(self, one: ExperimentRow) -> bool:
        return one.status != Status.DRAFT or self._environment != Environment.PRODUCTION

    def _is_here(self, one: ExperimentRow) -> bool:
        return self._environment in one.environments

    def _runs(self, one: ExperimentRow) -> bool:
        return self._is_here(one) and one.status in (Status.RUNNING, Status.DRAFT)

    def _status(self, one: ExperimentRow) -> str:
        if not self._is_here(one):
            return DISABLED
        if one.status == Status.STOPPED and one.shipped is not None:
            return SHIPPED
        return str(Status.RUNNING if one.status == Status.DRAFT else one.status)

    # Experiments

    def _experiment(self, one: ExperimentRow) -> tuple[Rule, FlagFacts]:
        self._check(one)
        if one.kind == ExperimentKind.INTERLEAVING:
            return self._interleaving(one)
        values = rules.values_of(one)
        chosen = self._rules_of(one, values) if self._is_here(one) else []
        is_holdout = one.kind == ExperimentKind.HOLDOUT
        found = FlagFacts(
            kind="holdout" if is_holdout else "experiment",
            status=self._status(one),
            value_type=rules.type_of(values),
            name=one.name,
            unit_type=one.unit_type,
            default_variant=rules.GENERAL if is_holdout else one.variants[0].key,
            variants=tuple(variant for _, variant in chosen),
        )
        default = rules.GENERAL if is_holdout else values[0]
        return {"defaultValue": default, "rules": [rule for rule, _ in chosen]}, self._with_models(found, [one])

    def _interleaving(self, one: ExperimentRow) -> tuple[Rule, FlagFacts]:
        """Return who sees mixed lists; the two rankers are no variants of a unit, which sees them both."""
        chosen: list[Named] = []
        if self._runs(one):
            rule = self._for_whom(rules.interleaved_rule(one), [one.targeting], one.prerequisites)
            chosen = [(rule, rules.INTERLEAVED)]
        found = FlagFacts(
            kind=ExperimentKind.INTERLEAVING,
            status=self._status(one),
            value_type=ValueType.STRING,
            name=one.name,
            unit_type=one.unit_type,
            default_variant=rules.NOT_INTERLEAVED,
            variants=tuple(variant for _, variant in chosen),
        )
        return {"defaultValue": rules.NOT_INTERLEAVED, "rules": [rule for rule, _ in chosen]}, found

    def _check(self, one: ExperimentRow) -> None:
        problem = BAD_KEY if not FLAG_KEY.fullmatch(one.key) else rules.problem_of(one)
        if problem is not None:
            raise RefusedError(problem)

    def _rules_of(self, one: ExperimentRow, values: list[Any]) -> list[Named]:
        """Return an experiment's rules in its own feature, whose default is the control's value."""
        if self._runs(one):
            deciding: list[Named] = [(rules.experiment_rule(one, values), "")]
        else:
            deciding = rules.shipped_rules(one, values, self._holdbacks.get(one.key))
        if not deciding:
            return []
        return [
            *rules.override_rules(one, values),
            *rules.holdout_rules(self._holdouts_of(one), one, values),
            *((self._for_whom(rule, [one.targeting], one.prerequisites), variant) for rule, variant in deciding),
        ]

    def _holdouts_of(self, one: ExperimentRow) -> list[ExperimentRow]:
        """Return the holdouts of its own unit type: with another's, one unit would be held out at one time only."""
        if not one.respects_holdout or one.kind != ExperimentKind.STANDARD:
            return []
        return [holdout for holdout in self._holdouts if holdout.unit_type == one.unit_type]

    def _for_whom(
        self, rule: Rule, targeting: Iterable[dict[str, Any]], prerequisites: Iterable[PrerequisiteRow]
    ) -> Rule:
        """Return the rule for the units that it reached so far and that pass these conditions and parents as well."""
        own = [rule["condition"]] if "condition" in rule else []
        conditions = [*own, *(self._segments.resolve(one) for one in targeting if one)]
        parents = [*rule.get("parentConditions", ()), *rules.parent_conditions(prerequisites)]
        if conditions:
            rule = rule | {"condition": conditions[0] if len(conditions) == 1 else {"$and": conditions}}
        return rule | {"parentConditions": parents} if parents else rule

    def _with_models(self, found: FlagFacts, experiments: Iterable[ExperimentRow]) -> FlagFacts:
        models: dict[str, dict[str, str]] = {}
        units: dict[str, str] = {}
        for one in experiments:
            named = {variant.key: variant.model for variant in one.variants if variant.model}
            holdback = self._holdbacks.get(one.key)
            for key in (one.key, *([holdback.key] if holdback else [])):
                units[key] = one.unit_type
                if named:
                    models[key] = named
        return structs.replace(found, models=models, units=units)

    # Flags

    def _flag(self, flag: FlagRow) -> tuple[Rule, FlagFacts]:
        if not FLAG_KEY.fullmatch(flag.key):
            raise RefusedError(BAD_KEY)
        if flag.default is None:
            raise RefusedError("it has no default value; apps would receive null.")
        enabled = self._environment in flag.enabled
        active = [row for row in flag.rules if self._is_active(row)] if enabled else []
        written = [named for row in active for named in self._flag_rules(flag, row)]
        found = FlagFacts(
            kind="flag",
            status=ON if enabled else DISABLED,
            value_type=flag.value_type,
            name=flag.name,
            default_variant=DEFAULT_VARIANT,
            variants=tuple(variant for _, variant in written),
        )
        experiments = [self._experiments[row.experiment] for row in active if row.experiment in self._experiments]
        feature = {"defaultValue": typed(flag.default, flag.value_type), "rules": [rule for rule, _ in written]}
        return feature, self._with_models(found, experiments)

    def _is_active(self, rule: RuleRow) -> bool:
        return rule.active and (not rule.environments or self._environment in rule.environments)

    def _flag_rules(self, flag: FlagRow, row: RuleRow) -> list[Named]:
        if row.kind == RuleKind.EXPERIMENT:
            return self._experiment_in_flag(flag, row)
        if row.value is None:
            raise RefusedError(f"its rule {row.name or row.id!r} has no value; apps would receive null.")
        rule: Rule = {"id": rule_id(row), "force": typed(row.value, flag.value_type)}
        if row.kind == RuleKind.ROLLOUT and row.share < BUCKETS:
            # A range and not a coverage: clients disagree whether the bucket at a coverage's end is inside.
            rule |= {
                "range": [0.0, row.share / BUCKETS],
                "seed": row.salt or rule_id(row),
                "hashVersion": rules.HASH_VERSION,
                "hashAttribute": hash_attribute(row.unit_type),
            }
        return [(self._for_whom(rule, [row.targeting], flag.prerequisites), row.name or rule_id(row))]

    def _experiment_in_flag(self, flag: FlagRow, row: RuleRow) -> list[Named]:
        """Return an experiment's rules inside a flag: the same split, for whom both the flag's rule and it are."""
        one = self._experiments.get(row.experiment or "")
        if one is None or not self._is_here(one):
            return []
        self._check(one)
        values = rules.values_of(one, flag.value_type)
        if one.status == Status.PAUSED:
            paused: Rule = {"id": "paused", "force": values[0]}
            chosen = [(self._for_whom(paused, [one.targeting], one.prerequisites), one.variants[0].key)]
        else:
            chosen = self._rules_of(one, values)
        return [(self._inside(rule, flag, row, one), variant) for rule, variant in chosen]

    def _inside(self, rule: Rule, flag: FlagRow, row: RuleRow, one: ExperimentRow) -> Rule:
        if rule["id"].startswith("override:"):
            return rule  # whoever is named by hand looks at the variant, whatever the flag asks of others
        if rule["id"] == "holdout":
            # Those for whom the experiment is not go on to the flag's next rule, held out or not.
            rule = self._for_whom(rule, [one.targeting], one.prerequisites)
        return self._for_whom(rule, [row.targeting], flag.prerequisites)


def cyclic(features: Mapping[str, Rule]) -> list[str]:
    """Return the keys of the features that wait for themselves."""
    above = {key: parents_of(feature) for key, feature in features.items()}
    return [key for key in sorted(features.keys() - set(parents_first(features))) if key in reached(above[key], above)]


def rule_id(row: RuleRow) -> str:
    """Return the id by which clients report a flag's rule; it stays when rules are put into another order."""
    return f"rule:{row.id}"


def typed(value: Any, value_type: str) -> Any:
    """Return a flag's value as its type wants it: the database may write a number as a whole one."""
    return float(value) if value_type == ValueType.NUMBER and type(value) is int else value
