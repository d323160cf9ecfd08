"""The two charts of a results page, each with the sentence and the table that say the same."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from analysis.charts.figures import effect_figure, exposures_figure
from analysis.decisions.wording import units as units_of
from analysis.results.schema import EffectPoint, ExposurePoint, Results
from experiments.pages.formats import bounds, day, level, lift, number


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectChart:
    """The effect over time of one metric. ``rows`` holds (treatment, point, units) for the table."""

    metric: str
    name: str
    choices: list[tuple[str, str]]
    figure: dict[str, Any]
    sentences: list[str]
    rows: list[tuple[str, EffectPoint, int]]
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposuresChart:
    """Units enrolled a day. ``rows`` holds (day, units of each variant in the order of ``names``)."""

    figure: dict[str, Any]
    sentence: str
    names: list[str]
    rows: list[tuple[date, list[int]]]


def effect_chart(results: Results, wanted: str) -> EffectChart | None:
    """Return the chart of the wanted metric, else of the first one that has a curve."""
    drawable = {s.metric for s in results.effect_over_time if any(p.lift is not None for p in s.points)}
    choices = [(m.key, m.name) for m in results.metrics if m.key in drawable]
    if not choices or not results.health.trustworthy:
        return None
    chosen = wanted if wanted in drawable else choices[0][0]
    name = dict(choices)[chosen]
    series = [s for s in results.effect_over_time if s.metric == chosen and s.points]
    names = {variant.key: variant.name for variant in results.variants}
    return EffectChart(
        metric=chosen,
        name=name,
        choices=choices,
        figure=effect_figure(series, names),
        sentences=[
            _effect_sentence(name, names.get(s.variant, s.variant), s.points[-1], s.alpha, results.experiment.unit_type)
            for s in series
        ]
        + unlike_the_table(results, chosen),
        rows=[(names.get(s.variant, s.variant), p, p.n + p.control_n) for s in series for p in s.points],
        level=level(series[0].alpha),
    )


def unlike_the_table(results: Results, metric: str) -> list[str]:
    """Say where the table adjusts and the curve does not: their last numbers then differ."""
    own = (one for found in results.metrics if found.key == metric for one in found.comparisons)
    if all(one.variance_reduction is None for one in own):
        return []
    return ["The table is adjusted for the days before the exposure, this curve is not."]


def _effect_sentence(metric: str, treatment: str, last: EffectPoint, alpha: float, unit_type: str) -> str:
    if last.lift is None:
        return f"{treatment}: {metric} cannot be computed yet."
    units = units_of(last.n + last.control_n, unit_type)
    interval = bounds(last.lift_interval) or "not known"
    change = f"{lift(last.lift)} by {day(last.day)} ({level(alpha)} interval {interval})"
    return f"{treatment}: {metric} {change}, over {units}."


def exposures_chart(results: Results) -> ExposuresChart | None:
    """Return the chart of units enrolled a day, or None before the first."""
    points = results.exposures_per_day
    if not points:
        return None
    days = sorted({point.day for point in points})
    found = {(point.day, point.variant): point.units for point in points}
    rows = [(on, [found.get((on, v.key), 0) for v in results.variants]) for on in days]
    full = [
        ExposurePoint(day=on, variant=v.key, units=found.get((on, v.key), 0)) for on in days for v in results.variants
    ]
    return ExposuresChart(
        figure=exposures_figure(full, results.variants),
        sentence=_exposures_sentence({on: sum(units) for on, units in rows}, results.experiment.unit_type),
        names=[variant.name for variant in results.variants],
        rows=rows,
    )


def _exposures_sentence(totals: dict[date, int], unit_type: str) -> str:
    busiest = max(totals, key=lambda on: totals[on])
    total = units_of(sum(totals.values()), unit_type)
    if len(totals) == 1:
        return f"{total} entered on {day(busiest)}."
    mean = number(sum(totals.values()) / len(totals))
    return (
        f"{total} entered over {len(totals)} days, {mean} a day on average; "
        f"the most on {day(busiest)} ({number(totals[busiest])})."
    )
