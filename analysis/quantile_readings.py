"""Quantiles as they were read a while ago, where there are so many values that to read them all takes its time.

A quantile is over every event of every unit, and no sum gives it. So it is read anew after a time in proportion to how
many values there are: what a minute costs does not grow with them. A reading is used for what it was made for alone:
the same level, wait and last day.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from analysis import event_quantiles
from analysis.ages import OLDEST
from analysis.counted import Counted
from analysis.covariates import Moment
from analysis.crossing import Key
from analysis.event_quantiles import Read
from analysis.models import QuantileReading
from analysis.stats.estimates import Estimate
from analysis.stats.unavailable import NotComputable
from experiments.models import Experiment

VALUES_AN_HOUR = 20_000_000
"""Reading half a million takes about a second (docs/benchmarks.md): so no more than a hundredth of a processor.

A guardrail hangs on it: of five million values it is read every quarter of an hour.
"""
OFTEN = timedelta(minutes=1)
"""What is good for less is not kept: by the next refresh it is too old."""


def good_for(values: int) -> timedelta:
    """Return how long a reading of so many values, of all variants together, is good enough."""
    return min(OLDEST, timedelta(hours=values / VALUES_AN_HOUR))


def collect(
    experiment: Experiment, metrics: Sequence[Counted], variants: Sequence[int], at: Moment
) -> tuple[dict[Key, Estimate | NotComputable], dict[int, datetime]]:
    """Return (metric, variant) -> the quantile of each metric that is one; and metric -> when it was read, where that
    is a while ago."""
    found: dict[Key, Estimate | NotComputable] = {}
    read_at: dict[int, datetime] = {}
    now = timezone.now()
    for one in metrics:
        if not one.is_quantile:
            continue
        there = _as_it_was(experiment, one, variants, at, now)
        if there is None:
            read = event_quantiles.read(experiment, one, variants, at)
            _keep(experiment, one, read, at, now)
            found |= {(one.metric, variant): estimate for variant, estimate in read.estimates.items()}
        else:
            when, estimates = there
            read_at[one.metric] = when
            found |= {(one.metric, variant): estimate for variant, estimate in estimates.items()}
    return found, read_at


def _as_it_was(
    experiment: Experiment, one: Counted, variants: Sequence[int], at: Moment, now: datetime
) -> tuple[datetime, Mapping[int, Estimate | NotComputable]] | None:
    if experiment.stopped_at is not None:  # what a stopped experiment comes to is read for years
        return None
    rows = QuantileReading.objects.filter(
        experiment=experiment, metric_id=one.metric, level=one.definition.level or 0, hours=one.matures, until=at.until
    )
    kept = {row.variant_id: row for row in rows if row.read_at > now - good_for(row.values)}
    if not set(variants) <= kept.keys():
        return None
    return min(kept[variant].read_at for variant in variants), {variant: kept[variant].estimate for variant in variants}


def _keep(experiment: Experiment, one: Counted, read: Read, at: Moment, now: datetime) -> None:
    if experiment.stopped_at is not None or good_for(read.values) < OFTEN:
        return
    rows = [
        QuantileReading(
            experiment=experiment,
            metric_id=one.metric,
            variant_id=variant,
            read_at=now,
            level=one.definition.level or 0,
            hours=one.matures,
            until=at.until,
            values=read.values,
            **QuantileReading.columns_of(estimate),
        )
        for variant, estimate in read.estimates.items()
    ]
    unique = ["experiment", "metric_id", "variant_id"]
    columns = ["read_at", "level", "hours", "until", "values", "units", "value", "variance", "reason"]
    QuantileReading.objects.bulk_create(rows, update_conflicts=True, unique_fields=unique, update_fields=columns)
