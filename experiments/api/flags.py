"""Flags: list, read, create, change, switch, archive."""

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.db.models import Q
from msgspec import UNSET, Struct, UnsetType

from experiments import flags
from experiments.api.fields import Description, Key, Name, Taken, Why, WhyOnly
from experiments.api.finding import flag_of, missing
from experiments.api.listing import Page, page
from experiments.api.operations import Call, Operation
from experiments.domain.environments import Environment
from experiments.domain.kinds import RuleKind, ValueType
from experiments.domain.units import UnitType
from experiments.models import Flag, FlagRule


class RuleAnswer(Struct, frozen=True, kw_only=True):
    """A rule; the first that reaches a unit decides. ``share`` is in ten-thousandths; no environments are all."""

    id: int
    kind: RuleKind
    name: str
    value: Any
    share: int
    unit_type: UnitType
    experiment: str | None
    environments: list[Environment]
    targeting: dict[str, Any]
    starts_at: datetime | None
    ends_at: datetime | None


class FlagAnswer(Struct, frozen=True, kw_only=True):
    """A flag with its rules in order, and where it is on."""

    key: str
    name: str
    description: str
    value_type: ValueType
    default_value: Any
    environments: dict[Environment, bool]
    rules: list[RuleAnswer]
    prerequisites: dict[str, Any]
    archived_at: datetime | None
    created_at: datetime
    revision: int


class FlagList(Struct, frozen=True, kw_only=True):
    """A page of flags, newest first."""

    flags: list[FlagAnswer]
    next: str | None


class FlagPage(Page, frozen=True, kw_only=True):
    """Which flags: ``search`` looks into keys and names."""

    search: str = ""
    archived: bool = False


class NewFlag(Taken, frozen=True, kw_only=True):
    """A flag that is off everywhere."""

    key: Key
    name: Name
    value_type: ValueType
    default_value: Any
    description: Description = ""


class FlagChanges(Taken, frozen=True, kw_only=True):
    """What is to be different; what is left out stays."""

    name: Name | UnsetType = UNSET
    default_value: Any | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    why: Why = ""


class Switch(Taken, frozen=True, kw_only=True):
    """On or off."""

    enabled: bool
    why: Why = ""


def flag_answer(flag: Flag) -> FlagAnswer:
    """Return the flag as it is in the database now."""
    return _answer(_whole().get(pk=flag.pk))


def _whole() -> "Any":
    return Flag.objects.prefetch_related("in_environments", "rules__experiment", "prerequisites")


def _answer(row: Flag) -> FlagAnswer:
    return FlagAnswer(
        key=row.key,
        name=row.name,
        description=row.description,
        value_type=ValueType(row.value_type),
        default_value=row.default_value,
        environments={Environment(one.environment): one.enabled for one in row.in_environments.all()},
        rules=[rule_answer(rule) for rule in row.rules.all()],
        prerequisites={need.parent_key: need.value for need in row.prerequisites.all()},
        archived_at=row.archived_at,
        created_at=row.created_at,
        revision=row.revision,
    )


def rule_answer(row: FlagRule) -> RuleAnswer:
    """Return a rule as the API shows it."""
    return RuleAnswer(
        id=row.pk,
        kind=RuleKind(row.kind),
        name=row.name,
        value=row.value,
        share=row.share,
        unit_type=UnitType(row.unit_type),
        experiment=row.experiment.key if row.experiment else None,
        environments=[Environment(name) for name in row.environments],
        targeting=row.targeting,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
    )


def index(call: Call) -> FlagList:
    """List flags."""
    query: FlagPage = call.query
    found = _whole().filter(project=call.project, archived_at__isnull=not query.archived)
    if query.search:
        found = found.filter(Q(key__icontains=query.search) | Q(name__icontains=query.search))
    rows, following = page(call, found)
    return FlagList(flags=[_answer(row) for row in rows], next=following)


def show(call: Call) -> FlagAnswer:
    """Return one flag."""
    return flag_answer(flag_of(call))


def create(call: Call, body: NewFlag) -> FlagAnswer:
    """Create a flag."""
    plan = flags.FlagPlan(
        key=body.key,
        name=body.name,
        value_type=body.value_type,
        default_value=body.default_value,
        description=body.description,
    )
    return flag_answer(flags.create_flag(call.project, None, plan))


def change(call: Call, body: FlagChanges) -> FlagAnswer:
    """Change a flag's words or default."""
    flag = flag_of(call)
    flags.edit_flag(
        flag,
        None,
        name=flag.name if body.name is UNSET else body.name,
        default_value=flag.default_value if body.default_value is UNSET else body.default_value,
        description=flag.description if body.description is UNSET else body.description,
        why=body.why,
    )
    return flag_answer(flag)


def switch(call: Call, body: Switch) -> FlagAnswer:
    """Switch a flag on or off in one environment."""
    flag = flag_of(call)
    name = call.args["environment"]
    if name not in list(Environment):
        raise missing(call.project, "environment", name)
    flags.set_flag_environment(flag, Environment(name), body.enabled, None, body.why)
    return flag_answer(flag)


def archive(call: Call, body: WhyOnly) -> FlagAnswer:
    """Take a flag out of service for good."""
    flag = flag_of(call)
    flags.archive_flag(flag, None, body.why)
    return flag_answer(flag)


ONE = "/flags/{key}"
OPERATIONS = [
    Operation(method="GET", path="/flags", summary="List flags", handle=index, query=FlagPage, answers=FlagList),
    Operation(
        method="POST", path="/flags", summary="Create a flag, off everywhere", handle=create, takes=NewFlag,
        answers=FlagAnswer, status=HTTPStatus.CREATED,
    ),
    Operation(method="GET", path=ONE, summary="Read one", handle=show, answers=FlagAnswer),
    Operation(
        method="PATCH", path=ONE, summary="Change its words or default", handle=change, takes=FlagChanges,
        answers=FlagAnswer, current=show,
    ),
    Operation(
        method="PUT", path=ONE + "/environments/{environment}", summary="Switch it on or off in one environment",
        handle=switch, takes=Switch, answers=FlagAnswer, current=show,
    ),
    Operation(
        method="POST", path=ONE + "/archive", summary="Take it out of service for good", handle=archive,
        takes=WhyOnly, answers=FlagAnswer, current=show,
    ),
]  # fmt: skip
