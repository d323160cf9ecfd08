"""Does the effect wear off? The same units on each of their first days, counted in one pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations_with_replacement

import numpy as np
from django.db import transaction
from scipy import stats

from analysis.counted import Counted
from analysis.details.schema import AgePoint, Wearing
from analysis.rollup import sql
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.stats.moments import Array, Moments, merge
from analysis.stats.novelty import course
from analysis.stats.unavailable import NotComputable
from experiments.models import Experiment

MOST_DAYS = 7
"""A week: long enough for curiosity to pass, and every unit has seen each day of the week once."""
LEAST_DAYS = 2
FEWEST_UNITS = 100
"""Units of a variant below which a day's effect says nothing."""

# ``d`` counts UTC days since the unit's exposure; the day of the exposure itself is a part of a day, in every variant
# alike. Only units whose last counted day is over are in: late comers would pass for a trend. Units without events on
# any of the days are zeros and only counted ('all').
STATEMENT = """
WITH rule AS (
    SELECT * FROM unnest(%(metrics)s::bigint[], %(limits)s::float8[]) AS r(metric_id, most)
), cohort AS MATERIALIZED (
    SELECT unit, variant_id, (first_at AT TIME ZONE 'UTC')::date AS entered FROM analysis_enrolment
    WHERE experiment_id = %(experiment)s AND NOT quarantined AND (first_at AT TIME ZONE 'UTC')::date <= %(last)s::date
), daily AS (
    SELECT u.metric_id, c.variant_id, u.unit, u.day - c.entered AS d, least(r.most, u.numerator::float8) AS y,
           u.denominator::float8 AS x
    FROM analysis_unitday u JOIN cohort c ON c.unit = u.unit JOIN rule r ON r.metric_id = u.metric_id
    WHERE u.experiment_id = %(experiment)s AND u.day - c.entered < %(days)s
), wide AS (
    SELECT metric_id, variant_id, {wide} FROM daily GROUP BY metric_id, variant_id, unit
)
SELECT metric_id, variant_id, count(*), {sums} FROM wide GROUP BY 1, 2
UNION ALL
SELECT NULL, variant_id, count(*), {nothing} FROM cohort GROUP BY 2
"""

Key = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Units that entered by ``last``, seen on each of their first ``days`` days."""

    days: int
    last: date


def cohort(began: datetime, horizon: datetime) -> Cohort | NotComputable:
    """Return who can be followed: half of the time is for entering, half, a week at most, for following."""
    first, today = began.astimezone(UTC).date(), horizon.astimezone(UTC).date()
    days = min(MOST_DAYS, (today - first).days // 2)
    if days < LEAST_DAYS:
        return NotComputable("a change with time shows after four full days at the earliest")
    return Cohort(days=days, last=today - timedelta(days=days))


def collect(
    experiment: Experiment, metrics: Sequence[Counted], began: datetime, horizon: datetime
) -> dict[int, list[Wearing]]:
    """Return what each metric's effect does with the days since the exposure, by the metric's id, one a treatment."""
    followed = cohort(began, horizon)
    found: dict[Key, Moments] = {}
    variants = [(variant.pk, variant.key) for variant in experiment.variants.all()]
    if isinstance(followed, Cohort):
        for is_ratio in (False, True):
            own = [one for one in metrics if one.definition.is_ratio == is_ratio and not _why_not(one, followed)]
            if own:
                found |= _moments(experiment, own, followed, is_ratio=is_ratio)
    return {one.metric: list(_readings(one, followed, found, variants)) for one in metrics}


def _why_not(one: Counted, followed: Cohort) -> str:
    if one.is_quantile:
        return "of a quantile no single day of a unit can be read"
    window = one.definition.window_hours
    if one.definition.delay_hours or (window is not None and window < 24 * followed.days):
        return "its window is shorter than the days that are followed"
    return ""


def _readings(
    one: Counted, followed: Cohort | NotComputable, found: Mapping[Key, Moments], variants: Sequence[tuple[int, str]]
) -> Iterator[Wearing]:
    control = variants[0][0]
    for pk, key in variants[1:]:
        reason = followed.reason if isinstance(followed, NotComputable) else _why_not(one, followed)
        if reason or isinstance(followed, NotComputable):
            yield Wearing(variant=key, units=0, until=None, reason=reason)
            continue
        arms = [found.get((one.metric, arm)) for arm in (control, pk)]
        yield _reading(key, followed, arms, is_ratio=one.definition.is_ratio)


def _reading(variant: str, followed: Cohort, arms: Sequence[Moments | None], *, is_ratio: bool) -> Wearing:
    units = sum(arm.n for arm in arms if arm is not None)
    few = Wearing(
        variant=variant, units=units, until=followed.last,
        reason=f"fewer than {FEWEST_UNITS} units a variant have been in for {followed.days} full days",
    )  # fmt: skip
    parts = [_by_day(arm, is_ratio=is_ratio) for arm in arms if arm is not None and arm.n >= FEWEST_UNITS]
    if len(parts) < 2:
        return few
    (before, spread_before), (after, spread_after) = parts
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        return Wearing(variant=variant, units=units, until=followed.last, reason="on some day nothing is divided by")
    effects, covariance = after - before, spread_before + spread_after
    read = course(effects, covariance)
    if isinstance(read, NotComputable):
        return Wearing(variant=variant, units=units, until=followed.last, reason=read.reason)
    reach = float(stats.norm.isf(0.025)) * np.array(read.standard_errors)
    return Wearing(
        variant=variant,
        units=units,
        until=followed.last,
        points=[
            AgePoint(day=day, difference=value, interval=(value - half, value + half))
            for day, (value, half) in enumerate(zip(read.effects, reach.tolist(), strict=True))
        ],
        trend=read.trend.value,
        slope_p_value=read.slope_p_value,
        p_value=read.p_value,
    )


def _by_day(arm: Moments, *, is_ratio: bool) -> tuple[Array, Array]:
    """Return each day's value with the covariance of all of them; of a ratio by the delta method."""
    spread = arm.comoment / (arm.n - 1) / arm.n
    if not is_ratio:
        return arm.mean, spread
    days = len(arm.mean) // 2
    top, bottom = arm.mean[:days], arm.mean[days:]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = top / bottom
        gradient = np.hstack([np.diag(1 / bottom), np.diag(-value / bottom)])
    if not np.isfinite(gradient).all():
        return np.full(days, np.nan), np.zeros((days, days))
    return value, gradient @ spread @ gradient.T


