"""Register model versions, and bring them up to date: by hand, by a program or from another registry."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from django.db import IntegrityError, transaction

from experiments import audit
from experiments.domain.metrics import Direction
from experiments.domain.offline import OfflineValue, Origin, VersionStatus, value_problem
from experiments.models import ModelVersion, OfflineMetric, Project, User

MOST_METRICS = 50
FIELDS = ("owner", "artefact", "trained_from", "trained_until", "notes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Everything that a version is. ``parent`` names an earlier version of the same model; empty is none."""

    name: str
    version: str
    parent: str = ""
    owner: str = ""
    artefact: str = ""
    trained_from: date | None = None
    trained_until: date | None = None
    status: VersionStatus = VersionStatus.CANDIDATE
    notes: str = ""
    metrics: tuple[OfflineValue, ...] = ()


class Outcome(StrEnum):
    """What became of a version that was sent."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


class RegistrationError(Exception):
    """A version that cannot be registered so; ``field`` says what it is about."""

    def __init__(self, field: str, message: str, *, taken: bool = False) -> None:
        super().__init__(message)
        self.field, self.taken = field, taken


def register(project: Project, user: User | None, wanted: Registration, origin: Origin = Origin.PAGE) -> ModelVersion:
    """Save a new version.

    Raises:
        RegistrationError: something in it is wrong, or there is such a version.
    """
    parent = _checked(project, wanted, None)
    try:
        with transaction.atomic():
            made = ModelVersion.objects.create(
                project=project, name=wanted.name, version=wanted.version, parent=parent, origin=origin.value,
                status=wanted.status.value, created_by=user, **{name: getattr(wanted, name) for name in FIELDS},
            )  # fmt: skip
            _write_metrics(made, wanted.metrics)
            audit.record(project, user, "model_version.create", f"model:{made}", after=describe(wanted))
    except IntegrityError as error:
        raise _taken(wanted) from error
    return made


def revise(version: ModelVersion, user: User | None, wanted: Registration) -> bool:
    """Make a version what is wanted; its name and number stay. Return whether anything changed."""
    project = version.project
    with transaction.atomic():
        locked = ModelVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
        before = registration_of(locked)
        wanted = replace(wanted, name=before.name, version=before.version)
        locked.parent = _checked(project, wanted, locked)
        if wanted == before:
            return False
        for name in FIELDS:
            setattr(locked, name, getattr(wanted, name))
        locked.status = wanted.status.value
        locked.save()
        _write_metrics(locked, wanted.metrics)
        audit.record(
            project, user, "model_version.edit", f"model:{locked}", before=describe(before), after=describe(wanted)
        )
    return True


def bring_up_to_date(
    project: Project, user: User | None, given: Registration, stated: frozenset[str], origin: Origin
) -> tuple[ModelVersion, Outcome]:
    """Register a version, or change in it what is ``stated``; return it, and what became of it.

    Sent twice, the second time does nothing. Metrics that are not stated stay; those stated replace their namesakes of
    the same evaluation set.
    """
    found = ModelVersion.objects.filter(project=project, name=given.name, version=given.version).first()
    if found is None:
        return register(project, user, given, origin), Outcome.NEW
    before = registration_of(found)
    changes = {name: getattr(given, name) for name in stated if name not in ("name", "version", "metrics")}
    changed = revise(found, user, replace(before, **changes, metrics=_merged(before.metrics, given.metrics)))
    return ModelVersion.objects.get(pk=found.pk), Outcome.CHANGED if changed else Outcome.SAME


def registration_of(version: ModelVersion) -> Registration:
    """Read a stored version back."""
    return Registration(
        name=version.name,
        version=version.version,
        parent=version.parent.version if version.parent else "",
        status=VersionStatus(version.status),
        metrics=tuple(value_of(row) for row in version.offline.all()),
        owner=version.owner,
        artefact=version.artefact,
        trained_from=version.trained_from,
        trained_until=version.trained_until,
        notes=version.notes,
    )


def value_of(row: OfflineMetric) -> OfflineValue:
    """Read a stored offline metric back."""
    return OfflineValue(
        name=row.name, value=row.value, low=row.low, high=row.high, method=row.method,
        evaluation_set=row.evaluation_set, size=row.size, direction=Direction(row.direction),
    )  # fmt: skip


def describe(wanted: Registration) -> dict[str, object]:
    """Return a version as the audit keeps it."""
    days = {name: day.isoformat() if (day := getattr(wanted, name)) else None for name in FIELDS if "trained" in name}
    return {
        "parent": wanted.parent,
        "owner": wanted.owner,
        "artefact": wanted.artefact,
        **days,
        "status": wanted.status.value,
        "notes": wanted.notes,
        "metrics": {
            f"{one.name}{f' on {one.evaluation_set}' if one.evaluation_set else ''}": [one.value, one.low, one.high]
            for one in wanted.metrics
        },
    }


def _merged(before: tuple[OfflineValue, ...], given: tuple[OfflineValue, ...]) -> tuple[OfflineValue, ...]:
    kept = {(one.name, one.evaluation_set): one for one in before}
    for one in given:
        kept[one.name, one.evaluation_set] = replace(one, direction=one.good)
    return tuple(kept.values())


def _checked(project: Project, wanted: Registration, stored: ModelVersion | None) -> ModelVersion | None:
    for field, problem in _problems(wanted):
        if problem:
            raise RegistrationError(field, problem)
    parent = _parent(project, wanted)
    if (
        stored is None
        and ModelVersion.objects.filter(project=project, name=wanted.name, version=wanted.version).exists()
    ):
        raise _taken(wanted)
    if stored is not None and parent is not None and any(one.pk == stored.pk for one in ancestors(parent)):
        raise RegistrationError("parent", f"{parent} was made from {stored}, so it cannot be its parent.")
    return parent


def _problems(wanted: Registration) -> Iterator[tuple[str, str]]:
    yield "name", "" if wanted.name.strip() else "Name the model."
    yield "version", "" if wanted.version.strip() else "Name the version."
    backwards = wanted.trained_from and wanted.trained_until and wanted.trained_from >= wanted.trained_until
    yield "trained_until", "The training data must begin before they end." if backwards else ""
    yield "metrics", f"At most {MOST_METRICS} offline metrics." if len(wanted.metrics) > MOST_METRICS else ""
    seen: set[tuple[str, str]] = set()
    for one in wanted.metrics:
        yield "metrics", value_problem(one)
        if (one.name, one.evaluation_set) in seen:
            yield "metrics", f"{one.name} is given twice for the same evaluation set."
        seen.add((one.name, one.evaluation_set))


def _parent(project: Project, wanted: Registration) -> ModelVersion | None:
    if not wanted.parent:
        return None
    if wanted.parent == wanted.version:
        raise RegistrationError("parent", "A version cannot be its own parent.")
    found = ModelVersion.objects.filter(project=project, name=wanted.name, version=wanted.parent).first()
    if found is None:
        raise RegistrationError("parent", f"There is no {wanted.name} {wanted.parent}; register the parent first.")
    return found


def ancestors(version: ModelVersion) -> Iterator[ModelVersion]:
    """Yield the version and what it was made from, the nearest first."""
    by_id = {one.pk: one for one in ModelVersion.objects.filter(project=version.project_id, name=version.name)}
    at: ModelVersion | None = version
    while at is not None:
        yield at
        at = by_id.pop(at.parent_id, None) if at.parent_id else None


def _write_metrics(version: ModelVersion, metrics: tuple[OfflineValue, ...]) -> None:
    version.offline.all().delete()
    OfflineMetric.objects.bulk_create(
        OfflineMetric(
            model_version=version, name=one.name, value=one.value, low=one.low, high=one.high, method=one.method,
            evaluation_set=one.evaluation_set, size=one.size, direction=one.good.value, position=position,
        )
        for position, one in enumerate(metrics)
    )  # fmt: skip


def _taken(wanted: Registration) -> RegistrationError:
    return RegistrationError("version", f"{wanted.name} {wanted.version} is registered already.", taken=True)
