"""A model's offline metric over its versions, for Plotly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.charts.figures import layout, plain_figure, plain_text


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPoint:
    """One version's value; ``low`` and ``high`` are None where no interval is known."""

    version: str
    value: float
    low: float | None
    high: float | None
    said: str


def versions_figure(points: Sequence[VersionPoint]) -> dict[str, Any]:
    """Draw each version's value with its interval, in the order in which they were made."""
    trace = {
        "type": "scatter",
        "x": [plain_text(point.version) for point in points],
        "y": [point.value for point in points],
        "mode": "markers",
        "marker": {"color": "var(--series-1)", "size": 10},
        "error_y": {
            "type": "data",
            "array": [0 if point.high is None else point.high - point.value for point in points],
            "arrayminus": [0 if point.low is None else point.value - point.low for point in points],
            "color": "var(--series-1)",
            "width": 6,
            "thickness": 2,
        },
        "customdata": [[point.said] for point in points],
        "hovertemplate": "%{x}: %{customdata[0]}<extra></extra>",
    }
    drawn = {**layout(legend=False), "hovermode": "closest"}
    drawn["xaxis"] |= {"type": "category", "tickformat": "", "hoverformat": ""}
    return plain_figure([trace], drawn)
