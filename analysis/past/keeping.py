"""Keep, remove and restore imports of past experiments; each change is written down."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from analysis.models import PastEffect, PastImport
from analysis.past.reading import Read, columns_of, read
from analysis.tables.refusal import RefusalError
from experiments import audit
from experiments.models import Metric, Project, User
from experiments.names import lock_names

CORRELATIONS = (0.0, 0.3, 0.5, 0.7)
"""What may be assumed of the noise that two metrics share; a reading is repeated with each of them."""
USUAL_CORRELATION = 0.5
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to import: ``columns`` by role and ``metrics`` by their name in the file, where they differ."""

    file: Path
    file_name: str
    name: str
    source: str
    correlation: float = USUAL_CORRELATION
    columns: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)


def imports(project: Project) -> QuerySet[PastImport]:
    """Return the project's imports that count, newest first."""
    return PastImport.objects.filter(project=project, removed_at=None).select_related("imported_by")


def keep(project: Project, user: User | None, wanted: Wanted) -> tuple[PastImport, bool]:
    """Read a file and keep its effects; return the import, and whether it is new.

    The same file under the same name changes nothing; another one takes the place of the first.

    Raises:
        RefusalError: the file cannot be used, or what is asked is not allowed; the message says why.
    """
    name = wanted.name.strip()
    if not name or len(name) > LONGEST_NAME:
        raise RefusalError(f"the name takes 1 to {LONGEST_NAME} characters")
    if not 0 <= wanted.correlation < 1:
        raise RefusalError(f"the correlation is {wanted.correlation:g}; give 0 or more, and less than 1")
    digest = _digest(wanted)
    same = imports(project).filter(name=name)
    before = same.first()
    if before is not None and before.digest == digest:
        return before, False
    keys = Metric.objects.filter(project=project).values_list("key", flat=True)
    found = read(wanted.file, columns_of(wanted.file, wanted.columns), keys, wanted.metrics)
    with transaction.atomic():
        lock_names(project)  # another file may come under the same name in this moment
        same.update(removed_at=timezone.now())
        kept = PastImport.objects.create(
            project=project, name=name, source=wanted.source.strip()[:300], file_name=wanted.file_name[:200],
            digest=digest, correlation=wanted.correlation, treatments=len(found.treatments),
            metrics=found.metrics, left=found.left, imported_by=user,
            imported_at=timezone.now(),
        )  # fmt: skip
        PastEffect.objects.bulk_create(_rows(kept, found), batch_size=500)
        audit.record(project, user, "past.import", f"past-import:{kept.pk}", after=_said(kept, found))
    return kept, True


def remove(kept: PastImport, user: User | None) -> None:
    """Let an import count no longer; ``restore`` undoes it."""
    with transaction.atomic():
        if PastImport.objects.filter(pk=kept.pk, removed_at=None).update(removed_at=timezone.now()):
            audit.record(kept.project, user, "past.remove", f"past-import:{kept.pk}", before={"name": kept.name})


def restore(kept: PastImport, user: User | None) -> bool:
    """Let a removed import count again; False where another one has taken its name."""
    with transaction.atomic():
        lock_names(kept.project)
        if imports(kept.project).filter(name=kept.name).exclude(pk=kept.pk).exists():
            return False
        if PastImport.objects.filter(pk=kept.pk).exclude(removed_at=None).update(removed_at=None):
            audit.record(kept.project, user, "past.restore", f"past-import:{kept.pk}", after={"name": kept.name})
    return True


def _digest(wanted: Wanted) -> str:
    asked = (wanted.correlation, wanted.source.strip(), sorted(wanted.columns.items()), sorted(wanted.metrics.items()))
    found = hashlib.sha256(repr(asked).encode())
    if wanted.file.is_file():
        with wanted.file.open("rb") as file:
            for part in iter(lambda: file.read(1 << 20), b""):
                found.update(part)
    return found.hexdigest()


def _rows(kept: PastImport, found: Read) -> list[PastEffect]:
    rows = []
    for one in found.treatments:
        keys = sorted(one.effects)
        effects = [one.effects[key] for key in keys]
        rows.append(
            PastEffect(
                past_import=kept, experiment=one.experiment, variant=one.variant, family=one.family,
                ended_at=one.ended_at, units=max(effect.units for effect in effects), metrics=keys,
                control=[effect.control for effect in effects], differences=[effect.difference for effect in effects],
                log_lifts=[effect.log_lift for effect in effects],
                log_variances=[effect.log_variance for effect in effects],
            )
        )  # fmt: skip
    return rows


def _said(kept: PastImport, found: Read) -> dict[str, object]:
    return {
        "name": kept.name, "file": kept.file_name, "source": kept.source, "correlation": kept.correlation,
        "treatments": len(found.treatments), "metrics": found.metrics, "left out": found.left,
    }  # fmt: skip
