"""Two figures: how far scores have moved by day, and how they spread then and now."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.charts.figures import colour_of, day_ticks, figure_json, layout, plain_text
from analysis.drifting.reading import OfVariant
from analysis.stats.drift import Drift
from analysis.stats.settings import DEFAULTS

LEAST_TOP = 0.3
"""The scale always reaches beyond both limits, so that a quiet experiment looks quiet."""


def by_day(variants: Sequence[OfVariant]) -> dict[str, Any]:
    """Draw each variant's stability index by day, with the limits from which it is called moved."""
    figure = go.Figure()
    top, days = LEAST_TOP, []
    for position, one in enumerate(variants):
        points = [(day.day, day.found, day.units) for day in one.days if isinstance(day.found, Drift)]
        if not points:
            continue
        top = max(top, *(found.psi for _, found, _ in points))
        days += [day for day, _, _ in points]
        figure.add_scatter(
            x=[day for day, _, _ in points],
            y=[found.psi for _, found, _ in points],
            name=plain_text(one.variant.name),
            mode="lines+markers",
            line={"color": colour_of(position), "width": 2.5},
            marker={"color": colour_of(position), "size": 6},
            customdata=[[found.ks, units] for _, found, units in points],
            hovertemplate="index %{y:.2f}, largest distance %{customdata[0]:.2f}, %{customdata[1]:,} units",
        )
    for limit in (DEFAULTS.drift_slight, DEFAULTS.drift_large):
        figure.add_hline(y=limit, line={"color": "var(--edge)", "width": 1, "dash": "dot"})
    figure.update_layout(**layout(legend=True))
    figure.update_yaxes(range=[0, top * 1.08], tickformat=".2f")
    figure.update_xaxes(**day_ticks(days))
    return figure_json(figure)
