"""Does the effect differ between kinds of units? By what the app sent with each unit's first exposure, and no later.

The properties are read from the log, where the exposure itself is: nothing more is folded for them. A property with
more levels than people can read, or with levels of a few units, is no breakdown.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from django.db import transaction
from scipy import stats

from analysis.counted import Counted
from analysis.details.schema import Breakdown, Level
from analysis.rollup import identities, sql
from analysis.rollup.totals import NO_SCAN, SCAN
from analysis.rollup.units import Basis
from analysis.stats.estimates import Estimate, estimate
from analysis.stats.heterogeneity import Dimension, Effect, Heterogeneity, explore
from analysis.stats.lift import LiftEstimate, delta_lift
from analysis.stats.moments import Moments, mean_moments, pair_moments
from analysis.stats.unavailable import NotComputable
from experiments.domain.units import UnitType
from experiments.models import Experiment, Variant

MOST_NAMES, MOST_LEVELS = 6, 12
LEAST_UNITS = 100
"""Units of a level in both variants together below which its effect says nothing."""
LONGEST = 40
RESERVED = [
    "experiment_id",
    "experiment_name",
    "variation_id",
    "variation_name",
    "variation_key",
    "experimentId",
    "experimentName",
    "variationId",
    "variationName",
    "outputs_differ",
    "score",
]
"""Properties that say what the exposure is, and nothing of the unit: by its variant no effect can differ."""

# A unit's exposure is found by its moment: of two at the same moment, the one that the log numbered first.
TRAITS = """
CREATE TEMP TABLE detail_trait ON COMMIT DROP AS
WITH said AS MATERIALIZED (
    SELECT DISTINCT ON (e.unit) e.unit, e.variant_id, e.first_at, l.props
    FROM events_log l
    JOIN analysis_enrolment e ON e.experiment_id = {experiment} AND NOT e.quarantined
     AND e.unit = {unit} AND e.first_at = l.at
    WHERE l.project_id = {project} AND l.experiment = %(key)s AND char_length(l.experiment) <= 80
      AND l.environment = 0 AND l.at >= %(began)s::timestamptz
    ORDER BY e.unit, l.id
)
SELECT s.unit, s.variant_id, s.first_at, p.key AS name, p.value #>> '{{}}' AS level
FROM said s CROSS JOIN LATERAL jsonb_each(s.props) p
WHERE jsonb_typeof(p.value) IN ('string', 'number', 'boolean') AND NOT p.key = ANY(%(reserved)s)
  AND char_length(p.key) <= {longest} AND char_length(p.value #>> '{{}}') BETWEEN 1 AND {longest}
"""
LEVELS = """
SELECT name, level, count(*) FROM detail_trait
WHERE name IN (SELECT name FROM detail_trait GROUP BY name HAVING count(DISTINCT level) <= %(most)s)
GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
"""
SUMS = """
WITH rule AS (
    SELECT * FROM unnest(%(metrics)s::bigint[], %(hours)s::int[], %(limits)s::float8[]) AS r(metric_id, hours, most)
), counted AS MATERIALIZED (
    SELECT r.metric_id, r.most, t.unit, t.variant_id, t.name, t.level
    FROM rule r JOIN detail_trait t ON t.name = ANY(%(names)s)
     AND (r.hours = 0 OR t.first_at + make_interval(hours => r.hours) <= %(horizon)s::timestamptz)
), total AS (
    SELECT metric_id, unit, sum(numerator)::float8 AS y, sum(denominator)::float8 AS x FROM analysis_unitday
    WHERE experiment_id = %(experiment)s AND metric_id = ANY(%(metrics)s) GROUP BY 1, 2
), one AS (
    SELECT c.metric_id, c.variant_id, c.name, c.level, least(c.most, t.y) AS y, t.x
    FROM total t JOIN counted c ON c.metric_id = t.metric_id AND c.unit = t.unit
)
SELECT metric_id, variant_id, name, level, NULL, sum(y), sum(y * y), sum(x), sum(x * x), sum(x * y)
FROM one GROUP BY 1, 2, 3, 4
UNION ALL
SELECT metric_id, variant_id, name, level, count(*), 0, 0, 0, 0, 0 FROM counted GROUP BY 1, 2, 3, 4
"""

Cell = tuple[int, int, str, str]
"""(metric, variant, property, level)."""


def collect(
    experiment: Experiment, metrics: Sequence[Counted], limits: Mapping[int, float | None], horizon: str
) -> dict[int, list[Breakdown]]:
    """Return each metric's breakdowns by the metric's id, tested together over all metrics, properties, treatments."""
    readable = [one for one in metrics if not one.is_quantile]
    levels, cells = _read(experiment, readable, limits, horizon) if readable else ({}, {})
    variants = list(experiment.variants.all())
    asked = [(one, treatment, name) for one in readable for treatment in variants[1:] for name in levels]
    effects = [_effects(one, (variants[0], treatment), name, levels[name], cells) for one, treatment, name in asked]
    found = explore([(name, each) for (_, _, name), each in zip(asked, effects, strict=True)]) if asked else ()
    made: dict[int, list[Breakdown]] = defaultdict(list)
    for (one, treatment, name), dimension in zip(asked, found, strict=True):
        counts = {level: _units(one, (variants[0], treatment), name, level, cells) for level in levels[name]}
        made[one.metric].append(_breakdown(treatment, dimension, counts, len(asked)))
    return made


@transaction.atomic
def _read(
    experiment: Experiment, metrics: Sequence[Counted], limits: Mapping[int, float | None], horizon: str
) -> tuple[dict[str, list[str]], dict[Cell, Moments]]:
    fallback = experiment.fallback_unit_type
    basis = Basis(unit_type=UnitType(experiment.unit_type), fallback=UnitType(fallback) if fallback else None)
    unit = basis.in_log([pk for pk in identities.linked_projects() if pk == experiment.project_id])
    began = experiment.counts_from
    sql.run("SET LOCAL work_mem = '64MB'")
    sql.run(SCAN)
    sql.run("DROP TABLE IF EXISTS detail_trait")
    sql.run(
        TRAITS.format(experiment=experiment.pk, project=experiment.project_id, unit=unit, longest=LONGEST),
        {"key": experiment.key, "began": began.isoformat() if began else horizon, "reserved": RESERVED},
    )
    levels = _chosen(sql.rows(LEVELS, {"most": MOST_LEVELS}))
    parameters: dict[str, sql.Parameter] = {
        "experiment": experiment.pk, "metrics": [one.metric for one in metrics], "horizon": horizon,
        "hours": [one.matures for one in metrics], "names": list(levels),
        "limits": [limits.get(one.metric, one.limit) for one in metrics],
    }  # fmt: skip
    rows = sql.rows(SUMS, parameters) if levels else []
    sql.run(NO_SCAN)
    sql.run("DROP TABLE detail_trait")
    return levels, _cells(rows, {one.metric: one for one in metrics})


def _chosen(rows: Sequence[tuple[str, str, int]]) -> dict[str, list[str]]:
    """Return the properties that can be read as kinds of units, each with the levels that have enough of them."""
    by_name: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, level, units in rows:
        by_name[name].append((level, units))
    chosen: dict[str, list[str]] = {}
    for name, found in sorted(by_name.items()):
        large = [level for level, units in found if units >= LEAST_UNITS]
        if len(large) >= 2 and len(found) <= MOST_LEVELS and len(chosen) < MOST_NAMES:
            chosen[name] = large
    return chosen


def _cells(rows: Sequence[tuple[object, ...]], metrics: Mapping[int, Counted]) -> dict[Cell, Moments]:
    units: dict[Cell, int] = {}
    sums: dict[Cell, list[float]] = {}
    for metric, variant, name, level, count, *powers in rows:
        cell: Cell = (int(str(metric)), int(str(variant)), str(name), str(level))
        if count is None:
            sums[cell] = [float(str(power)) for power in powers]
        else:
            units[cell] = int(str(count))
    made = {}
    for cell, n in units.items():
        y, yy, x, xx, xy = sums.get(cell, [0.0] * 5)
        ratio = metrics[cell[0]].definition.is_ratio
        made[cell] = pair_moments(n, y, x, yy, xy, xx) if ratio else mean_moments(n, y, yy)
    return made


def _effects(
    one: Counted, arms: tuple[Variant, Variant], name: str, levels: Sequence[str], cells: Mapping[Cell, Moments]
) -> dict[str, Effect | NotComputable]:
    return {level: _effect(one, arms, name, level, cells) for level in levels}


def _effect(
    one: Counted, arms: tuple[Variant, Variant], name: str, level: str, cells: Mapping[Cell, Moments]
) -> Effect | NotComputable:
    estimates = []
    for arm in arms:
        found = cells.get((one.metric, arm.pk, name, level))
        value = NotComputable("a variant has no unit") if found is None else estimate(one.form, found)
        if isinstance(value, NotComputable):
            return value
        estimates.append(value)
    return _relative(estimates[0], estimates[1])


def _relative(control: Estimate, treatment: Estimate) -> Effect | NotComputable:
    if control.value <= 0:
        return NotComputable("the control's value is not above zero")
    found = delta_lift(control, treatment)
    if not isinstance(found, LiftEstimate):
        return found
    return Effect(value=found.value, standard_error=found.standard_error)


def _units(one: Counted, arms: tuple[Variant, Variant], name: str, level: str, cells: Mapping[Cell, Moments]) -> int:
    found = (cells.get((one.metric, arm.pk, name, level)) for arm in arms)
    return sum(moments.n for moments in found if moments is not None)


def _breakdown(treatment: Variant, dimension: Dimension, counts: Mapping[str, int], tested: int) -> Breakdown:
    found = dimension.found
    if isinstance(found, NotComputable):
        return Breakdown(variant=treatment.key, name=dimension.name, tested=tested, reason=found.reason)
    return Breakdown(
        variant=treatment.key,
        name=dimension.name,
        tested=tested,
        levels=list(_levels(found, counts)),
        p_value=found.p_value,
        adjusted_p_value=dimension.adjusted_p_value,
        differs=dimension.differs,
    )


def _levels(found: Heterogeneity, counts: Mapping[str, int]) -> Iterator[Level]:
    quantile = float(stats.norm.isf(0.025))
    for level, units in counts.items():
        one = found.shrunk.get(level)
        reach = math.nan if one is None else quantile * one.standard_error
        yield Level(
            level=level,
            units=units,
            lift=None if one is None else one.value,
            interval=None if one is None else (one.value - reach, one.value + reach),
        )
