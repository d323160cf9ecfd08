"""Whether an effect wears off, as a chart with the sentence and the table that say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.charts.depth import wearing_figure
from analysis.decisions.wording import units as units_of
from analysis.details.schema import Wearing
from analysis.results.schema import MetricResult, Results
from analysis.stats.novelty import Trend
from experiments.domain.metrics import DisplayUnit
from experiments.pages.formats import change, day, p_said

SAID = {
    Trend.NOVELTY: "The effect wears off as {units} get used to it ({p}): what it is later is nearer to what stays.",
    Trend.PRIMACY: "The effect grows as {units} get used to it ({p}): a longer run would show more of it.",
    Trend.STEADY: "The effect does not clearly change as {units} get used to it ({p}).",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WearingChart:
    """The chart. ``rows`` holds (treatment, day, difference, interval); ``figure`` is None where nothing is drawn."""

    figure: dict[str, Any] | None
    sentences: list[str]
    rows: list[tuple[str, int, str, str]]


def wearing_chart(results: Results, metric: MetricResult, found: Sequence[Wearing]) -> WearingChart | None:
    """Return what each treatment's effect does with the days since the exposure."""
    if not found:
        return None
    names = {variant.key: variant.name for variant in results.variants}
    unit, currency = metric.display_unit, results.experiment.currency
    drawn = [one for one in found if one.points]
    series = [
        (names.get(one.variant, one.variant), [(p.day, p.difference, _half(p.interval)) for p in one.points])
        for one in drawn
    ]
    return WearingChart(
        figure=wearing_figure(series, ".2%" if unit == DisplayUnit.PERCENT else ",.4~g") if series else None,
        sentences=_sentences(results, found, names),
        rows=[
            (
                names.get(one.variant, one.variant),
                point.day,
                change(point.difference, unit, currency),
                " to ".join(change(end, unit, currency) for end in point.interval),
            )
            for one in drawn
            for point in one.points
        ],
    )


def _half(interval: tuple[float | None, float | None]) -> float:
    low, high = interval
    return 0.0 if low is None or high is None else (high - low) / 2


def _sentences(results: Results, found: Sequence[Wearing], names: dict[str, str]) -> list[str]:
    unit = results.experiment.unit_type
    several = len(found) > 1
    said = []
    for one in found:
        start = f"{names.get(one.variant, one.variant)}: " if several else ""
        if one.reason:
            said.append(f"{start}Nothing can be said yet: {one.reason}.")
        else:
            text = SAID[Trend(one.trend)].format(units=f"{unit}s", p=p_said(one.slope_p_value))
            said.append(f"{start}{text} Followed: {units_of(one.units, unit)} that entered by {day(one.until)}.")
    return said
