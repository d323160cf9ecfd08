"""The programme's charts for Plotly: how many experiments a week, and what was shipped, as claimed and as believed."""

from collections.abc import Sequence
from datetime import date
from math import expm1
from typing import Any, Protocol

import plotly.graph_objects as go

from analysis.charts.figures import base_layout, to_json
from analysis.stats.track_record import Step


class Weekly(Protocol):
    """A week with what began and ended in it."""

    @property
    def day(self) -> date: ...  # noqa: D102
    @property
    def started(self) -> int: ...  # noqa: D102
    @property
    def ended(self) -> int: ...  # noqa: D102


def velocity_figure(weeks: Sequence[Weekly]) -> dict[str, Any]:
    """Draw how many experiments started and ended in each week."""
    figure = go.Figure()
    days = [week.day for week in weeks]
    for name, counts, colour in (
        ("Started", [week.started for week in weeks], "var(--series-0)"),
        ("Ended", [week.ended for week in weeks], "var(--series-1)"),
    ):
        figure.add_bar(x=days, y=counts, name=name, marker={"color": colour, "line": {"width": 0}}, hovertemplate="%{y}")
    figure.update_layout(**base_layout(legend=True), barmode="group", bargap=0.3, yaxis_tickformat=",d")
    figure.update_xaxes(hoverformat="Week of %-d %b %Y")
    return to_json(figure)


def impact_figure(steps: Sequence[Step]) -> dict[str, Any]:
    """Draw how the shipped gains added up by day: as measured, and without their luck."""
    figure = go.Figure()
    days = [step.day for step in steps]
    for name, values, colour, dash in (
        ("As measured", [expm1(step.claimed) for step in steps], "var(--series-0)", "dot"),
        ("As believed", [expm1(step.believed) for step in steps], "var(--series-1)", "solid"),
    ):
        line = {"color": colour, "width": 2.5, "dash": dash, "shape": "hv"}
        figure.add_scatter(x=days, y=values, name=name, mode="lines", line=line, hovertemplate="%{y:+.1%}")
    figure.add_hline(y=0, line={"color": "var(--edge)", "width": 1})
    figure.update_layout(**base_layout(legend=True), yaxis_tickformat="+.0%")
    return to_json(figure)
