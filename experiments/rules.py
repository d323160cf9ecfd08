"""A flag's rules: the first that reaches a unit decides what it gets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from experiments import audit, prerequisites
from experiments.changes import announce
from experiments.domain.environments import Environment
from experiments.domain.kinds import ExperimentKind, RuleKind, ValueType
from experiments.domain.shares import WHOLE
from experiments.domain.targeting import TargetingError, check
from experiments.domain.units import UnitType
from experiments.domain.values import ValueTypeError, checked, same
from experiments.flags import FlagError, locked, subject_of, touch
from experiments.models import Experiment, Flag, FlagRule, User
from experiments.names import lock_names
from experiments.refusals import ChangedMeanwhileError
from experiments.segments import usable_keys

MOST_RULES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePlan:
    """What a rule does. ``share`` is in ten-thousandths; no environment named means every one."""

    kind: RuleKind
    value: Any = None
    name: str = ""
    environments: tuple[Environment, ...] = ()
    targeting: dict[str, Any] = field(default_factory=dict)
    share: int = WHOLE
    unit_type: UnitType = UnitType.USER
    experiment: Experiment | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@transaction.atomic
def add_rule(flag: Flag, user: User | None, plan: RulePlan, *, revision: int | None = None, why: str = "") -> FlagRule:
    """Add a rule behind the others. With the flag's ``revision``, a double click adds it once."""
    lock_names(flag.project)
    mine = locked(flag)
    columns = _columns(mine, plan)
    last = mine.rules.last()
    if revision is not None and mine.revision != revision:
        if last is not None and mine.revision == revision + 1 and _holds(last, columns):
            return last
        raise ChangedMeanwhileError(mine.name)
    if mine.rules.count() >= MOST_RULES:
        raise FlagError(f"{mine.name} has {MOST_RULES} rules, which is the most. Remove one first.")
    rule = FlagRule.objects.create(flag=mine, position=last.position + 1 if last else 0, **columns)
    _settle(mine, user, "flag.rule-add", why, after=describe(rule))
    flag.revision = mine.revision
    return rule


@transaction.atomic
def edit_rule(rule: FlagRule, user: User | None, plan: RulePlan, *, revision: int | None = None, why: str = "") -> bool:
    """Change a rule; return whether anything was different. Its salt stays, so that a share keeps its units."""
    lock_names(rule.flag.project)
    mine = locked(rule.flag)
    stored = _rule(mine, rule)
    columns = _columns(mine, plan)
    if _holds(stored, columns):
        return False
    if revision is not None and mine.revision != revision:
        raise ChangedMeanwhileError(mine.name)
    before = describe(stored)
    for name, value in columns.items():
        setattr(stored, name, value)
    stored.save()
    _settle(mine, user, "flag.rule-edit", why, before=before, after=describe(stored))
    rule.refresh_from_db()
    return True


@transaction.atomic
def remove_rule(rule: FlagRule, user: User | None, why: str = "") -> bool:
    """Remove a rule; return whether this call did it."""
    mine = locked(rule.flag)
    stored = mine.rules.filter(pk=rule.pk).first()
    if stored is None:
        return False
    before = describe(stored)
    position = stored.position
    stored.delete()
    mine.rules.filter(position__gt=position).update(position=F("position") - 1)
    _settle(mine, user, "flag.rule-remove", why, before=before)
    return True


@transaction.atomic
def reorder_rules(flag: Flag, user: User | None, order: Sequence[int], why: str = "") -> bool:
    """Put the rules into the order of these ids; return whether it is another one."""
    mine = locked(flag)
    rules = {rule.pk: rule for rule in mine.rules.all()}
    if sorted(order) != sorted(rules):
        raise ChangedMeanwhileError(mine.name)
    before = list(rules)
    if list(order) == before:
        return False
    for position, pk in enumerate(order):
        rules[pk].position = position
    # The order is checked when the transaction ends, so that two rules may trade places.
    FlagRule.objects.bulk_update(rules.values(), ["position"])
    _settle(mine, user, "flag.rules-order", why, before={"order": before}, after={"order": list(order)})
    flag.revision = mine.revision
    return True


