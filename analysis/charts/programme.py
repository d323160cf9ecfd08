"""The programme's charts for Plotly: how many experiments a week, and what was shipped, as claimed and as believed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from math import ceil, expm1, floor
from typing import Any, Protocol

from analysis.charts.figures import ZERO_LINE, bars, layout, plain_figure
from analysis.charts.interval import SMALLEST_REACH, nice_step
from analysis.stats.track_record import Step
from experiments.pages.formats import tick


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
    days = [week.day.isoformat() for week in weeks]
    traces = [
        bars(days, [week.started for week in weeks], "Started", "var(--series-0)", "%{y}"),
        bars(days, [week.ended for week in weeks], "Ended", "var(--series-1)", "%{y}"),
    ]
    most = max([1, *(max(week.started, week.ended) for week in weeks)])
    drawn = {**layout(legend=True), "barmode": "group", "bargap": 0.3}
    drawn["yaxis"] |= {"tickformat": ",d", "tick0": 0, "dtick": max(1, ceil(most / 5))}
    drawn["xaxis"]["hoverformat"] = "Week of %-d %b %Y"
    return plain_figure(traces, drawn)


def impact_figure(steps: Sequence[Step], until: date) -> dict[str, Any]:
    """Draw how the shipped gains added up by day, up to a day: as measured, and without their luck."""
    steps = [*steps, replace(steps[-1], day=max(until, steps[-1].day))]
    days = [step.day.isoformat() for step in steps]
    traces = [
        {"type": "scatter", "x": days, "y": values, "name": name, "mode": "lines", "hovertemplate": "%{y:+.1%}",
         "line": {"color": colour, "width": 2.5, "dash": dash, "shape": "hv"}}
        for name, values, colour, dash in (
            ("As measured", [expm1(step.claimed) for step in steps], "var(--series-0)", "dot"),
            ("As believed", [expm1(step.believed) for step in steps], "var(--series-1)", "solid"),
        )
    ]  # fmt: skip
    drawn = layout(legend=True)
    ends = [0.0, *(expm1(end) for step in steps for end in (step.claimed, step.believed))]
    step_size = nice_step((max(ends) - min(ends)) or SMALLEST_REACH)
    values = [i * step_size for i in range(floor(min(ends) / step_size), ceil(max(ends) / step_size) + 1)]
    drawn["yaxis"] |= {"tickvals": values, "ticktext": [tick(value) if value else "0" for value in values]}
    return plain_figure(traces, {**drawn, "shapes": [ZERO_LINE]})
