"""Versions of a metric's definition: made, fixed in an experiment at its start, and exchanged there in the open."""

from django.db import transaction
from django.utils import timezone

from experiments import audit
from experiments.domain.definition_words import sentence
from experiments.domain.definitions import Definition, flaws, trimmed
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, ExperimentMetric, Metric, MetricVersion, User
from experiments.models.metric import columns_of
from experiments.refusals import ChangedMeanwhileError, RefusedError


class MetricError(RefusedError):
    """A metric cannot be changed as asked."""


class DefinitionError(MetricError):
    """A definition that cannot be counted, with the field that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def locked(metric: Metric) -> Metric:
    """Return the metric's row, which nobody else changes until this transaction ends."""
    rows = Metric.objects.select_for_update(of=("self",)).select_related("project", "owner", "certified_by")
    return rows.get(pk=metric.pk)


def version_of(metric: Metric, user: User | None = None, note: str = "") -> MetricVersion:
    """Return the row of a metric's newest version, made where there is none."""
    found, _ = MetricVersion.objects.get_or_create(
        metric=metric,
        number=metric.version,
        defaults={**columns_of(metric.definition()), "note": note, "created_by": user},
    )
    return found


@transaction.atomic
def revise_metric(
    metric: Metric, user: User | None, definition: Definition, note: str, *, seen: int | None = None
) -> MetricVersion:
    """Give a metric another definition, as its next version. Drafts follow it; started experiments keep theirs.

    The same definition again makes no version. ``seen`` is the number of the version that the caller started from.

    Raises
    ------
    DefinitionError
        When the definition cannot be counted.
    ChangedMeanwhileError
        When there is a newer version than the one that was seen.
    MetricError
        Without a note.
    """
    wanted = trimmed(definition)
    for flaw in flaws(wanted):
        raise DefinitionError(flaw.field, flaw.message)
    mine = locked(metric)
    before, now = mine.definition(), version_of(mine)
    if before == wanted:
        return now
    if seen is not None and seen != mine.version:
        raise ChangedMeanwhileError(mine.name)
    if not note.strip():
        raise MetricError("Say in a note what is different and why: whoever reads an old result will ask.")
    mine.version += 1
    for name, value in columns_of(wanted).items():
        setattr(mine, name, value)
    mine.save()
    made = version_of(mine, user, note)
    audit.record(
        mine.project,
        user,
        "metric.revise",
        f"metric:{mine.key}",
        before={"version": now.number, "definition": sentence(before)},
        after={"version": made.number, "definition": sentence(wanted)},
        why=note,
    )
    metric.refresh_from_db()
    return made


def fix_versions(experiment: Experiment) -> None:
    """Fix what each metric of an experiment counts. Call it in the transaction that starts it."""
    for use in ExperimentMetric.objects.filter(experiment=experiment, version=None).select_related("metric"):
        use.version = version_of(use.metric)
        use.save(update_fields=["version"])


@transaction.atomic
def use_version(use: ExperimentMetric, user: User | None, version: MetricVersion, why: str) -> bool:
    """Count another version of a metric in a started experiment; return whether this call did it.

    Everything is counted anew from the log by the next refresh, and the results say that it was chosen afterwards.

    Raises
    ------
    MetricError
        In a draft, which follows the newest version; for another metric's version; without a reason.
    """
    experiment = Experiment.objects.select_for_update(of=("self",)).select_related("project").get(pk=use.experiment_id)
    mine = ExperimentMetric.objects.select_related("metric", "version").get(pk=use.pk)
    if experiment.status == Status.DRAFT:
        raise MetricError(f"{experiment.name} is a draft: it follows the newest version until it starts.")
    if version.metric_id != mine.metric_id:
        raise MetricError(f"{version} is no version of {mine.metric.name}.")
    if mine.version_id == version.pk:
        return False
    if not why.strip():
        raise MetricError("Say why another version counts now: it is chosen after results were seen.")
    before = {"metric": mine.metric.key, "version": mine.number, "definition": sentence(mine.counted.definition())}
    mine.version, mine.version_chosen_at = version, timezone.now()
    mine.save(update_fields=["version", "version_chosen_at"])
    audit.record(
        experiment.project,
        user,
        "experiment.metric-version",
        f"experiment:{experiment.key}",
        before=before,
        after={**before, "version": version.number, "definition": sentence(version.definition())},
        why=why,
    )
    use.refresh_from_db()
    return True