def _moments(
    experiment: Experiment, metrics: Sequence[Counted], followed: Cohort, *, is_ratio: bool
) -> dict[Key, Moments]:
    columns = [(part, day) for part in (("y", "x") if is_ratio else ("y",)) for day in range(followed.days)]
    names = [f"{part}{day}" for part, day in columns]
    pairs = list(combinations_with_replacement(range(len(names)), 2))
    wide = [f"coalesce(sum({part}) FILTER (WHERE d = {day}), 0) AS {part}{day}" for part, day in columns]
    sums = [*(f"sum({name})" for name in names), *(f"sum({names[i]} * {names[j]})" for i, j in pairs)]
    statement = STATEMENT.format(wide=", ".join(wide), sums=", ".join(sums), nothing=", ".join("0" for _ in sums))
    parameters: dict[str, sql.Parameter] = {
        "experiment": experiment.pk,
        "metrics": [one.metric for one in metrics],
        "limits": [1.0 if one.definition.is_bounded else None for one in metrics],
        "last": followed.last.isoformat(),
        "days": followed.days,
    }
    units: dict[int, int] = {}
    active: dict[Key, Moments] = {}
    for metric, variant, n, *numbers in _rows(statement, parameters):
        if metric is None:
            units[variant] = n
        else:
            active[metric, variant] = _from_sums(n, numbers, pairs, len(names))
    whole: dict[Key, Moments] = {}
    for one in metrics:
        for variant, n in units.items():
            did = active.get((one.metric, variant), Moments.empty(len(names)))
            idle = Moments(n=n - did.n, mean=np.zeros(len(names)), comoment=np.zeros((len(names), len(names))))
            whole[one.metric, variant] = merge(did, idle)
    return whole


def _from_sums(n: int, numbers: Sequence[float], pairs: Sequence[tuple[int, int]], k: int) -> Moments:
    products = np.zeros((k, k))
    for (i, j), value in zip(pairs, numbers[k:], strict=True):
        products[i, j] = products[j, i] = value
    sums = np.array(numbers[:k], dtype=np.float64)
    return Moments(n=n, mean=sums / n, comoment=products - np.outer(sums, sums) / n)


@transaction.atomic
def _rows(
    statement: str, parameters: Mapping[str, sql.Parameter]
) -> list[tuple[int | None, int, int, *tuple[float, ...]]]:
    sql.run("SET LOCAL work_mem = '64MB'")
    sql.run(SCAN)
    found = sql.rows(statement, parameters)
    sql.run(NO_SCAN)
    return found
