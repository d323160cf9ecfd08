"""Flags: create and change them, switch them by environment, archive them. Each function writes its audit row."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from experiments import audit
from experiments.changes import announce
from experiments.domain.environments import Environment
from experiments.domain.kinds import ValueType
from experiments.domain.names import key_problem
from experiments.domain.values import ValueTypeError, checked, same
from experiments.models import Flag, FlagEnvironment, Prerequisite, Project, User
from experiments.names import lock_names, owner_of
from experiments.refusals import ChangedMeanwhileError, RefusedError


class FlagError(RefusedError):
    """A flag cannot be made or changed as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagPlan:
    """What a flag is; its key and type stay, because apps rely on them."""

    key: str
    name: str
    value_type: ValueType
    default_value: Any
    description: str = ""


def create_flag(project: Project, user: User | None, plan: FlagPlan) -> Flag:
    """Create a flag that is off everywhere. The same plan sent twice (a double click) is created once."""
    default = _checked_plan(plan)
    with transaction.atomic():
        lock_names(project)
        owner = owner_of(project, plan.key)
        if (
            isinstance(owner, Flag)
            and owner.created_by == user
            and owner.archived_at is None
            and _is(owner, plan, default)
        ):
            return owner
        if owner is not None:
            kind = "a flag" if isinstance(owner, Flag) else "an experiment"
            raise FlagError(f"The key {plan.key!r} is already used by {kind} of this project; choose another.")
        flag = Flag.objects.create(
            project=project,
            created_by=user,
            key=plan.key,
            name=plan.name,
            description=plan.description,
            value_type=plan.value_type.value,
            default_value=default,
        )
        FlagEnvironment.objects.bulk_create(
            FlagEnvironment(flag=flag, environment=environment.value) for environment in Environment
        )
        audit.record(project, user, "flag.create", subject_of(flag), after=_described(flag))
        announce()
    return flag


def _checked_plan(plan: FlagPlan) -> Any:
    if problem := key_problem(plan.key):
        raise FlagError(problem)
    if not plan.name.strip():
        raise FlagError("Give the flag a name.")
    return _checked_default(plan.default_value, plan.value_type)


def _checked_default(value: Any, value_type: ValueType) -> Any:
    try:
        return checked(value, value_type)
    except ValueTypeError as error:
        raise FlagError(f"The default value cannot be served. {error}") from error


def _is(flag: Flag, plan: FlagPlan, default: Any) -> bool:
    wanted = [
        plan.name,
        plan.description,
        plan.value_type.value,
        default,
        1,
    ]
    return same([flag.name, flag.description, flag.value_type, flag.default_value, flag.revision], wanted)


def subject_of(flag: Flag) -> str:
    """Return the name under which the audit keeps a flag."""
    return f"flag:{flag.key}"


def _described(flag: Flag) -> dict[str, object]:
    return {name: getattr(flag, name) for name in ("name", "description", "value_type", "default_value")}


def locked(flag: Flag, revision: int | None = None) -> Flag:
    """Return the flag as it is now, for this transaction alone.

    Raises
    ------
    FlagError
        When it is archived.
    ChangedMeanwhileError
        When ``revision`` is given and is not the flag's any more.
    """
    found = Flag.objects.select_for_update(of=("self",)).select_related("project").get(pk=flag.pk)
    if found.archived_at is not None:
        raise FlagError(f"{found.name} is archived. Create a new flag.")
    if revision is not None and found.revision != revision:
        raise ChangedMeanwhileError(found.name)
    return found


def touch(flag: Flag) -> None:
    """Count one change of the flag."""
    flag.revision += 1
    flag.save(update_fields=["revision"])


@transaction.atomic
def edit_flag(
    flag: Flag,
    user: User | None,
    *,
    name: str,
    default_value: Any,
    description: str = "",
    revision: int | None = None,
    why: str = "",
) -> bool:
    """Change a flag's words and default; return whether anything was different.

    With the ``revision`` that the change was made on, a change in between is refused instead of undone.
    """
    if not name.strip():
        raise FlagError("Give the flag a name.")
    mine = locked(flag)
    wanted = (name, description, _checked_default(default_value, ValueType(mine.value_type)))
    if same(wanted, (mine.name, mine.description, mine.default_value)):
        return False
    if revision is not None and mine.revision != revision:
        raise ChangedMeanwhileError(mine.name)
    before = _described(mine)
    mine.name, mine.description, mine.default_value = wanted
    mine.revision += 1
    mine.save(update_fields=["name", "description", "default_value", "revision"])
    audit.record(mine.project, user, "flag.edit", subject_of(mine), before=before, after=_described(mine), why=why)
    announce()
    flag.refresh_from_db(fields=["name", "description", "default_value", "revision"])
    return True


@transaction.atomic
def set_flag_environment(flag: Flag, environment: Environment, enabled: bool, user: User | None, why: str = "") -> bool:
    """Switch a flag on or off in one environment; return whether this call did it."""
    mine = locked(flag)
    row, _ = FlagEnvironment.objects.get_or_create(flag=mine, environment=environment.value)
    if row.enabled == enabled:
        return False
    row.enabled = enabled
    row.save(update_fields=["enabled"])
    touch(mine)
    audit.record(
        mine.project,
        user,
        "flag.on" if enabled else "flag.off",
        subject_of(mine),
        before={environment.value: not enabled},
        after={environment.value: enabled},
        why=why,
    )
    announce()
    flag.revision = mine.revision
    return True


@transaction.atomic
def archive_flag(flag: Flag, user: User | None, why: str = "") -> bool:
    """Take a flag out of service for good; return whether this call did it. Its key stays taken."""
    lock_names(flag.project)
    mine = Flag.objects.select_for_update(of=("self",)).select_related("project").get(pk=flag.pk)
    if mine.archived_at is not None:
        return False
    if needed := _needed_by(mine):
        raise FlagError(f"{mine.name} is a prerequisite of {', '.join(needed)}. Remove it there first.")
    mine.archived_at = timezone.now()
    mine.revision += 1
    mine.save(update_fields=["archived_at", "revision"])
    audit.record(mine.project, user, "flag.archive", subject_of(mine), before=_described(mine), why=why)
    announce()
    flag.archived_at, flag.revision = mine.archived_at, mine.revision
    return True


def _needed_by(flag: Flag) -> list[str]:
    rows = Prerequisite.objects.filter(parent_key=flag.key).select_related("experiment", "flag")
    owners = [row.experiment or row.flag for row in rows]
    return sorted(
        str(one)
        for one in owners
        if one is not None
        and one.project_id == flag.project_id
        and not (isinstance(one, Flag) and one.archived_at is not None)
    )
