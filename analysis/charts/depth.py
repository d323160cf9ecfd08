"""The charts of a metric's own page: how units are spread, and the effect by days since the exposure."""

from collections.abc import Sequence
from typing import Any

from analysis.charts.figures import SPIKE, ZERO_LINE, bars, colour_of, layout, plain_figure, plain_text


def spread_figure(labels: Sequence[str], shares: Sequence[tuple[str, Sequence[float]]]) -> dict[str, Any]:
    """Draw the share of each variant's units in each bin, variants side by side.

    Args:
        labels: one a bin.
        shares: (variant's name, a share for each bin), the control first.
    """
    traces = [bars(labels, values, name, colour_of(place), "%{y:.2%}") for place, (name, values) in enumerate(shares)]
    drawn = layout(legend=True)
    drawn["yaxis"]["tickformat"] = ".0%"
    drawn["xaxis"] |= {"type": "category", "tickformat": "", "hoverformat": "", "nticks": 14}
    return plain_figure(traces, {**drawn, "barmode": "group", "bargap": 0.2})


def wearing_figure(series: Sequence[tuple[str, Sequence[tuple[int, float, float]]]], unit: str) -> dict[str, Any]:
    """Draw each treatment's difference by days since the exposure, with 95 % intervals.

    Args:
        series: (treatment's name, (day, difference, half of the interval) for each day).
        unit: of the difference, as plotly.js formats it: ".2%" or ",.4~g".
    """
    traces = []
    for position, (name, points) in enumerate(series, start=1):
        colour = colour_of(position)
        traces.append(
            {
                "type": "scatter",
                "x": [day for day, _, _ in points],
                "y": [value for _, value, _ in points],
                "name": plain_text(name),
                "mode": "lines+markers",
                "line": {"color": colour, "width": 2.5},
                "marker": {"color": colour, "size": 7},
                "error_y": {"type": "data", "array": [half for _, _, half in points], "color": colour, "width": 6},
                "hovertemplate": f"%{{y:{unit}}} ± %{{error_y.array:{unit}}}",
            }
        )
    drawn = layout(legend=len(series) > 1)
    drawn["yaxis"]["tickformat"] = unit
    drawn["xaxis"] |= {"type": "linear", "tickformat": "d", "hoverformat": "d", "dtick": 1, **SPIKE,
                       "title": {"text": "Days since exposure"}}  # fmt: skip
    return plain_figure(traces, {**drawn, "shapes": [ZERO_LINE]})
