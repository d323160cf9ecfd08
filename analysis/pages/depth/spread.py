"""How units are spread over a metric's values, as a chart with the sentence and the table that say the same."""

from dataclasses import dataclass
from typing import Any

from analysis.charts.depth import spread_figure
from analysis.details.schema import Bin, Spread
from analysis.results.schema import MetricResult, Results
from experiments.pages.formats import number, percent, quantity

OF = {
    "unit": "Each {unit} counts once, with all that it did.",
    "ratio": "Each {unit} counts once, with its own ratio.",
    "event": "Every event counts.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadChart:
    """The chart. ``rows`` holds (bin, units of each variant in the order of ``names``)."""

    figure: dict[str, Any]
    sentences: list[str]
    names: list[str]
    rows: list[tuple[str, list[str]]]


def spread_chart(results: Results, metric: MetricResult, found: Spread | None) -> SpreadChart | None:
    """Return the chart of a metric's spread; None of a share, whose units are yes or no."""
    if found is None or not found.bins:
        return None
    variants = [(variant.key, variant.name) for variant in results.variants]
    labels = [_label(one, metric, results.experiment.currency) for one in found.bins]
    totals = {key: max(1, sum(one.units.get(key, 0) for one in found.bins)) for key, _ in variants}
    shares = [(name, [one.units.get(key, 0) / totals[key] for one in found.bins]) for key, name in variants]
    counts = [[number(one.units.get(key, 0)) for key, _ in variants] for one in found.bins]
    return SpreadChart(
        figure=spread_figure(labels, shares),
        sentences=list(_sentences(results, found, variants)),
        names=[name for _, name in variants],
        rows=list(zip(labels, counts, strict=True)),
    )


def _label(one: Bin, metric: MetricResult, currency: str) -> str:
    low, high = (_short(end, metric.display_unit, currency) for end in (one.low, one.high))
    return low if one.low == one.high else f"{low} to {high}"


def _short(value: float | None, unit: str, currency: str) -> str:
    text = quantity(value, unit, currency)
    return text.replace(".00", "").replace(".000", "") if unit in ("currency", "number") else text


def _sentences(results: Results, found: Spread, variants: list[tuple[str, str]]) -> list[str]:
    unit = results.experiment.unit_type
    said = [OF.get(found.of, "").format(unit=unit)]
    zero = next((one for one in found.bins if one.low == one.high == 0), None)
    if zero is not None and found.of == "unit":
        parts = [
            f"{percent(zero.units.get(key, 0) / max(1, sum(one.units.get(key, 0) for one in found.bins)), 1)} of {name}"
            for key, name in variants
        ]
        said.append(f"Nothing at all: {', '.join(parts)}.")
    if found.without:
        said.append(f"{number(sum(found.without.values()))} {unit}s have nothing to divide by and are not drawn.")
    if found.is_log:
        said.append("The bins widen with the values, because a few have far more than the rest.")
    return said
