"""Look at each new result for what must not wait until somebody opens the page, and raise or close the alerts."""

import logging
from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q

from analysis.alerts.kinds import AlertKind, Severity
from analysis.alerts.raising import close_others, raise_alert
from analysis.models import Alert, ResultSnapshot, Watched
from analysis.results.schema import MetricResult, Results, from_payload
from experiments.domain.lifecycle import LIVE, Status
from experiments.models import Experiment
from experiments.pages import formats

logger = logging.getLogger(__name__)
BROKEN = ("traffic-split", "two-variants")
WATCHED_KINDS = (AlertKind.BROKEN_SPLIT, AlertKind.GUARDRAIL_CROSSED, AlertKind.DATA_STOPPED)


def watch(now: datetime) -> int:
    """Look at every live experiment's newest result that was not looked at yet. Return how many were looked at."""
    live = Experiment.objects.filter(status__in=[status.value for status in LIVE])
    unseen = live.filter(standing__isnull=False).filter(
        Q(watched__isnull=True) | Q(watched__snapshot__lt=F("standing__snapshot"))
    )
    looked = 0
    for experiment in unseen.select_related("project", "standing"):
        try:
            looked += _look(experiment, now)
        except Exception:
            # One result that cannot be read must not keep the others unwatched.
            logger.exception("experiment %s cannot be watched", experiment.pk)
    _close_ended(now)
    return looked


@transaction.atomic
def _look(experiment: Experiment, now: datetime) -> int:
    snapshot = ResultSnapshot.objects.filter(experiment=experiment).order_by("-id").first()
    if snapshot is None:
        return 0
    results = from_payload(snapshot.payload)
    _split(experiment, results, now)
    _guardrails(experiment, results, now)
    Watched.objects.update_or_create(experiment=experiment, defaults={"snapshot": snapshot.pk})
    return 1


def _split(experiment: Experiment, results: Results, now: datetime) -> None:
    failed = [check for check in results.health.checks if check.key in BROKEN and check.ok is False]
    for check in failed:
        raise_alert(
            experiment.project,
            AlertKind.BROKEN_SPLIT,
            f"{experiment.key}/{experiment.phase}/{check.key}",
            f"{check.name} {check.summary}.",
            what_to_do=check.what_to_do,
            severity=Severity.URGENT,
            experiment=experiment,
            now=now,
        )
    still = {f"{experiment.key}/{experiment.phase}/{check.key}" for check in failed}
    because = "The split is as designed."
    close_others(experiment.project, AlertKind.BROKEN_SPLIT, still, experiment=experiment, because=because, now=now)


def _guardrails(experiment: Experiment, results: Results, now: datetime) -> None:
    """Ring where a guardrail's alarm holds. It stays open while the experiment runs: what was shown stays shown."""
    if not results.health.trustworthy:
        return
    for key, sentence in crossed(results):
        raise_alert(
            experiment.project,
            AlertKind.GUARDRAIL_CROSSED,
            f"{experiment.key}/{experiment.phase}/{key}",
            sentence,
            what_to_do="Turn the variant off and find the cause. The alarm holds however often results are looked at: "
            "of a hundred experiments within their limits it rings in one at most.",
            severity=Severity.URGENT,
            experiment=experiment,
            now=now,
        )


def crossed(results: Results) -> Iterator[tuple[str, str]]:
    """Return a key and a sentence for each guardrail whose alarm rings in this result."""
    names = {variant.key: variant.name for variant in results.variants}
    for metric in results.metrics:
        for one in metric.comparisons:
            if one.watch_p_value is None or one.watch_alpha is None or one.watch_p_value >= one.watch_alpha:
                continue
            yield f"{metric.key}/{one.variant}", _sentence(metric, names.get(one.variant, one.variant), one.lift)


def _sentence(metric: MetricResult, variant: str, lift: float | None) -> str:
    change = f"is {formats.lift(lift)}" if lift is not None else "is worse"
    return f"{metric.name} {change} with {variant}, beyond its limit of {formats.lift(_limit(metric))}."


def _limit(metric: MetricResult) -> float:
    margin = metric.margin or 0.0
    return -margin if metric.direction == "increase" else margin


def _close_ended(now: datetime) -> None:
    """Close what only a running experiment can have."""
    kinds = [kind.value for kind in WATCHED_KINDS]
    ended = Alert.objects.filter(kind__in=kinds, closed_at__isnull=True, experiment__status=Status.STOPPED.value)
    ended.update(closed_at=now, closed_because="The experiment has ended.")
