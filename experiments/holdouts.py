"""The global holdout: a few units that no new experiment or shipped variant reaches, against as many of the rest."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from experiments import audit, lifecycle
from experiments.changes import announce
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.metrics import MetricRole
from experiments.domain.shares import WHOLE, percent
from experiments.domain.units import UnitType
from experiments.metric_versions import fix_versions
from experiments.models import Experiment, ExperimentMetric, Metric, Project, User, Variant
from experiments.names import free_key, lock_names
from experiments.refusals import RefusedError

LEAST_SIZE, MOST_SIZE = 100, 1_000
HELD_OUT, TAKES_PART = "holdoutcontrol", "holdouttreatment"


class HoldoutError(RefusedError):
    """A holdout cannot be started or stopped as asked."""


def size_of(holdout: Experiment) -> int:
    """Return the share that is held out: half of those compared."""
    return holdout.allocation // 2


def running(project: Project, unit_type: UnitType = UnitType.USER) -> Experiment | None:
    """Return the project's holdout over a unit type, or None."""
    return Experiment.objects.filter(
        project=project,
        unit_type=unit_type.value,
        kind=ExperimentKind.HOLDOUT.value,
        status__in=[status.value for status in LIVE],
    ).first()


@transaction.atomic
def start(
    project: Project,
    user: User | None,
    size: int,
    metrics: Iterable[Metric],
    *,
    unit_type: UnitType = UnitType.USER,
    why: str = "",
    planned_days: int = 90,
    at: datetime | None = None,
) -> Experiment:
    """Hold ``size`` ten-thousandths of the units out of what starts or ships from now on; a double click starts one.

    What has started already goes on for held-out units too: they have seen its variants. The first metric decides.

    Raises
    ------
    HoldoutError
        When the size is not 1 to 10 %, no metric is named, or another holdout runs.
    """
    now = at or timezone.now()
    chosen = list(dict.fromkeys(metrics))
    if not LEAST_SIZE <= size <= MOST_SIZE:
        raise HoldoutError(
            f"The holdout would hold {percent(size)} out; choose {percent(LEAST_SIZE)} to {percent(MOST_SIZE)}."
        )
    if not chosen:
        raise HoldoutError("Choose what the holdout is measured by; the first metric decides.")
    lock_names(project)
    found = running(project, unit_type)
    if found is not None:
        if size_of(found) == size and found.created_by == user:
            return found
        raise HoldoutError(
            f"{found.name} holds {percent(size_of(found))} of the {unit_type}s out already. Its size cannot change: "
            "units would lose what they have. Stop it first."
        )
    holdout = _create(project, user, size, unit_type, planned_days, now)
    ExperimentMetric.objects.bulk_create(
        ExperimentMetric(
            experiment=holdout,
            metric=metric,
            role=(MetricRole.SECONDARY if position else MetricRole.PRIMARY).value,
            position=position,
        )
        for position, metric in enumerate(chosen)
    )
    fix_versions(holdout)
    spared = _spare_started(holdout)
    after: dict[str, object] = {"size": size, "unit_type": unit_type.value, "not_held_out_of": spared}
    audit.record(project, user, "holdout.start", f"experiment:{holdout.key}", after=after, why=why)
    announce()
    return holdout


def _create(
    project: Project, user: User | None, size: int, unit_type: UnitType, planned_days: int, now: datetime
) -> Experiment:
    holdout = Experiment.objects.create(
        project=project,
        key=free_key(project, f"holdout-{unit_type.value}"),
        name=f"Holdout of {percent(size)} of {unit_type.value}s",
        hypothesis="All experiments together raise what the business counts.",
        kind=ExperimentKind.HOLDOUT.value,
        unit_type=unit_type.value,
        status=Status.RUNNING.value,
        allocation=2 * size,
        respects_holdout=False,
        planned_days=planned_days,
        created_by=user,
        created_at=now,
        started_at=now,
    )
    names = ((HELD_OUT, "Held out"), (TAKES_PART, "Takes part"))
    Variant.objects.bulk_create(
        Variant(experiment=holdout, key=key, name=name, position=position, weight=WHOLE // 2)
        for position, (key, name) in enumerate(names)
    )
    return holdout


def _spare_started(holdout: Experiment) -> list[str]:
    """Have what units see already go on for all of them, and return its keys."""
    started = Experiment.objects.filter(
        project=holdout.project,
        unit_type=holdout.unit_type,
        kind=ExperimentKind.STANDARD.value,
        respects_holdout=True,
    ).exclude(status=Status.DRAFT.value)
    keys = sorted(started.values_list("key", flat=True))
    started.update(respects_holdout=False)
    return keys


def stop(holdout: Experiment, user: User | None, why: str) -> bool:
    """Let held-out units take part in everything; return whether this call did it."""
    if holdout.kind != ExperimentKind.HOLDOUT:
        raise HoldoutError(f"{holdout.name} is no holdout.")
    if not why.strip():
        raise HoldoutError("Say why the holdout ends, for the record.")
    return lifecycle.stop(holdout, user, why)
