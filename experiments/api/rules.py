"""A flag's rules: add, change, remove, put in order. Each answers the whole flag."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from msgspec import Meta, Struct

from experiments import rules
from experiments.api.answers import bad_value
from experiments.api.fields import ShareOrNone, Taken, Targeting, Why
from experiments.api.finding import flag_of, rule_of
from experiments.api.flags import FlagAnswer, RuleAnswer, flag_answer, rule_answer, show
from experiments.api.operations import Call, Operation
from experiments.domain.environments import Environment
from experiments.domain.kinds import RuleKind
from experiments.domain.shares import WHOLE
from experiments.domain.units import UnitType
from experiments.models import Experiment, Project

Moment = Annotated[datetime, Meta(tz=True)]


class NewRule(Taken, frozen=True, kw_only=True):
    """A whole rule: force gives ``value``, rollout gives it to a share, experiment serves an experiment's variants."""

    kind: RuleKind
    value: Any = None
    name: Annotated[str, Meta(max_length=120)] = ""
    environments: list[Environment] = []
    targeting: Targeting = {}
    share: ShareOrNone = WHOLE
    unit_type: UnitType = UnitType.USER
    experiment: str | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    why: Why = ""


class RuleList(Struct, frozen=True, kw_only=True):
    """A flag's rules in order."""

    rules: list[RuleAnswer]


class Order(Taken, frozen=True, kw_only=True):
    """The ids of all rules of the flag, first first."""

    order: list[int]
    why: Why = ""


class WhyQuery(Taken, frozen=True, kw_only=True):
    """Why, for the record."""

    why: Why = ""


def _plan(project: Project, body: NewRule) -> rules.RulePlan:
    if body.starts_at and body.ends_at and body.starts_at >= body.ends_at:
        raise bad_value("The end must lie after the start.", "ends_at")
    return rules.RulePlan(
        kind=body.kind,
        value=body.value,
        name=body.name,
        environments=tuple(body.environments),
        targeting=body.targeting,
        share=body.share,
        unit_type=body.unit_type,
        experiment=_experiment(project, body),
        starts_at=body.starts_at,
        ends_at=body.ends_at,
    )


def _experiment(project: Project, body: NewRule) -> Experiment | None:
    if body.experiment is None:
        if body.kind is RuleKind.EXPERIMENT:
            raise bad_value("Name the experiment whose variants the rule serves.", "experiment")
        return None
    found = Experiment.objects.filter(project=project, key=body.experiment).first()
    if found is None:
        raise bad_value(f"Project {project.slug} has no experiment {body.experiment[:80]!r}.", "experiment")
    return found


def index(call: Call) -> RuleList:
    """List a flag's rules."""
    return RuleList(rules=[rule_answer(rule) for rule in flag_of(call).rules.select_related("experiment")])


def add(call: Call, body: NewRule) -> FlagAnswer:
    """Add a rule behind the others."""
    flag = flag_of(call)
    rules.add_rule(flag, None, _plan(call.project, body), why=body.why)
    return flag_answer(flag)


def change(call: Call, body: NewRule) -> FlagAnswer:
    """Replace a rule."""
    rule = rule_of(call)
    rules.edit_rule(rule, None, _plan(call.project, body), why=body.why)
    return flag_answer(rule.flag)


def remove(call: Call) -> FlagAnswer:
    """Remove a rule."""
    rule = rule_of(call)
    rules.remove_rule(rule, None, call.query.why)
    return flag_answer(rule.flag)


def order(call: Call, body: Order) -> FlagAnswer:
    """Put the rules into another order."""
    flag = flag_of(call)
    there = set(flag.rules.values_list("pk", flat=True))
    if sorted(body.order) != sorted(there):
        raise bad_value(f"Name each rule once: {', '.join(map(str, sorted(there))) or 'there is none'}.", "order")
    rules.reorder_rules(flag, None, body.order, body.why)
    return flag_answer(flag)


MANY, ONE = "/flags/{key}/rules", "/flags/{key}/rules/{id}"
OPERATIONS = [
    Operation(method="GET", path=MANY, summary="List rules in order", handle=index, answers=RuleList),
    Operation(
        method="POST", path=MANY, summary="Add a rule behind the others", handle=add, takes=NewRule,
        answers=FlagAnswer, status=HTTPStatus.CREATED, current=show,
    ),
    Operation(
        method="PUT", path=MANY + "/order", summary="Put the rules into another order", handle=order, takes=Order,
        answers=FlagAnswer, current=show,
    ),
    Operation(
        method="PUT", path=ONE, summary="Replace a rule; a share keeps its units", handle=change, takes=NewRule,
        answers=FlagAnswer, current=show,
    ),
    Operation(
        method="DELETE", path=ONE, summary="Remove a rule", handle=remove, query=WhyQuery, answers=FlagAnswer,
        current=show,
    ),
]  # fmt: skip
