"""What each metric of a result counts, in words, with the same comparison read in other ways beside it."""

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.results.schema import Beside, Comparison, MetricResult, Results
from analysis.stats.settings import DEFAULTS
from experiments.domain.metrics import MetricKind
from experiments.pages.formats import bounds, change, lift, p_value

WAYS = {"unadjusted": "Not adjusted", "uncapped": "Without the cap"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One metric: what it counts, what to know of it, and how else it can be read."""

    metric: MetricResult
    ways: list[str]


def lines(results: Results) -> list[Line]:
    """Return every metric that says what it counts; results of older versions say nothing of it."""
    several = len(results.variants) > 2
    names = {variant.key: variant.name for variant in results.variants}
    withheld = not results.health.trustworthy
    found = []
    for metric in results.metrics:
        ways: list[str] = []
        for one in [] if withheld else metric.comparisons:
            start = f"{names.get(one.variant, one.variant)}: " if several else ""
            ways += [f"{start}{said}" for said in _ways(metric, one, results.experiment.currency)]
        if metric.definition or ways:
            found.append(Line(metric=metric, ways=ways))
    return found


def _ways(metric: MetricResult, one: Comparison, currency: str) -> Iterator[str]:
    if metric.kind == MetricKind.QUANTILE and one.difference is not None and one.difference_interval is not None:
        low, high = (change(end, metric.display_unit, currency) for end in one.difference_interval)
        yield f"The difference is {change(one.difference, metric.display_unit, currency)} ({low} to {high})."
    if one.variance_reduction is not None:
        yield narrower(one.variance_reduction)
    for way in one.beside:
        yield f"{WAYS.get(way.way, way.way)}: {_numbers(way, metric, currency)}."


def narrower(reduction: float) -> str:
    """Say what an adjustment gains: a share of variance less is as good as so many more units."""
    if reduction < DEFAULTS.gain_worth_saying:
        return "Adjusted for the days before the exposure, which gains almost nothing here."
    more = 1 / (1 - min(reduction, 0.99)) - 1
    return (
        "Adjusted for the days before the exposure: the interval is narrower by as much as "
        f"{100 * more:.0f}% more units would make it."
    )


def _numbers(way: Beside, metric: MetricResult, currency: str) -> str:
    if way.difference is None:
        return "not enough data yet"
    shown = lift(way.lift) if way.lift is not None else change(way.difference, metric.display_unit, currency)
    interval = f" ({bounds(way.lift_interval)})" if way.lift_interval is not None else ""
    return f"{shown}{interval}, p {p_value(way.p_value)}"
