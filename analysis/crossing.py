"""Moments of units together with what they did before, from the sums that the fold keeps: no unit is read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction

import numpy as np
from django.utils import timezone

from analysis import caps
from analysis.ages import good_for
from analysis.counted import Counted, data_up_to, kept_units, of_plan
from analysis.moments import NEVER
from analysis.rollup import crosses, sql
from analysis.rollup.crosses import SUMS
from analysis.stats.moments import Moments
from experiments.models import Experiment

MEAN, PAIR = ("y", "past_y", "is_new"), ("y", "x", "past_y", "past_x", "is_new")
"""The numbers of a unit in the order of ``stats.adjustment.adjust``: a mean's, and a ratio's."""

Key = tuple[int, int]
"""(metric, variant)."""

# What is kept exactly as it is asked for now, together with how many units there are: those of days before that of the
# horizon, and of that very day, one by one, whoever counts by now.
_KEPT = """
WITH rule AS (
    SELECT * FROM unnest(%(metrics)s::bigint[], %(divided)s::boolean[], %(hours)s::int[], %(limits)s::numeric[])
      AS r(metric_id, divided, hours, most)
), kept AS MATERIALIZED (
    SELECT k.* FROM rule r
    JOIN analysis_crossrule k ON k.experiment_id = %(experiment)s AND k.metric_id = r.metric_id
     AND k.divided = r.divided AND k.hours = r.hours AND k.most IS NOT DISTINCT FROM r.most
    JOIN analysis_sumrule h ON h.experiment_id = k.experiment_id AND h.hours = k.hours
     AND h.slot = CASE WHEN k.hours = 0 THEN 0 ELSE k.metric_id END
)
"""
READ = f"""
{_KEPT}, day AS (SELECT (%(horizon)s::timestamptz AT TIME ZONE 'UTC')::date AS today)
SELECT metric_id, 0, 0, {", ".join("0" for _ in SUMS)} FROM kept
UNION ALL
SELECT s.metric_id, s.variant_id, 0, {", ".join(f"s.{name}" for name in SUMS)}
FROM kept k JOIN analysis_crosssum s ON s.experiment_id = k.experiment_id AND s.metric_id = k.metric_id
WHERE s.entered < (SELECT today FROM day)
UNION ALL
SELECT k.metric_id, d.variant_id, sum(d.units), {", ".join("0" for _ in SUMS)}
FROM kept k
JOIN analysis_daysum d ON d.experiment_id = k.experiment_id
 AND d.slot = CASE WHEN k.hours = 0 THEN 0 ELSE k.metric_id END
WHERE d.variant_id <> 0 AND d.entered < (SELECT today FROM day) GROUP BY k.metric_id, d.variant_id
UNION ALL
SELECT metric_id, variant_id, count(*), {crosses.PRODUCTS.format(sign="1")} FROM (
    SELECT r.metric_id, c.variant_id, {crosses.NUMBERS}
    FROM kept r
    JOIN analysis_enrolment c ON c.experiment_id = r.experiment_id AND NOT c.quarantined
     AND c.first_at + make_interval(hours => r.hours) >= date_trunc('day', %(horizon)s::timestamptz, 'UTC')
     AND c.first_at + make_interval(hours => r.hours) <= %(horizon)s::timestamptz
    {crosses.OF_A_UNIT.format(metric="r.metric_id")}
    WHERE r.hours > 0
) edge
GROUP BY metric_id, variant_id
"""  # noqa: S608  (own words)
THERE = f"{_KEPT} SELECT metric_id FROM kept"  # noqa: S608  (own words)


def collect(
    experiment: Experiment, metrics: Sequence[Counted], limits: Mapping[int, float | None], horizon: datetime
) -> dict[Key, Moments]:
    """Return (metric, variant) -> the moments of (value, covariates), of the metrics whose sums are kept."""
    if not metrics:
        return {}
    found: dict[Key, list[Fraction]] = {}
    asked = {**_rules(experiment, metrics, limits), "horizon": horizon.isoformat()}
    for metric, variant, *numbers in sql.rows(READ, asked):
        if variant:
            before = found.get((metric, variant), [Fraction(0)] * len(numbers))
            found[metric, variant] = [a + Fraction(b) for a, b in zip(before, numbers, strict=True)]
    pairs = {one.metric for one in metrics if one.definition.is_ratio}
    return {
        key: _moments(int(n), dict(zip(SUMS, sums, strict=True)), PAIR if key[0] in pairs else MEAN)
        for key, (n, *sums) in found.items()
        if n
    }


def keep(experiment: Experiment) -> None:
    """Have the fold keep from now on what adjusted results of many units need; of few they are read at each refresh."""
    if experiment.adjusted and experiment.stopped_at is None and good_for(kept_units(experiment)):
        begin(experiment)


def begin(experiment: Experiment) -> None:
    """Have the fold keep these sums of the metrics that are adjusted, if it does not do so already."""
    metrics = [one for one in of_plan(experiment) if one.adjusted]
    until = data_up_to(experiment, timezone.now()) or NEVER
    limits = caps.current(experiment, metrics, until, only_staying=True)
    wanted = [one for one in metrics if one.metric not in limits or limits[one.metric].stays]
    amounts = caps.amounts(limits)
    there = [metric for (metric,) in sql.rows(THERE, _rules(experiment, wanted, amounts))]
    new = [one for one in wanted if one.metric not in there]
    if new:
        crosses.keep(experiment, _rules(experiment, new, amounts), there)


def _rules(
    experiment: Experiment, metrics: Sequence[Counted], limits: Mapping[int, float | None]
) -> dict[str, sql.Parameter]:
    return {
        "experiment": experiment.pk,
        "metrics": [one.metric for one in metrics],
        "divided": [one.definition.is_ratio for one in metrics],
        "hours": [one.matures for one in metrics],
        "limits": [limits.get(one.metric, one.limit) for one in metrics],
    }


def _moments(n: int, of: Mapping[str, Fraction], names: tuple[str, ...]) -> Moments:
    """Return exact moments over ``n`` units, of which those that did nothing are new ones with zeros."""
    first = {"y": of["y"], "x": of["x"], "past_y": of["p"], "past_x": of["q"], "is_new": n - of["had"]}
    second = {
        ("y", "y"): of["yy"], ("y", "x"): of["xy"], ("y", "past_y"): of["yp"], ("y", "past_x"): of["yq"],
        ("y", "is_new"): of["y"] - of["yh"], ("x", "x"): of["xx"], ("x", "past_y"): of["xp"],
        ("x", "past_x"): of["xq"], ("x", "is_new"): of["x"] - of["xh"], ("past_y", "past_y"): of["pp"],
        ("past_y", "past_x"): of["pq"], ("past_x", "past_x"): of["qq"], ("is_new", "is_new"): n - of["had"],
    }  # fmt: skip
    comoment = np.zeros((len(names), len(names)))
    for i, a in enumerate(names):
        for j, b in enumerate(names[i:], i):  # what was before and being new never meet in one unit
            comoment[i, j] = comoment[j, i] = float(second.get((a, b), Fraction(0)) - first[a] * first[b] / n)
    return Moments(n=n, mean=np.array([float(first[name] / n) for name in names]), comoment=comoment)