def _settle(flag: Flag, user: User | None, action: str, why: str, **states: dict[str, object]) -> None:
    touch(flag)
    audit.record(flag.project, user, action, subject_of(flag), why=why, **states)
    announce()


def _rule(flag: Flag, rule: FlagRule) -> FlagRule:
    found = flag.rules.filter(pk=rule.pk).first()
    if found is None:
        raise FlagError(f"{rule} was removed meanwhile. Add it again.")
    return found


def _columns(flag: Flag, plan: RulePlan) -> dict[str, Any]:
    """Return the rule's columns, after everything that must hold was checked."""
    if plan.starts_at and plan.ends_at and plan.starts_at >= plan.ends_at:
        raise FlagError("The rule's end must lie after its beginning.")
    if not 0 <= plan.share <= WHOLE:
        raise FlagError("The share must be at least 0 % and at most 100 %.")
    try:
        check(plan.targeting, usable_keys(flag.project))
    except TargetingError as error:
        raise FlagError(str(error)) from error
    is_experiment = plan.kind is RuleKind.EXPERIMENT
    if is_experiment:
        _check_experiment(flag, plan.experiment)
    return {
        "kind": plan.kind.value,
        "name": plan.name,
        "environments": [environment.value for environment in Environment if environment in plan.environments],
        "targeting": plan.targeting,
        "value": None if is_experiment else _value(flag, plan),
        "share": plan.share if plan.kind is RuleKind.ROLLOUT else WHOLE,
        "unit_type": plan.unit_type.value,
        "experiment": plan.experiment if is_experiment else None,
        "starts_at": plan.starts_at,
        "ends_at": plan.ends_at,
    }


def _value(flag: Flag, plan: RulePlan) -> Any:
    try:
        return checked(plan.value, ValueType(flag.value_type))
    except ValueTypeError as error:
        raise FlagError(f"The rule's value cannot be served. {error}") from error


def _check_experiment(flag: Flag, experiment: Experiment | None) -> None:
    if experiment is None or experiment.project_id != flag.project_id:
        raise FlagError("Choose an experiment of this project, whose variants the rule serves.")
    if experiment.kind != ExperimentKind.STANDARD:
        raise FlagError(f"{experiment.name} is a {experiment.kind}; a rule serves the variants of an experiment.")
    if problems := misfits(flag, experiment):
        raise FlagError(" ".join(problems))
    if way := prerequisites.cycle_with(flag.project, flag.key, [experiment.key], add=True):
        raise FlagError(f"{' → '.join(way)}: {flag.name} would depend on itself. Remove a prerequisite on this way.")


def misfits(flag: Flag, experiment: Experiment) -> list[str]:
    """Return which variants serve what the flag's type does not allow."""
    problems = []
    for variant in experiment.variants.all():
        try:
            checked(variant.served_value, ValueType(flag.value_type))
        except ValueTypeError as error:
            problems.append(f"The variant {variant.key!r} does not fit the flag {flag.key!r}: {error}")
    return problems


def _holds(rule: FlagRule, columns: dict[str, Any]) -> bool:
    return same({name: getattr(rule, name) for name in columns}, columns)


def describe(rule: FlagRule) -> dict[str, object]:
    """Return the rule as the audit keeps it."""
    return {
        "rule": rule.pk,
        "name": rule.name,
        "kind": rule.kind,
        "value": rule.value,
        "share": rule.share,
        "unit_type": rule.unit_type,
        "experiment": rule.experiment.key if rule.experiment else None,
        "environments": rule.environments,
        "targeting": rule.targeting,
        "starts_at": rule.starts_at.isoformat() if rule.starts_at else None,
        "ends_at": rule.ends_at.isoformat() if rule.ends_at else None,
    }
