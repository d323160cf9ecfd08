"""The metric table of a results page: rows by role, every interval on one scale, readings in words."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.pages.depth.ways import Raw, raw_sums
from analysis.pages.scales import Scales, told
from analysis.results.schema import Comparison, MetricResult, Reading, Results
from analysis.stats.equivalence import Size
from experiments.domain.metrics import Direction, MetricRole
from experiments.pages.formats import bounds, change, level, lift, quantity

GROUPS = {MetricRole.PRIMARY: "Primary", MetricRole.GUARDRAIL: "Guardrails", MetricRole.SECONDARY: "Secondary"}
TONES = {Reading.BETTER: "good", Reading.WORSE: "bad"}
SIGNS = {Reading.BETTER: "✓", Reading.WORSE: "!", Reading.NOT_TRUSTWORTHY: "!"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric for one treatment, as the table writes it."""

    metric: MetricResult
    comparison: Comparison
    treatment: str
    control_value: str
    value: str
    change: str
    interval: str
    mark: Mark | None
    label: str
    reading: str
    tone: str
    sign: str
    note: str
    caution: str
    href: str = ""
    raw: tuple[Raw, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows of one role."""

    title: str
    rows: list[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The whole table. ``withheld`` says that the numbers are not to be believed, so no change is shown."""

    groups: list[Group]
    scale: Scale
    withheld: bool
    several: bool
    intervals: str
    scales: Scales | None = None

    @property
    def warnings(self) -> list[str]:
        """Return what qualifies single rows, each sentence once."""
        found = (
            f"{row.metric.name}: {text}" for g in self.groups for row in g.rows for text in row.comparison.warnings
        )
        return list(dict.fromkeys(found))


def table(results: Results, address: Callable[[str], str] | None = None, scales: Scales | None = None) -> Table:
    """Lay out the metrics of a result.

    ``address`` says where a metric by its key has a page of its own, ``scales`` how changes are told.
    """
    comparisons = [c for metric in results.metrics for c in metric.comparisons]
    points = [*(c.lift for c in comparisons), *(_limit(metric) for metric in results.metrics)]
    scale = scale_for(
        [c.lift_interval for c in comparisons if c.lift_interval], [point for point in points if point is not None]
    )
    names = {variant.key: variant.name for variant in results.variants}
    withheld = not results.health.trustworthy
    several = len(names) > 2
    raw = {} if address is None else {metric.key: raw_sums(results, metric) for metric in results.metrics}
    groups = [
        Group(title=title, rows=rows)
        for role, title in GROUPS.items()
        if (
            rows := [
                _told(_linked(row, raw, address), results, scales)
                for row in _rows(results, role, names, scale, withheld=withheld)
            ]
        )
    ]
    return Table(
        groups=groups, scale=scale, withheld=withheld, several=several, intervals=intervals(results), scales=scales
    )


def _linked(row: Row, raw: Mapping[str, list[Raw]], address: Callable[[str], str] | None) -> Row:
    """Add the row's raw sums, and where the metric has a page of its own."""
    if address is None:
        return row
    own = {row.comparison.control, row.comparison.variant}
    shown = zip(row.metric.arms, raw[row.metric.key], strict=True)
    return replace(row, href=address(row.metric.key), raw=tuple(one for arm, one in shown if arm.variant in own))


def _told(row: Row, results: Results, scales: Scales | None) -> Row:
    """Tell the row's change in the way that was chosen; the drawing stays relative, on one scale for all."""
    if scales is None or not results.health.trustworthy:
        return row
    found = told(scales, row.metric, row.comparison, results.experiment.currency)
    return row if found is None else replace(row, change=found[0], interval=found[1])


def intervals(results: Results) -> str:
    """Say what the intervals are; comparisons that share the risk of several have wider ones."""
    plain = f"Change is treatment against control, with its {level(results.alpha)} interval"
    shared = {
        metric.name: comparison.alpha
        for metric in results.metrics
        for comparison in metric.comparisons
        if comparison.alpha != results.alpha
    }
    said = "" if results.looks is None else f" {results.looks.sentence}"
    if not shared:
        return f"{plain}.{said}"
    wider = ", ".join(f"{level(alpha)} for {name}" for name, alpha in shared.items())
    return f"{plain} ({wider}, because several comparisons share the risk).{said}"


def _rows(results: Results, role: MetricRole, names: dict[str, str], scale: Scale, *, withheld: bool) -> Iterator[Row]:
    for metric in results.metrics:
        if metric.role == role:
            for comparison in metric.comparisons:
                name = names.get(comparison.variant, comparison.variant)
                yield _row(metric, comparison, name, scale, results, withheld=withheld)


def _row(
    metric: MetricResult, comparison: Comparison, treatment: str, scale: Scale, results: Results, *, withheld: bool
) -> Row:
    currency = results.experiment.currency
    reading = Reading.NOT_TRUSTWORTHY if withheld else comparison.reading
    shown = None if withheld else comparison.lift_interval
    crossed = not withheld and bool(comparison.margin_crossed)
    return Row(
        metric=metric,
        comparison=comparison,
        treatment=treatment,
        control_value=quantity(comparison.control_value, metric.display_unit, currency),
        value=quantity(comparison.value, metric.display_unit, currency),
        change="Withheld" if withheld else _change(metric, comparison, currency),
        interval="" if withheld else _interval(metric, comparison, currency),
        mark=None if shown is None else mark(scale, shown, comparison.lift, _limit(metric)),
        label=_label(metric, comparison, treatment),
        reading=reading.value,
        tone="warn" if withheld else "bad" if crossed else TONES.get(reading, "flat"),
        sign="!" if crossed else SIGNS.get(reading, "–"),
        note=_note(metric, crossed=crossed),
        caution="" if withheld else _caution(comparison),
    )


def _change(metric: MetricResult, comparison: Comparison, currency: str) -> str:
    if comparison.lift is not None:
        return lift(comparison.lift)
    return change(comparison.difference, metric.display_unit, currency)


def _interval(metric: MetricResult, comparison: Comparison, currency: str) -> str:
    if comparison.lift_interval is not None:
        return bounds(comparison.lift_interval)
    if comparison.difference_interval is None:
        return "not enough data yet"
    low, high = (change(end, metric.display_unit, currency) for end in comparison.difference_interval)
    return f"{low} to {high}"


def _label(metric: MetricResult, comparison: Comparison, treatment: str) -> str:
    return (
        f"{metric.name}, {treatment}: {lift(comparison.lift)}, "
        f"{level(comparison.alpha)} interval {bounds(comparison.lift_interval) or 'not known'}"
    )


def _limit(metric: MetricResult) -> float | None:
    """Return the change that a guardrail must not pass, on the side that is bad for it."""
    if metric.role != MetricRole.GUARDRAIL or metric.margin is None:
        return None
    return metric.margin if metric.direction == Direction.DECREASE else -metric.margin


def _caution(comparison: Comparison) -> str:
    """Return what must be known of a row before its numbers are read."""
    parts = ["smaller than what matters"] if comparison.size == Size.NEGLIGIBLE else []
    if any(text.startswith("A few extreme units") for text in comparison.warnings):
        parts.append("bent by a few extreme units")
    return " · ".join(parts)


def _note(metric: MetricResult, *, crossed: bool) -> str:
    parts = [metric.description.rstrip(".")] if metric.description else []
    if metric.direction == Direction.DECREASE:
        parts.append("lower is better")
    if (limit := _limit(metric)) is not None:
        parts.append(f"limit {lift(limit)}{', crossed' if crossed else ''}")
    return " · ".join(parts)
