"""When details are counted anew, and how they are read back."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from analysis import moment_sets
from analysis.counted import Counted
from analysis.details import breakdowns, spread, wearing
from analysis.details.schema import Detail
from analysis.models import MetricDetail
from experiments.models import Experiment

GOOD_FOR, MANY_GOOD_FOR = timedelta(minutes=10), timedelta(hours=6)
"""How old details may grow while data arrives; those of many units move slowly and cost more to count."""
MANY_UNITS = 200_000
FEW_UNITS = 20_000


def keep(
    experiment: Experiment,
    metrics: Sequence[Counted],
    changes: int | None,
    as_of: datetime,
    horizon: datetime,
    units: int,
) -> None:
    """Count the details of every metric anew, if they are old and anything has changed since."""
    definition = moment_sets.definition(metrics)
    rows = MetricDetail.objects.filter(experiment=experiment, phase=experiment.phase, definition=definition)
    until = as_of - good_for(units) if experiment.stopped_at is None else as_of  # the last result is read for years
    good = {metric for metric, then, seen in rows.values_list("metric", "as_of", "changes")
            if seen == changes or then > until}  # fmt: skip
    if good.issuperset(one.key for one in metrics):
        return
    limits = {one.metric: one.limit for one in metrics}
    for one, found in zip(metrics, collected(experiment, metrics, limits, horizon), strict=True):
        columns = {"definition": definition, "as_of": as_of, "changes": changes, "payload": msgspec.to_builtins(found)}
        MetricDetail.objects.update_or_create(
            experiment=experiment, phase=experiment.phase, metric=one.key, defaults=columns
        )


def good_for(units: int) -> timedelta:
    """Return how old the details of so many units may grow: in proportion, so that a minute costs the same of all."""
    return GOOD_FOR if units < FEW_UNITS else min(MANY_GOOD_FOR, max(GOOD_FOR, MANY_GOOD_FOR * (units / MANY_UNITS)))


def collected(
    experiment: Experiment, metrics: Sequence[Counted], limits: Mapping[int, float | None], horizon: datetime
) -> list[Detail]:
    """Count the details of metrics (with their caps found) from the units as they are folded."""
    spreads = spread.collect(experiment, metrics, limits, horizon.isoformat())
    began = experiment.counts_from or horizon
    courses = wearing.collect(experiment, metrics, began, horizon)
    broken = breakdowns.collect(experiment, metrics, limits, horizon.isoformat())
    return [
        Detail(spread=spreads.get(one.metric), wearing=courses[one.metric], breakdowns=broken.get(one.metric, []))
        for one in metrics
    ]


def newest(experiment: Experiment, metric: str) -> tuple[Detail, datetime] | None:
    """Return what is kept of a metric in the present phase, and of when it is."""
    found = MetricDetail.objects.filter(experiment=experiment, phase=experiment.phase, metric=metric).first()
    return None if found is None else (msgspec.convert(found.payload, Detail), found.as_of)


def of_metrics(experiment: Experiment, metrics: Sequence[str]) -> dict[str, Detail]:
    """Return what is kept of several metrics in the present phase, by their keys."""
    rows = MetricDetail.objects.filter(experiment=experiment, phase=experiment.phase, metric__in=metrics)
    return {key: msgspec.convert(payload, Detail) for key, payload in rows.values_list("metric", "payload")}
