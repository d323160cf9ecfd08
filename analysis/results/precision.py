"""How precisely a result knows its primary metric, how precisely it is meant to, and when it will."""

import math
from dataclasses import dataclass
from datetime import timedelta

from scipy import stats

from analysis.results.schema import Comparison, Interval, MetricResult, Results
from analysis.stats.duration import LONGEST, Traffic
from experiments.domain.looking import ReadingPlan
from experiments.domain.metrics import MetricRole

POWER = 0.8
"""The chance to see the change that matters which a plan is made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Half the width of the primary metric's relative interval, now and as planned.

    Attributes:
        metric: its name.
        now: half of the interval that the table shows; None while that has no bounds.
        planned: half of the interval that the plan ends with.
        by_what_matters: ``planned`` is what seeing the change that matters takes, and not what the planned days bring.
        done: the share of the information that is in, 0 to 1.
        days_left: whole days until it is planned, at the traffic so far; None where it never comes or none is left.
        never: not within half a year.
        over: no more units come in.
    """

    metric: str
    now: float | None
    planned: float
    by_what_matters: bool
    done: float
    days_left: int | None
    never: bool
    over: bool


def precision(results: Results, matters: float | None) -> Precision | None:
    """Return how precise the result is; None of one that cannot be believed or has no relative change.

    Args:
        results: with a primary metric.
        matters: the smallest change that matters, as a fraction, where the plan names one.
    """
    metric = next((one for one in results.metrics if one.role == MetricRole.PRIMARY), None)
    widest = _widest(metric) if metric is not None and results.health.trustworthy else None
    if metric is None or widest is None:
        return None
    comparison, half = widest
    traffic = _traffic(results)
    if traffic is None:
        return None
    goal = _goal(results, comparison, half, matters, traffic)
    needed = traffic.cumulative[-1] * (half / goal) ** 2
    over = results.experiment.stopped_at is not None
    days = None if over else _days_left(traffic, needed)
    return Precision(
        metric=metric.name,
        now=_half(comparison.lift_interval),
        planned=goal,
        by_what_matters=matters is not None,
        done=min(1.0, (goal / half) ** 2),
        days_left=days,
        never=not over and days is None,
        over=over,
    )


def _widest(metric: MetricResult) -> tuple[Comparison, float] | None:
    """Return the treatment that is known least, with half the width that one look alone has (or that there is)."""
    found = [(one, half) for one in metric.comparisons if (half := _own_half(one)) is not None]
    return max(found, key=lambda pair: pair[1], default=None)


def _own_half(one: Comparison) -> float | None:
    return _half(one.fixed_lift_interval if one.fixed_lift_interval is not None else one.lift_interval)


def _half(interval: Interval | None) -> float | None:
    if interval is None or interval[0] is None or interval[1] is None or interval[1] <= interval[0]:
        return None
    return (interval[1] - interval[0]) / 2


def _goal(results: Results, one: Comparison, half: float, matters: float | None, traffic: Traffic) -> float:
    """Return the half width to reach: what shows the change that matters, else what the planned units or days bring."""
    if matters:
        quantile = float(stats.norm.isf(one.alpha / 2))
        return matters * quantile / (quantile + float(stats.norm.isf(1 - POWER)))
    units = traffic.cumulative[-1]
    looks = results.looks
    if looks is not None and looks.planned_units and looks.plan != ReadingPlan.FIXED:
        return half * math.sqrt(units / max(units, looks.planned_units))
    over = results.experiment.stopped_at is not None
    planned = units if over else max(units, traffic.units(max(1, results.experiment.planned_days)))
    return half * math.sqrt(units / planned)


def _traffic(results: Results) -> Traffic | None:
    """Return the curve of new units by day since the first."""
    per_day: dict[int, int] = {}
    points = results.exposures_per_day
    if not points:
        return None
    first = min(point.day for point in points)
    for point in points:
        place = (point.day - first) // timedelta(days=1)
        per_day[place] = per_day.get(place, 0) + point.units
    total, curve = 0.0, []
    for day in range(max(per_day) + 1):
        total += per_day.get(day, 0)
        curve.append(total)
    return Traffic(cumulative=tuple(curve)) if total > 0 else None


def _days_left(traffic: Traffic, needed: float) -> int | None:
    """Return the days until so many units have come; a hair less is enough, for the curve is an estimate."""
    known = len(traffic.cumulative)
    for days in range(LONGEST + 1):
        if traffic.units(known + days) >= needed * (1 - 1e-6):
            return days
    return None
