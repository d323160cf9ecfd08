"""Effects by segment, with the test whether the levels differ by more than chance."""

from msgspec.structs import replace

from analysis.stats.compare import ComparisonNumbers, Difference, compare
from analysis.stats.heterogeneity import Dimension, Effect, Heterogeneity, explore
from analysis.stats.moments import Moments
from analysis.stats.reference import two_sided_quantile
from analysis.stats.unavailable import NotComputable
from analysis.tables import figures, report
from analysis.tables.comparing import FORMS
from analysis.tables.loading import Loaded
from analysis.tables.refusal import RefusalError
from analysis.tables.request import MetricType, Request

_MANY_LEVELS = 500
_SEPARATOR = "\x1f"

_Found = tuple[report.Breakdown, dict[str, Effect | NotComputable]]


def breakdowns(table: Loaded, request: Request, treatments: list[str]) -> list[report.Breakdown]:
    """Break every metric but quantiles down by every segment; see ``stats.heterogeneity`` for the tests.

    Benjamini-Hochberg over all segments, metrics and treatments together.
    """
    found: list[_Found] = []
    for position, segment in enumerate(request.segments):
        _few_enough(table, segment, position)
        for index, spec in enumerate(table.metrics):
            if spec.type is not MetricType.QUANTILE:
                found += _metric(table, request, treatments, position, index)
    tested = explore([(one.metric, effects) for one, effects in found])
    return [_tested(one, dimension, request.alpha) for (one, _), dimension in zip(found, tested, strict=True)]


def _few_enough(table: Loaded, segment: str, position: int) -> None:
    (row,) = table.query(f"SELECT count(DISTINCT s{position}) FROM units")
    if int(str(row[0])) > _MANY_LEVELS:
        message = f"--segment {segment}: {int(str(row[0])):,} different values, more than {_MANY_LEVELS}; "
        raise RefusalError(message + "name a column of few groups")


def _metric(table: Loaded, request: Request, treatments: list[str], position: int, index: int) -> list[_Found]:
    spec = table.metrics[index]
    chosen = figures.columns(table, request, index)
    own = figures.Columns(own=chosen.own, covariates=(), condition=chosen.condition)
    cells = figures.moments(table, own, by=f"v || '{_SEPARATOR}' || s{position}")
    levels = sorted({key.partition(_SEPARATOR)[2] for key in cells})
    form, size = FORMS[spec.type or MetricType.MEAN], len(own.own)

    def of(variant: str, level: str) -> Moments:
        return figures.part(cells.get(f"{variant}{_SEPARATOR}{level}"), size)

    found = []
    for treatment in treatments:
        numbers = {
            level: compare(form, of(request.control, level), of(treatment, level), request.alpha) for level in levels
        }
        breakdown = report.Breakdown(
            segment=request.segments[position],
            metric=spec.name,
            variant=treatment,
            heterogeneity_p_value=None,
            adjusted_p_value=None,
            levels=[
                _level(level, of(treatment, level).n, of(request.control, level).n, numbers[level]) for level in levels
            ],
        )
        found.append((breakdown, {level: _effect(one) for level, one in numbers.items()}))
    return found


def _effect(numbers: ComparisonNumbers) -> Effect | NotComputable:
    found = numbers.difference
    if isinstance(found, Difference):
        return Effect(value=found.value, standard_error=found.standard_error)
    return found


def _level(level: str, n: int, control_n: int, numbers: ComparisonNumbers) -> report.LevelEffect:
    found = numbers.difference if isinstance(numbers.difference, Difference) else None
    return report.LevelEffect(
        level=level,
        n=n,
        control_n=control_n,
        difference=found.value if found else None,
        difference_interval=found.interval if found else None,
        lift=numbers.lift if found else None,
        lift_interval=numbers.lift_interval if found else None,
        shrunk_difference=None,
        shrunk_interval=None,
    )


def _tested(one: report.Breakdown, dimension: Dimension, alpha: float) -> report.Breakdown:
    """Fill in the test and the effects drawn towards the common one."""
    found = dimension.found
    if not isinstance(found, Heterogeneity):
        return one
    quantile = two_sided_quantile(alpha, float("inf"))
    levels = []
    for level in one.levels:
        shrunk = found.shrunk.get(level.level)
        if shrunk is not None:
            half = quantile * shrunk.standard_error
            level = replace(
                level, shrunk_difference=shrunk.value, shrunk_interval=(shrunk.value - half, shrunk.value + half)
            )
        levels.append(level)
    return replace(one, heterogeneity_p_value=found.p_value, adjusted_p_value=dimension.adjusted_p_value, levels=levels)
