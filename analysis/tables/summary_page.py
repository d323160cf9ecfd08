"""A summary of series as one page that needs nothing beside it: how peeking went, and the series where it matters."""

import json
from typing import Any

import plotly.graph_objects as go
from django.template.loader import render_to_string

from analysis.decisions import wording
from analysis.decisions.readout import ENGINE_VERSION
from analysis.tables.page import FONT, GRID, INK, LINE, PLOTLY, TOKENS, plain, static
from analysis.tables.summary import Look, Series, Summary
from analysis.tables.summary_text import HEAD, row, short

_DRAWN = 12
"""Series with a chart of their own; the table has all of them."""
_BAND, _ONCE = "rgba(42, 87, 201, 0.18)", "#b3401f"


def to_html(found: Summary, file: str) -> str:
    """Write the page. Names from the file are escaped by the template, and in figures by themselves."""
    chosen = _chosen(found)
    drawn = [("calls", "How many series were called by each date", _calls(found))] if _dates(found) > 1 else []
    drawn += [(f"series-{i}", _title(one), _series(one)) for i, one in enumerate(chosen)]
    return render_to_string(
        "tables/summary.html",
        {
            "summary": found,
            "file": file,
            "risk": wording.percent(found.alpha),
            "planned_units": f"{found.planned_units:,}",
            "skipped": f"{found.health.skipped_rows:,}" if found.health.skipped_rows else "",
            "head": HEAD,
            "rows": [row(one) for one in found.series],
            "left_out": len(found.series) - len(chosen),
            "charts": [{"key": key, "title": title} for key, title, _ in drawn],
            "figures": {key: figure for key, _, figure in drawn},
            "engine_version": ENGINE_VERSION,
            "tokens": static(TOKENS),
            "plotly": static(PLOTLY).replace("</script", "<\\/script"),
        },
    )


def _dates(found: Summary) -> int:
    return max((len(one.looks) for one in found.series), default=0)


def _chosen(found: Summary) -> list[Series]:
    """Return the series worth a chart: first those that peeking called and the other reading did not."""
    shown = [one for one in found.series if any(look.difference is not None for look in one.looks)]
    return sorted(shown, key=lambda one: (not one.peeked or one.sequential, not one.peeked))[:_DRAWN]


def _title(one: Series) -> str:
    name = " · ".join(part for part in (one.experiment, one.metric, one.variant) if part)
    peeking = f"peeking calls it at {short(one.first_peek)}" if one.peeked else "peeking never calls it"
    valid = f"always valid at {short(one.first_sequential)}" if one.sequential else "always valid: never"
    return f"{name}: {peeking}; {valid}"


def _calls(found: Summary) -> dict[str, Any]:
    """Draw how many series had been called by the first, second, … date."""
    count = _dates(found)
    peeked, valid = [0] * count, [0] * count
    for one in found.series:
        for first, counted in ((one.first_peek, peeked), (one.first_sequential, valid)):
            at = next((i for i, look in enumerate(one.looks) if look.date == first), count)
            counted[at:] = [number + 1 for number in counted[at:]]
    figure = go.Figure()
    for name, counted, colour in (("Peeking", peeked, _ONCE), ("Always valid", valid, LINE)):
        figure.add_scatter(
            x=list(range(1, count + 1)), y=counted, name=name, mode="lines", line={"color": colour, "shape": "hv"}
        )
    return _finished(figure, "Number of dates looked at", height=360)


def _series(one: Series) -> dict[str, Any]:
    """Draw the difference by date with both intervals: the wide one may be looked at every time."""
    looks = [look for look in one.looks if look.difference is not None]
    at = [plain(short(look.date)) for look in looks]
    figure = go.Figure()
    for low, high, name, fill in _bands(looks):
        figure.add_scatter(x=at, y=low, mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False)
        figure.add_scatter(
            x=at, y=high, mode="lines", line={"width": 0}, fill="tonexty", fillcolor=fill, hoverinfo="skip", name=name
        )
    values = [look.difference for look in looks]
    figure.add_scatter(
        x=at, y=values, mode="lines+markers", line={"color": LINE}, marker={"size": 4}, name="Difference"
    )
    figure.add_hline(y=0, line={"color": INK, "width": 1})
    return _finished(figure, "Date", height=340)


def _bands(looks: list[Look]) -> list[tuple[list[float | None], list[float | None], str, str]]:
    """Return (lower ends, upper ends, name, colour) of the always-valid intervals and those for one look."""
    both = (
        ([look.always_valid_interval for look in looks], "Always-valid interval", _BAND),
        ([look.difference_interval for look in looks], "Interval for one look", "rgba(179, 64, 31, 0.28)"),
    )
    return [
        ([ends[0] if ends else None for ends in found], [ends[1] if ends else None for ends in found], name, colour)
        for found, name, colour in both
    ]


def _finished(figure: go.Figure, below: str, height: int) -> dict[str, Any]:
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 60, "r": 20, "t": 70, "b": 50},
        font={"family": FONT, "size": 13, "color": INK},
        xaxis={"title": {"text": below}, "gridcolor": GRID, "zeroline": False},
        yaxis={"gridcolor": GRID, "zeroline": False, "automargin": True},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    drawn: dict[str, Any] = json.loads(figure.to_json())
    return drawn
