"""The charts of a metric's own page: how units are spread, and the effect by days since the exposure."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.charts.figures import SPIKE as _SPIKE
from analysis.charts.figures import colour_of, figure_json, layout, plain_text


def spread_figure(labels: Sequence[str], shares: Sequence[tuple[str, Sequence[float]]]) -> dict[str, Any]:
    """Draw the share of each variant's units in each bin, variants side by side.

    Args:
        labels: one a bin.
        shares: (variant's name, a share for each bin), the control first.
    """
    figure = go.Figure()
    for position, (name, values) in enumerate(shares):
        figure.add_bar(
            x=list(labels),
            y=list(values),
            name=plain_text(name),
            marker={"color": colour_of(position), "line": {"width": 0}},
            hovertemplate="%{y:.2%}",
        )
    figure.update_layout(**layout(legend=True), barmode="group", bargap=0.2, yaxis_tickformat=".0%")
    figure.update_xaxes(type="category", tickformat=None, hoverformat=None, nticks=14)
    return figure_json(figure)


def wearing_figure(series: Sequence[tuple[str, Sequence[tuple[int, float, float]]]], unit: str) -> dict[str, Any]:
    """Draw each treatment's difference by days since the exposure, with 95 % intervals.

    Args:
        series: (treatment's name, (day, difference, half of the interval) for each day).
        unit: of the difference, as plotly.js formats it: ".2%" or ",.4~g".
    """
    figure = go.Figure()
    for position, (name, points) in enumerate(series, start=1):
        colour = colour_of(position)
        figure.add_scatter(
            x=[day for day, _, _ in points],
            y=[value for _, value, _ in points],
            name=plain_text(name),
            mode="lines+markers",
            line={"color": colour, "width": 2.5},
            marker={"color": colour, "size": 7},
            error_y={"type": "data", "array": [half for _, _, half in points], "color": colour, "width": 6},
            hovertemplate=f"%{{y:{unit}}} ± %{{error_y.array:{unit}}}",
        )
    figure.add_hline(y=0, line={"color": "var(--edge)", "width": 1})
    figure.update_layout(**layout(legend=len(series) > 1), yaxis_tickformat=unit)
    figure.update_xaxes(
        type="linear", tickformat="d", hoverformat="d", dtick=1, title={"text": "Days since exposure"}, **_SPIKE
    )
    return figure_json(figure)
