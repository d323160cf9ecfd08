"""The effect as it stood at the end of each day, with the band that the experiment's plan gives it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from analysis.decisions.readout import effect_point
from analysis.looking import Course
from analysis.results.schema import Comparison, EffectSeries, MetricResult
from analysis.stats.confidence_sequence import boundary, too_early
from analysis.stats.group_sequential import boundaries
from analysis.stats.looks import AnyLooks, PlannedLooks
from analysis.stats.moments import Moments
from experiments.domain.metrics import MetricKind
from experiments.models import ExperimentMetric, Variant

Arms = tuple[Moments, Moments]
Days = list[tuple[date, Moments]]


def effect_series(
    use: ExperimentMetric, variants: list[Variant], course: Course, result: MetricResult
) -> list[EffectSeries]:
    """Return a metric's effect at the end of each day, one series a treatment, at the level of its table row."""
    kind = MetricKind(use.counted.kind)
    if kind is MetricKind.QUANTILE:
        return []  # it would take each day's values of all units again
    by_day = {variant.pk: list(course.sums.by_day(use.metric_id, kind, variant.pk)) for variant in variants}
    control = next(variant for variant in variants if variant.is_control)
    found = {comparison.variant: comparison for comparison in result.comparisons}
    reached = course.sums.reached(use.metric_id)
    return [
        _series(use.metric.key, kind, (by_day[control.pk], by_day[variant.pk]), found[variant.key], course, reached)
        for variant in variants
        if not variant.is_control
    ]


def _series(
    key: str,
    kind: MetricKind,
    both: tuple[Days, Days],
    comparison: Comparison,
    course: Course,
    reached: Sequence[int],
) -> EffectSeries:
    before, after = both
    days = [day for day, _ in before]
    arms = [(old, new) for (_, old), (_, new) in zip(before, after, strict=True)]
    widths = multipliers(kind, arms, comparison, course, reached)
    return EffectSeries(
        metric=key,
        variant=comparison.variant,
        alpha=comparison.alpha,
        points=[
            effect_point(day, kind, *arm, comparison.alpha, width)
            for day, arm, width in zip(days, arms, widths, strict=True)
        ],
    )


def multipliers(
    kind: MetricKind, arms: list[Arms], comparison: Comparison, course: Course, reached: Sequence[int]
) -> list[float | None]:
    """Return how many standard errors the band is wide at each day's end; None for the interval of one look.

    A group-sequential plan's band is that of a look at every day's end. The last day is the row of the table.
    """
    looking = course.looking
    if looking is None or not arms:
        return [None] * len(arms)
    found: list[float | None]
    if isinstance(looking, AnyLooks):
        found = [_any_time(kind, both, comparison.alpha, looking.tuned_for) for both in arms]
    else:
        found = list(_planned(looking, comparison.alpha, reached))
    return [*found[:-1], found[-1] if comparison.boundary is None else comparison.boundary]


def _planned(looking: PlannedLooks, alpha: float, reached: Iterable[int]) -> list[float]:
    """Return the boundary of a look at the end of each day; a day without new units has the boundary before it."""
    plan = replace(looking.plan, alpha=alpha, futility_risk=None)
    information: list[float] = []
    place = []
    for units in reached:
        if not information or units > information[-1] * 1.0001:
            information.append(float(max(1, units)))
        place.append(len(information) - 1)
    upper = boundaries(plan, information, final=looking.final).upper
    return [upper[index] for index in place]


def _any_time(kind: MetricKind, arms: Arms, alpha: float, tuned_for: int) -> float:
    control, treatment = arms
    fewest = None
    if kind is MetricKind.PROPORTION and min(control.n, treatment.n) > 0:
        fewest = min(arm.n * min(float(arm.mean[0]), 1 - float(arm.mean[0])) for arm in arms)
    if too_early(min(control.n, treatment.n), fewest):
        return math.inf
    return boundary(control.n + treatment.n, alpha, tuned_for)
