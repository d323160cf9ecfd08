"""How the units of each variant are spread over a metric's values: one pass, in bins that people can read."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from django.db import transaction

from analysis.counted import Counted
from analysis.details.schema import Bin, Spread
from analysis.moments import PAIRS
from analysis.rollup import sql
from analysis.rollup.totals import NO_SCAN, SCAN
from experiments.models import Experiment

# A value is counted by its two leading digits: at most 180 numbers a power of ten, whatever the units have. Bins for
# people are then put together from those, exactly. Units without events have no row and are zeros ('all').
STATEMENT = """
WITH rule AS (
    SELECT * FROM unnest(%(metrics)s::bigint[], %(hours)s::int[], %(limits)s::numeric[], %(divided)s::boolean[])
        AS r(metric_id, hours, most, divided)
), counted AS MATERIALIZED (
    SELECT r.metric_id, r.most, r.divided, e.unit, e.variant_id
    FROM rule r JOIN analysis_enrolment e ON e.experiment_id = %(experiment)s AND NOT e.quarantined
     AND (r.hours = 0 OR e.first_at + make_interval(hours => r.hours) <= %(horizon)s::timestamptz)
), total AS (
    SELECT metric_id, unit, sum(numerator) AS y, sum(denominator) AS x FROM analysis_unitday
    WHERE experiment_id = %(experiment)s AND metric_id = ANY(%(metrics)s) GROUP BY metric_id, unit
), one AS (
    SELECT c.metric_id, c.variant_id, c.divided,
           CASE WHEN c.divided THEN t.y / nullif(t.x, 0) ELSE least(c.most, t.y) END AS value
    FROM total t JOIN counted c ON c.metric_id = t.metric_id AND c.unit = t.unit
)
SELECT metric_id, variant_id, {leading}, count(*) FROM one WHERE value IS NOT NULL GROUP BY 1, 2, 3
UNION ALL
SELECT metric_id, variant_id, NULL, count(*) FROM counted GROUP BY 1, 2
"""
_LEADING = "CASE WHEN value = 0 THEN 0 ELSE trunc(value, 1 - floor(log(abs(value)))::int) END"
# Of a quantile every event has a value of its own.
VALUES = """
SELECT v.metric_id, e.variant_id, {leading}, sum(v.events)
FROM analysis_unitvalue v
JOIN analysis_enrolment e ON e.experiment_id = v.experiment_id AND e.unit = v.unit AND NOT e.quarantined
WHERE v.experiment_id = %(experiment)s AND v.metric_id = ANY(%(metrics)s)
GROUP BY 1, 2, 3
"""
_LEADING_OF_VALUES = "CASE WHEN v.value = 0 THEN 0 ELSE trunc(v.value, 1 - floor(log(abs(v.value)))::int) END"

MOST_BINS = 24
SKEWED = 12.0
"""Where the largest value is so many times the median of those above zero, bins of one width would hold all but a few
units in the first of them."""
LOG_EDGES = (1, 2, 5)
NICE_WIDTHS = (1, 2, 5, 10)

Leading = Mapping[Decimal, Mapping[int, int]]
"""Two leading digits -> variant -> how many."""


def collect(
    experiment: Experiment, metrics: Sequence[Counted], limits: Mapping[int, float | None], horizon: str
) -> dict[int, Spread]:
    """Return the spread of each metric that is more than yes or no, by the metric's id."""
    variants = dict(experiment.variants.values_list("pk", "key"))
    shown = [one for one in metrics if not one.definition.is_bounded]
    of_units = [one for one in shown if not one.is_quantile]
    events = [one.metric for one in shown if one.is_quantile]
    rows: list[tuple[int, int, Decimal | None, int]] = []
    if of_units:
        parameters: dict[str, sql.Parameter] = {
            "experiment": experiment.pk,
            "metrics": [one.metric for one in of_units],
            "hours": [one.matures for one in of_units],
            "limits": [limits.get(one.metric, one.limit) for one in of_units],
            "divided": [one.definition.kind in PAIRS for one in of_units],
            "horizon": horizon,
        }
        rows += _rows(STATEMENT.format(leading=_LEADING), parameters)
    if events:
        rows += _rows(VALUES.format(leading=_LEADING_OF_VALUES), {"experiment": experiment.pk, "metrics": events})
    return {one.metric: _spread(one, [row[1:] for row in rows if row[0] == one.metric], variants) for one in shown}


