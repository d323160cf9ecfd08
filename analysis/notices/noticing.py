"""Notice what people did with experiments: started, ended, shipped, or brought to where the rule has an answer.

Found in the state of things and not in a log of changes: whatever moved, and however long nobody looked, each step is
noticed once, and what lies back too far to be news is not told.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from analysis.alerts.kinds import Severity
from analysis.models import Occurrence, ResultSnapshot
from analysis.notices import agreeing, wording
from analysis.notices.avoided import avoided_loss
from analysis.notices.kinds import OccurrenceKind
from analysis.notices.occurring import occurred
from analysis.results.latest import latest
from analysis.results.schema import Results, from_payload
from experiments.domain.lifecycle import LIVE
from experiments.domain.stages import FOLLOWING, Stage
from experiments.models import Experiment
from experiments.staging import staged

NEWS = timedelta(days=3)
"""Longer than a weekend's outage; what happened before is history, for example that of an imported demo."""
WAIT_FOR_RESULT = timedelta(hours=2)
"""An end is told with its final result, which takes minutes; without one it is told as it is."""

Found = QuerySet[Experiment, Experiment]


def notice(now: datetime) -> int:
    """Write down every step that was not noticed yet. Return how many."""
    experiments = Experiment.objects.select_related("project", "standing", "shipped_variant")
    experiments = experiments.exclude(kind__in=[kind.value for kind in FOLLOWING])
    steps: list[tuple[Found, Callable[[Experiment, datetime], Occurrence | None]]] = [
        (_unnoticed(experiments.filter(started_at__gt=now - NEWS), OccurrenceKind.STARTED), _started),
        (_unnoticed(experiments.filter(shipped_at__gt=now - NEWS), OccurrenceKind.SHIPPED), _shipped),
        (_unnoticed(_ready(experiments, now), OccurrenceKind.READY), _is_ready),
        (_unnoticed(_ended(experiments, now), OccurrenceKind.ENDED), _has_ended),
    ]
    made = agreeing.notice(now - NEWS, now)
    for found, write in steps:
        for experiment in found:
            made += write(experiment, now) is not None
    return made


def _unnoticed(found: Found, kind: OccurrenceKind) -> Found:
    """Leave out what has an occurrence of this kind since the step; a phase or a shipment anew is a step anew."""
    known = Occurrence.objects.filter(experiment=OuterRef("pk"), kind=kind.value)
    if kind is OccurrenceKind.ENDED:
        known = Occurrence.objects.filter(experiment=OuterRef("pk"), kind__in=[kind.value, OccurrenceKind.AVOIDED_LOSS])
    if kind is OccurrenceKind.SHIPPED:
        known = known.filter(happened_at__gte=OuterRef("shipped_at"))
    if kind is OccurrenceKind.READY:
        known = known.filter(happened_at__gte=Coalesce(OuterRef("phase_started_at"), OuterRef("started_at")))
    return found.filter(~Exists(known))


def _ready(experiments: Found, now: datetime) -> Found:
    live = experiments.filter(status__in=[status.value for status in LIVE], started_at__isnull=False)
    rows: Any = staged(live, now)  # the added column is none that types know
    ready: Found = rows.filter(stage=Stage.READY.value, standing__as_of__gt=now - NEWS)
    return ready


def _ended(experiments: Found, now: datetime) -> Found:
    ended = experiments.filter(stopped_at__gt=now - NEWS, shipped_at__isnull=True)
    final = Q(standing__as_of__gte=F("stopped_at"))
    return ended.filter(final | Q(stopped_at__lt=now - WAIT_FOR_RESULT))


def _started(experiment: Experiment, now: datetime) -> Occurrence | None:
    if experiment.started_at is None:
        return None
    return occurred(
        experiment.project,
        OccurrenceKind.STARTED,
        f"{experiment.key}:started",
        f"{experiment.name} has started.",
        happened_at=experiment.started_at,
        experiment=experiment,
        explanation=experiment.hypothesis,
        next_step=wording.plan(experiment),
        facts=wording.plan_facts(experiment),
        now=now,
    )


def _is_ready(experiment: Experiment, now: datetime) -> Occurrence | None:
    snapshot = latest(experiment)
    if snapshot is None:
        return None
    results = from_payload(snapshot.payload)
    return occurred(
        experiment.project,
        OccurrenceKind.READY,
        f"{experiment.key}:{experiment.phase}:ready",
        results.verdict.headline,
        happened_at=snapshot.as_of,
        experiment=experiment,
        severity=Severity.WARNING,
        tone=results.verdict.tone.value,
        explanation=results.verdict.explanation,
        next_step=results.verdict.next_step,
        facts=wording.result_facts(results),
        snapshot=snapshot,
        now=now,
    )


def _has_ended(experiment: Experiment, now: datetime) -> Occurrence | None:
    if experiment.stopped_at is None:
        return None
    snapshot, results = _result(experiment)
    # An end that avoided a loss is told as that, and not twice.
    if results is not None and (told := _loss(experiment, snapshot, results, now)):
        return told
    verdict = results.verdict if results else None
    return occurred(
        experiment.project,
        OccurrenceKind.ENDED,
        f"{experiment.key}:ended",
        verdict.headline if verdict else f"{experiment.name} has ended without a result.",
        happened_at=experiment.stopped_at,
        experiment=experiment,
        tone=verdict.tone.value if verdict else "flat",
        explanation=verdict.explanation if verdict else "No exposures were analysed.",
        next_step="Conclude it: write down the decision and what was learned.",
        facts=wording.result_facts(results) if results else [],
        snapshot=snapshot,
        now=now,
    )


def _loss(
    experiment: Experiment, snapshot: ResultSnapshot | None, results: Results, now: datetime
) -> Occurrence | None:
    loss = avoided_loss(results, experiment.allocation)
    if loss is None or experiment.stopped_at is None:
        return None
    return occurred(
        experiment.project,
        OccurrenceKind.AVOIDED_LOSS,
        f"{experiment.key}:loss",
        loss.sentence,
        happened_at=experiment.stopped_at,
        experiment=experiment,
        tone="good",
        explanation=loss.explanation,
        next_step="Conclude it, so that others learn from it.",
        facts=loss.facts,
        snapshot=snapshot,
        now=now,
    )


def _shipped(experiment: Experiment, now: datetime) -> Occurrence | None:
    variant = experiment.shipped_variant
    if experiment.shipped_at is None or variant is None:
        return None
    snapshot, results = _result(experiment)
    return occurred(
        experiment.project,
        OccurrenceKind.SHIPPED,
        f"{experiment.key}:shipped:{experiment.shipped_at:%Y%m%dT%H%M%S%f}",
        f"{variant.name} of {experiment.name} is shipped{wording.to_whom(experiment)}.",
        happened_at=experiment.shipped_at,
        experiment=experiment,
        tone="good",
        explanation=results.verdict.headline if results else "",
        next_step=wording.after_shipping(experiment),
        facts=wording.result_facts(results) if results else [],
        snapshot=snapshot,
        now=now,
    )


def _result(experiment: Experiment) -> tuple[ResultSnapshot | None, Results | None]:
    snapshot = latest(experiment)
    return snapshot, from_payload(snapshot.payload) if snapshot else None
