"""A project's own past as the statistics take it: unit totals, baselines and the curve of new units."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from analysis.counted import data_up_to, in_experiment
from analysis.models import Enrolment
from analysis.moments import NEVER, with_caps
from analysis.rollup import sql
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.stats.duration import Traffic, units_by_day
from analysis.stats.moments import Array, Moments
from experiments.domain.metrics import MetricKind
from experiments.models import Experiment, ExperimentMetric, Metric, Project
from experiments.models.experiment import WHOLE

DAY = timedelta(days=1)

# Units without events are zeros. Floats are near enough here: nothing is squared before it is centred.
_TOTALS = """
SELECT coalesce(sum(u.numerator), 0)::float8, coalesce(sum(u.denominator), 0)::float8
FROM analysis_enrolment e
LEFT JOIN analysis_unitday u
  ON u.experiment_id = e.experiment_id AND u.unit = e.unit AND u.metric_id = %(metric)s
WHERE e.experiment_id = %(experiment)s AND NOT e.quarantined
  AND (%(variant)s = 0 OR e.variant_id = %(variant)s)
  AND (%(hours)s = 0 OR e.first_at + make_interval(hours => %(hours)s) <= %(horizon)s::timestamptz)
GROUP BY e.unit ORDER BY e.unit
"""
_FIRST_DAYS = """
SELECT floor(extract(epoch FROM first_at - min(first_at) OVER ()) / 86400)::int
FROM analysis_enrolment WHERE experiment_id = %(experiment)s AND NOT quarantined
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The experiment whose units a metric's past is read from, and how many it has."""

    experiment: Experiment
    units: int


def metrics(project: Project) -> list[Metric]:
    """Return the project's metrics that some folded experiment has."""
    return list(Metric.objects.filter(project=project, uses__experiment__folded__isnull=False).distinct())


def sources(project: Project, chosen: Sequence[Metric]) -> dict[int, Source]:
    """Return for each metric, by its id, the folded experiment with the most units; none has no entry.

    Nor has a quantile, which is over events: no total a unit gives it.
    """
    wanted = [metric for metric in chosen if metric.kind != MetricKind.QUANTILE]
    folded = Experiment.objects.filter(project=project, folded__isnull=False)
    kept = Count("pk", filter=Q(quarantined=False))
    counted = (
        Enrolment.objects.filter(experiment__in=folded.values("pk")).values_list("experiment").annotate(units=kept)
    )
    units = {experiment: count for experiment, count in counted if count}
    uses = ExperimentMetric.objects.filter(metric__in=wanted, experiment__in=list(units))
    most: dict[int, tuple[int, int]] = {}
    for metric, experiment in uses.values_list("metric", "experiment"):
        most[metric] = max(most.get(metric, (0, 0)), (units[experiment], experiment))
    # Their plans alone: a project of thousands of experiments has tens of thousands of uses.
    chosen_ones = {experiment for _, experiment in most.values()}
    experiments = folded.prefetch_related("plan", "variants").in_bulk(chosen_ones)
    ordered = ((metric.pk, *most[metric.pk]) for metric in wanted if metric.pk in most)
    return {metric: Source(experiment=experiments[one], units=count) for metric, count, one in ordered}


def totals(experiment: Experiment, metric: Metric, *, control_only: bool = False) -> Array:
    """Return each unit's own numbers, in the order of the units' ids: shape (n, 1), for a ratio (n, 2)."""
    control = next((one.pk for one in experiment.variants.all() if one.is_control), 0)
    horizon = data_up_to(experiment, timezone.now()) or NEVER
    counted = next((one for one in with_caps(experiment, horizon) if one.metric == metric.pk), None)
    if counted is None:
        counted = in_experiment(experiment, metric)
    parameters: dict[str, sql.Parameter] = {
        "experiment": experiment.pk, "metric": metric.pk, "variant": control if control_only else 0,
        "hours": counted.matures, "horizon": horizon.isoformat(),
    }  # fmt: skip
    with transaction.atomic():
        sql.run(SCAN)
        rows = sql.rows(_TOTALS, parameters)
        sql.run(NO_SCAN)
    table = np.array(rows, dtype=np.float64).reshape(-1, 2)
    if counted.definition.is_ratio:
        return table
    own = table[:, :1]
    return own if counted.limit is None else np.minimum(own, counted.limit)


def control_moments(experiment: Experiment, metric: Metric) -> Moments:
    """Return the moments of the control's units: what the metric is without any treatment."""
    return Moments.from_values(totals(experiment, metric, control_only=True))


def traffic(experiment: Experiment, share: float = 1.0) -> Traffic:
    """Return the curve of new units that the experiment saw, as if it had taken in ``share`` of all traffic.

    Days are counted from its first unit. The last of several is left out: it is not over, or ended early.

    Raises:
        ValueError: nobody has been enrolled.
    """
    days = np.array([row[0] for row in sql.rows(_FIRST_DAYS, {"experiment": experiment.pk})], dtype=np.int64)
    if len(days) == 0:
        raise ValueError(f"{experiment.key} has no unit yet")
    curve = units_by_day([int(day) for day in days])
    taken_in = experiment.allocation / WHOLE
    whole = curve[:-1] if len(curve) > 1 else curve
    return Traffic(cumulative=tuple(units / taken_in for units in whole), share=share)