@transaction.atomic
def _rows(statement: str, parameters: Mapping[str, sql.Parameter]) -> list[tuple[int, int, Decimal | None, int]]:
    sql.run("SET LOCAL work_mem = '64MB'")
    sql.run(SCAN)
    found = sql.rows(statement, parameters)
    sql.run(NO_SCAN)
    return found


def _spread(one: Counted, rows: Iterable[tuple[int, Decimal | None, int]], variants: Mapping[int, str]) -> Spread:
    leading: dict[Decimal, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    all_of: dict[int, int] = {}
    for variant, value, count in rows:
        if value is None:
            all_of[variant] = count
        else:
            leading[value.normalize()][variant] += int(count)
    quiet = {variant: n - sum(of.get(variant, 0) for of in leading.values()) for variant, n in all_of.items()}
    divided = one.definition.kind in PAIRS
    if not divided:
        for variant, count in quiet.items():
            leading[Decimal(0)][variant] += count
    is_log = skewed(leading)
    return Spread(
        of="event" if one.is_quantile else "ratio" if divided else "unit",
        is_log=is_log,
        bins=bins(leading, variants, is_log=is_log),
        without={variants[variant]: n for variant, n in quiet.items() if n and variant in variants} if divided else {},
    )


def skewed(leading: Leading) -> bool:
    """Say whether bins of one width would show next to nothing."""
    above = sorted((value, sum(of.values())) for value, of in leading.items() if value > 0)
    if not above:
        return False
    half, seen = sum(count for _, count in above) / 2, 0
    for value, count in above:
        seen += count
        if seen >= half:
            return float(above[-1][0]) > SKEWED * float(value)
    return False


def bins(leading: Leading, variants: Mapping[int, str], *, is_log: bool) -> list[Bin]:
    """Put values together into at most about two dozen bins, with a bin of its own for exactly zero."""
    if not leading:
        return []
    width = Decimal(0) if is_log else _width(leading)
    found: dict[tuple[Decimal, Decimal], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for value, of in leading.items():
        edge = (value, value) if value == 0 else _log_bin(value) if is_log else _plain_bin(value, width)
        for variant, count in of.items():
            found[edge][variant] += count
    return [
        Bin(
            low=float(low),
            high=float(high),
            units={key: of.get(variant, 0) for variant, key in variants.items()},
        )
        for (low, high), of in sorted(found.items())
    ]


def _width(leading: Leading) -> Decimal:
    """Return a round width that two leading digits can be put into without splitting any of them."""
    largest = max(abs(value) for value in leading)
    if largest == 0:
        return Decimal(1)
    span = max(leading) - min(min(leading), Decimal(0))
    power = Decimal(10) ** (math.floor(math.log10(float(largest))) - 1)
    return next(
        factor * scale * power
        for scale in (1, 10)
        for factor in NICE_WIDTHS
        if span <= MOST_BINS * factor * scale * power
    )


def _plain_bin(value: Decimal, width: Decimal) -> tuple[Decimal, Decimal]:
    low = (abs(value) // width) * width
    return (low, low + width) if value > 0 else (-(low + width), -low)


def _log_bin(value: Decimal) -> tuple[Decimal, Decimal]:
    size = abs(value)
    power = Decimal(10) ** size.adjusted()
    edges = [edge * power for edge in (*LOG_EDGES, 10)]
    low, high = next((a, b) for a, b in pairwise(edges) if a <= size < b)
    return (low, high) if value > 0 else (-high, -low)
