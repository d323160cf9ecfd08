"""Add metrics to a project's catalogue and change them, each time with an audit row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from experiments import audit
from experiments.domain.definition_words import sentence
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import Direction, DisplayUnit, StandsFor
from experiments.metric_versions import MetricError, locked, version_of
from experiments.models import Experiment, Metric, Project, User


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricWords:
    """What a metric is called, who answers for it, how its numbers are shown and read: not what it counts."""

    name: str
    description: str
    direction: Direction
    display_unit: DisplayUnit
    owner: User | None
    stands_for: StandsFor | None = None


@transaction.atomic
def add_metric(project: Project, user: User | None, metric: Metric, note: str = "") -> Metric:
    """Save a new metric of the project with the first version of its definition. Its owner is who adds it."""
    metric.project, metric.created_by = project, user
    metric.owner = metric.owner or user
    metric.save(force_insert=True)
    version_of(metric, user, note)
    audit.record(project, user, "metric.create", subject_of(metric), after=_described(metric), why=note)
    return metric


@transaction.atomic
def edit_metric(metric: Metric, user: User | None, words: MetricWords, why: str = "") -> bool:
    """Change what a metric is called and how it is shown; return whether anything was different.

    Raises
    ------
    MetricError
        When the good direction would turn round under a started experiment without a reason.
    """
    mine = locked(metric)
    before = _described(mine)
    turned = mine.direction != words.direction.value
    columns: dict[str, Any] = {
        "name": words.name,
        "description": words.description,
        "direction": words.direction.value,
        "display_unit": words.display_unit.value,
        "owner": words.owner,
        "stands_for": words.stands_for or "",
    }
    if all(getattr(mine, name) == value for name, value in columns.items()):
        return False
    for name, value in columns.items():
        setattr(mine, name, value)
    mine.save(update_fields=list(columns))
    audit.record(mine.project, user, "metric.edit", subject_of(mine), before=before, after=_described(mine), why=why)
    if turned:
        _tell_experiments(mine, user, why)
    metric.refresh_from_db()
    return True


def _tell_experiments(metric: Metric, user: User | None, why: str) -> None:
    """Write into the history of each started experiment that good has become bad in it."""
    started = Experiment.objects.filter(plan__metric=metric).exclude(status=Status.DRAFT.value)
    if started and not why.strip():
        raise MetricError(
            f"{metric.name} is read by {len(started)} started experiment{'' if len(started) == 1 else 's'}: say why "
            "the good direction turns round. What was better will be worse there."
        )
    for experiment in started:
        audit.record(
            metric.project,
            user,
            "experiment.metric-direction",
            f"experiment:{experiment.key}",
            after={"metric": metric.key, "direction": metric.direction},
            why=why,
        )


@transaction.atomic
def certify(metric: Metric, user: User | None, number: int, note: str = "") -> bool:
    """Vouch for a metric's newest version; return whether this call did it. A later version asks for it anew."""
    mine = locked(metric)
    if number != mine.version:
        raise MetricError(f"{mine.name} has come to version {mine.version} meanwhile. Look at it before you certify.")
    if mine.is_certified:
        return False
    mine.certified_version, mine.certified_by, mine.certified_at = mine.version, user, timezone.now()
    return _marked(metric, mine, user, "metric.certify", note)


@transaction.atomic
def withdraw_certificate(metric: Metric, user: User | None, why: str = "") -> bool:
    """Vouch for a metric no longer; return whether this call did it."""
    mine = locked(metric)
    if mine.certified_version is None:
        return False
    mine.certified_version, mine.certified_by, mine.certified_at = None, None, None
    return _marked(metric, mine, user, "metric.uncertify", why)


@transaction.atomic
def archive_metric(metric: Metric, user: User | None, why: str = "") -> bool:
    """Take a metric out of the lists that new plans choose from; return whether this call did it.

    Raises
    ------
    MetricError
        When a draft or running experiment uses it.
    """
    mine = locked(metric)
    if mine.archived_at is not None:
        return False
    if names := list(_unfinished(mine)):
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise MetricError(f"{mine.name} is used by {', '.join(names[:3])}{more}. Archive it once these have stopped.")
    mine.archived_at = timezone.now()
    return _marked(metric, mine, user, "metric.archive", why)


@transaction.atomic
def restore_metric(metric: Metric, user: User | None, why: str = "") -> bool:
    """Put an archived metric back into the lists; return whether this call did it."""
    mine = locked(metric)
    if mine.archived_at is None:
        return False
    mine.archived_at = None
    return _marked(metric, mine, user, "metric.restore", why)


def _unfinished(metric: Metric) -> Iterator[str]:
    open_ones = Experiment.objects.filter(plan__metric=metric).exclude(status=Status.STOPPED.value)
    yield from open_ones.order_by("name").values_list("name", flat=True)


def _marked(metric: Metric, mine: Metric, user: User | None, action: str, why: str) -> bool:
    mine.save(update_fields=["archived_at", "certified_version", "certified_by", "certified_at"])
    audit.record(mine.project, user, action, subject_of(mine), after={"version": mine.version}, why=why)
    metric.refresh_from_db()
    return True


def subject_of(metric: Metric) -> str:
    """Return the metric as the audit names it."""
    return f"metric:{metric.key}"


def _described(metric: Metric) -> dict[str, object]:
    return {
        "name": metric.name,
        "description": metric.description,
        "definition": sentence(metric.definition()),
        "direction": metric.direction,
        "display_unit": metric.display_unit,
        "stands_for": metric.stands_for or None,
        "owner": None if metric.owner is None else str(metric.owner),
    }
