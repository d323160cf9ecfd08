"""Prerequisites: what another flag or experiment must serve first."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from experiments import audit
from experiments.changes import announce
from experiments.domain.kinds import ExperimentKind, ValueType
from experiments.domain.lifecycle import Status
from experiments.domain.prerequisites import cycle_through
from experiments.domain.values import ValueTypeError, checked, same
from experiments.models import Experiment, Flag, FlagRule, Prerequisite, Project, User
from experiments.names import lock_names, owner_of
from experiments.refusals import RefusedError, refuse_follow_up


class PrerequisiteError(RefusedError):
    """Prerequisites cannot be set as asked."""


@transaction.atomic
def set_prerequisites(owner: Experiment | Flag, user: User | None, wanted: Mapping[str, Any], why: str = "") -> bool:
    """Replace the prerequisites of ``owner`` by ``wanted``, values by parent's key; return whether they differ.

    Raises
    ------
    PrerequisiteError
        When a parent does not exist or never serves the value, when the way leads back to the owner, or when a
        started experiment would lose units.
    """
    lock_names(owner.project)
    if isinstance(owner, Experiment):
        refuse_follow_up(owner, PrerequisiteError)
    before = {row.parent_key: row.value for row in owner.prerequisites.all()}
    after = {key: _checked_value(owner.project, key, value) for key, value in wanted.items()}
    if same(before, after):
        return False
    _refuse_loss(owner, before, after)
    if way := cycle_with(owner.project, owner.key, after):
        raise PrerequisiteError(
            f"{' → '.join(way)}: {owner.name} would be its own prerequisite. Leave out one of these."
        )
    owner.prerequisites.all().delete()
    link: dict[str, Any] = {"flag": owner} if isinstance(owner, Flag) else {"experiment": owner}
    Prerequisite.objects.bulk_create(Prerequisite(parent_key=key, value=value, **link) for key, value in after.items())
    kind = "flag" if isinstance(owner, Flag) else "experiment"
    audit.record(
        owner.project, user, f"{kind}.prerequisites", f"{kind}:{owner.key}", before=before, after=after, why=why
    )
    announce()
    return True


def _checked_value(project: Project, key: str, value: Any) -> Any:
    parent = owner_of(project, key)
    if parent is None or (isinstance(parent, Flag) and parent.archived_at is not None):
        raise PrerequisiteError(f"There is no flag or experiment {key!r} in this project to depend on.")
    if isinstance(parent, Flag):
        try:
            return checked(value, ValueType(parent.value_type))
        except ValueTypeError as error:
            raise PrerequisiteError(f"{parent.name} never serves this. {error}") from error
    if parent.kind != ExperimentKind.STANDARD:
        raise PrerequisiteError(f"{parent.name} is a {parent.kind}, on which nothing can depend.")
    served = [variant.served_value for variant in parent.variants.all()]
    if not any(same(value, one) for one in served):
        raise PrerequisiteError(f"{parent.name} serves {', '.join(map(repr, served))}; {value!r} is none of these.")
    return value


def _refuse_loss(owner: Experiment | Flag, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    if isinstance(owner, Flag):
        return
    status = Experiment.objects.select_for_update().values_list("status", flat=True).get(pk=owner.pk)
    added = sorted(key for key in after if key not in before or not same(before[key], after[key]))
    if status != Status.DRAFT and added:
        raise PrerequisiteError(
            f"{owner.name} has started, and with {added[0]!r} as a prerequisite units would leave it. "
            "Stop it and start a new experiment."
        )


def cycle_with(project: Project, key: str, parents: Iterable[str], *, add: bool = False) -> tuple[str, ...] | None:
    """Return how ``key`` would lead back to itself if it needed ``parents`` (beside what it needs, with ``add``).

    A flag also needs whatever the experiments need whose variants its rules serve.
    """
    graph: dict[str, set[str]] = defaultdict(set)
    of_flags = Prerequisite.objects.filter(flag__project=project).values_list("flag__key", "parent_key")
    of_experiments = Prerequisite.objects.filter(experiment__project=project)
    by_rules = FlagRule.objects.filter(flag__project=project, experiment__isnull=False)
    of_rules = list(by_rules.values_list("flag__key", "experiment__key"))
    for owner, parent in [*of_flags, *of_experiments.values_list("experiment__key", "parent_key")]:
        if owner != key or add:
            graph[owner].add(parent)
    for flag, experiment in of_rules:
        graph[flag].add(experiment)
    graph[key].update(parents)
    return cycle_through(key, graph)
