"""Moments and quantiles of the loaded units: what the database adds up, as the statistics take it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.stats import quantiles
from analysis.stats.estimates import Estimate
from analysis.stats.moments import Moments
from analysis.stats.unavailable import NotComputable
from analysis.tables.loading import Loaded
from analysis.tables.refusal import RefusalError
from analysis.tables.request import Cap, MetricType, Request

KEPT = "NOT mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """SQL for one metric's numbers a unit: first the metric's own, then ``covariates``; ``cap`` where there is one."""

    own: tuple[str, ...]
    covariates: tuple[str, ...]
    condition: str
    cap: float | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """Return all of them."""
        return (*self.own, *self.covariates)


def columns(table: Loaded, request: Request, index: int, *, capped: bool = True) -> Columns:
    """Return what to sum for the metric at ``index``."""
    spec = table.metrics[index]
    cap = request.caps.get(spec.name) if capped else None
    limit = None if cap is None else _limit(table, spec.name, index, cap)
    top = f"m{index}" if limit is None else f"least(m{index}, {limit!r}::DOUBLE)"
    own = (top, f"d{index}") if spec.type is MetricType.RATIO else (top,)
    with_x: list[str] = []
    for column in request.covariates.get(spec.name, ()):
        short = f"x{table.covariates.index(column)}"
        with_x.append(f"coalesce({short}, 0.0)")
        if table.query(f"SELECT 1 FROM units WHERE {short} IS NULL LIMIT 1"):
            with_x.append(f"CASE WHEN {short} IS NULL THEN 1.0 ELSE 0.0 END")
    return Columns(own=own, covariates=tuple(with_x), condition=f"{KEPT} AND m{index} IS NOT NULL", cap=limit)


def _limit(table: Loaded, name: str, index: int, cap: Cap) -> float:
    """Return the cap as a value: one for all variants, so that it cannot make a difference by itself."""
    if cap.value is not None:
        return cap.value
    (limit,) = table.query(f"SELECT quantile_disc(m{index}, {cap.percentile}), min(m{index}) FROM units WHERE {KEPT}")
    if limit[0] is None or float(str(limit[0])) <= float(str(limit[1])):
        share = f"p{100 * (cap.percentile or 0):g}"
        message = (
            f"--cap {name}={share}: that percentile is {limit[0]}, the smallest value there is, so the cap would leave "
        )
        raise RefusalError(message + "nothing of the metric; give a value or a higher percentile such as p99.9")
    return float(str(limit[0]))


def moments(table: Loaded, chosen: Columns, by: str = "v") -> dict[str, Moments]:
    """Return the moments over units of each value of ``by`` (variants, or variant and level joined)."""
    parts, k = chosen.all, len(chosen.all)
    centres = table.query(f"SELECT {', '.join(f'avg({part})' for part in parts)} FROM units WHERE {chosen.condition}")[
        0
    ]
    shift = [_near(centre) for centre in centres]
    centred = [f"({part} - {at!r}::DOUBLE)" for part, at in zip(parts, shift, strict=True)]
    sums = [f"sum({part})" for part in centred]
    pairs = [(i, j) for i in range(k) for j in range(i, k)]
    products = [f"sum({centred[i]} * {centred[j]})" for i, j in pairs]
    cubes = [f"sum({part} * {part} * {part})" for part in centred]
    wanted = ", ".join([by, "count(*)", *sums, *products, *cubes])
    found = table.query(f"SELECT {wanted} FROM units WHERE {chosen.condition} GROUP BY {by}")
    return {str(row[0]): _from_row(row, k, pairs, shift) for row in found}


def _near(centre: object) -> float:
    """Return a constant near the mean to sum about: 0 for shares, whose sums are whole numbers then."""
    value = float(str(centre)) if centre is not None else 0.0
    return 0.0 if 0 <= value <= 1 else float(f"{value:.4g}")


def _from_row(row: Sequence[object], k: int, pairs: list[tuple[int, int]], shift: list[float]) -> Moments:
    numbers = [float(str(value)) for value in row[2:]]
    table = [[0.0] * k for _ in range(k)]
    for (i, j), value in zip(pairs, numbers[k : k + len(pairs)], strict=True):
        table[i][j] = value
    return Moments.from_sums(int(str(row[1])), numbers[:k], table, cubes=numbers[k + len(pairs) :], shift=shift)


def part(whole: Moments | None, size: int) -> Moments:
    """Return the moments of the first ``size`` numbers, those of no unit where there are none."""
    if whole is None:
        return Moments.empty(size, with_third=True)
    third = None if whole.third is None else whole.third[:size]
    return Moments(n=whole.n, mean=whole.mean[:size], comoment=whole.comoment[:size, :size], third=third)


def quantile(table: Loaded, request: Request, index: int, variant: str) -> Estimate | NotComputable:
    """Return one variant's quantile over rows, with a standard error that knows that a unit's rows belong together.

    See ``stats.quantiles``.
    """
    level = table.metrics[index].level or 0.5
    column = table.value_names[table.metrics[index].column]
    rows, unit = _observations(request, column, variant, excluding=table.quarantined > 0)
    (first,) = table.query(f"SELECT count(*), quantile_disc({column}, {level}) FROM {rows}")
    n = int(str(first[0]))
    if n == 0 or first[1] is None:
        return NotComputable("no unit has a value")
    value = float(str(first[1]))
    counts = f"(SELECT count(*) AS n, count(*) FILTER ({column} <= {value!r}::DOUBLE) AS s FROM {rows} GROUP BY {unit})"
    if unit == "ALL":
        counts = f"(SELECT 1 AS n, CASE WHEN {column} <= {value!r}::DOUBLE THEN 1 ELSE 0 END AS s FROM {rows})"
    (row,) = table.query(f"SELECT count(*), avg(s), avg(n), var_samp(s), covar_samp(s, n), var_samp(n) FROM {counts}")
    if int(str(row[0])) < 2:
        return NotComputable("one unit alone says nothing about the spread between units")
    units, s, size, vs, cov, vn = (float(str(cell)) for cell in row)
    table_of = np.array([[vs, cov], [cov, vn]]) * (units - 1)
    found = quantiles.ranks(level, Moments(n=int(units), mean=np.array([s, size]), comoment=table_of))
    if isinstance(found, NotComputable):
        return found
    places = ", ".join(repr((rank - 0.5) / n) for rank in (found.lower, found.upper))
    (ends,) = table.query(f"SELECT quantile_disc({column}, [{places}]) FROM {rows}")
    low, high = (float(end) for end in np.asarray(ends[0], dtype=np.float64))
    return quantiles.from_order_statistics(int(units), value, low, high)


def _observations(request: Request, column: str, variant: str, *, excluding: bool) -> tuple[str, str]:
    """Return the rows of a variant's units that hold a value, and what groups them by unit."""
    word = variant.replace("'", "''")
    condition = f"v = '{word}' AND {column} IS NOT NULL"
    if request.unit is None:
        return f"(SELECT {column} FROM rows WHERE {condition})", "ALL"
    condition += " AND u IS NOT NULL"
    if excluding:
        condition += " AND u NOT IN (SELECT u FROM units WHERE mixed)"
    return f"(SELECT u, {column} FROM rows WHERE {condition})", "u"
