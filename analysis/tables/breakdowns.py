"""Effects by segment, with the test whether the levels differ by more than chance."""

from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.stats.compare import ComparisonNumbers, Difference, compare
from analysis.tables import figures, report
from analysis.tables.comparing import FORMS
from analysis.tables.loading import Loaded
from analysis.tables.refusal import RefusalError
from analysis.tables.request import MetricType, Request

_MANY_LEVELS = 500
_SEPARATOR = "\x1f"


def breakdowns(table: Loaded, request: Request, treatments: list[str]) -> list[report.Breakdown]:
    """Break every metric but quantiles down by every segment; Benjamini-Hochberg over all the tests.

    The levels' effects are tested by Q = sum (d_s - d)² / se_s² against chi-square with S - 1 degrees of freedom
    (Cochran 1954).
    """
    found = []
    for position, segment in enumerate(request.segments):
        _few_enough(table, segment, position)
        for index, spec in enumerate(table.metrics):
            if spec.type is not MetricType.QUANTILE:
                found += _metric(table, request, treatments, position, index)
    tested = [one for one in found if one.heterogeneity_p_value is not None]
    if not tested:
        return found
    adjusted = multipletests([one.heterogeneity_p_value for one in tested], method="fdr_bh")[1]
    by_identity = {id(one): float(p) for one, p in zip(tested, adjusted, strict=True)}
    return [_adjusted(one, by_identity.get(id(one))) for one in found]


def _few_enough(table: Loaded, segment: str, position: int) -> None:
    (row,) = table.query(f"SELECT count(DISTINCT s{position}) FROM units")
    if int(str(row[0])) > _MANY_LEVELS:
        message = f"--segment {segment}: {int(str(row[0])):,} different values, more than {_MANY_LEVELS}; "
        raise RefusalError(message + "name a column of few groups")


def _metric(
    table: Loaded, request: Request, treatments: list[str], position: int, index: int
) -> list[report.Breakdown]:
    spec = table.metrics[index]
    chosen = figures.columns(table, request, index)
    own = figures.Columns(own=chosen.own, covariates=(), condition=chosen.condition)
    cells = figures.moments(table, own, by=f"v || '{_SEPARATOR}' || s{position}")
    levels = sorted({key.partition(_SEPARATOR)[2] for key in cells})
    form, size = FORMS[spec.type or MetricType.MEAN], len(own.own)
    found = []
    for treatment in treatments:
        numbers = {
            level: compare(
                form,
                figures.part(cells.get(f"{request.control}{_SEPARATOR}{level}"), size),
                figures.part(cells.get(f"{treatment}{_SEPARATOR}{level}"), size),
                request.alpha,
            )
            for level in levels
        }
        counts = {
            level: tuple(
                cells[key].n if (key := f"{arm}{_SEPARATOR}{level}") in cells else 0
                for arm in (treatment, request.control)
            )
            for level in levels
        }
        found.append(
            report.Breakdown(
                segment=request.segments[position],
                metric=spec.name,
                variant=treatment,
                heterogeneity_p_value=heterogeneity([one.difference for one in numbers.values()]),
                adjusted_p_value=None,
                levels=[_level(level, counts[level], one) for level, one in numbers.items()],
            )
        )
    return found


def heterogeneity(differences: list[object]) -> float | None:
    """Return Cochran's test that all levels share one effect; None with fewer than two levels."""
    known = [one for one in differences if isinstance(one, Difference)]
    if len(known) < 2:
        return None
    weights = [1 / one.standard_error**2 for one in known]
    mean = sum(w * one.value for w, one in zip(weights, known, strict=True)) / sum(weights)
    q = sum(w * (one.value - mean) ** 2 for w, one in zip(weights, known, strict=True))
    return float(stats.chi2.sf(q, len(known) - 1))


def _level(level: str, counts: tuple[int, ...], numbers: ComparisonNumbers) -> report.LevelEffect:
    found = numbers.difference if isinstance(numbers.difference, Difference) else None
    return report.LevelEffect(
        level=level,
        n=counts[0],
        control_n=counts[1],
        difference=found.value if found else None,
        difference_interval=found.interval if found else None,
        lift=numbers.lift if found else None,
        lift_interval=numbers.lift_interval if found else None,
    )


def _adjusted(one: report.Breakdown, p: float | None) -> report.Breakdown:
    return report.Breakdown(
        segment=one.segment,
        metric=one.metric,
        variant=one.variant,
        heterogeneity_p_value=one.heterogeneity_p_value,
        adjusted_p_value=p,
        levels=one.levels,
    )
