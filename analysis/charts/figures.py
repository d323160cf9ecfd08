"""Figures for Plotly, as JSON. Colours are names of CSS tokens; the page fills them in for its theme."""

import json
from collections.abc import Sequence
from datetime import date
from math import ceil, floor
from typing import Any

import plotly.graph_objects as go

from analysis.charts.interval import SMALLEST_REACH, nice_step
from analysis.results.schema import EffectSeries, ExposurePoint, VariantFact
from experiments.pages.formats import level, tick

FONT = "Inter, system-ui, -apple-system, Segoe UI, Roboto, sans-serif"
SERIES_COLOURS = 5
FEW_DAYS = 6
SPIKE = {"spikecolor": "var(--edge)", "spikethickness": 1, "spikedash": "solid"}
DAYS = {"tickformat": "%-d %b", "hoverformat": "%-d %b %Y"}

ZERO_LINE = {"type": "line", "x0": 0, "x1": 1, "xref": "x domain", "y0": 0, "y1": 0, "yref": "y",
             "line": {"color": "var(--edge)", "width": 1}}  # fmt: skip


def effect_figure(series: Sequence[EffectSeries], names: dict[str, str]) -> dict[str, Any]:
    """Draw the effect of each treatment as it stood at the end of each day, with its interval as a band."""
    traces = [
        trace
        for position, one in enumerate(series, start=1)
        for trace in _effect(one, plain_text(names.get(one.variant, one.variant)), colour_of(position))
    ]
    drawn = layout(legend=len(series) > 1)
    drawn["yaxis"] |= _ticks(series)
    drawn["xaxis"] |= day_ticks([p.day for one in series for p in one.points])
    return plain_figure(traces, {**drawn, "shapes": [ZERO_LINE]})


def _ticks(series: Sequence[EffectSeries]) -> dict[str, Any]:
    """Return grid lines with labels like the metric table's: a sign on every change, none on 0."""
    ends = [end for one in series for p in one.points for end in p.lift_interval or () if end is not None]
    low, high = min([*ends, 0.0]), max([*ends, 0.0])
    step = nice_step((high - low) or SMALLEST_REACH)
    values = [i * step for i in range(floor(low / step), ceil(high / step) + 1)]
    return {"tickvals": values, "ticktext": [tick(value) if value else "0" for value in values]}


def _effect(series: EffectSeries, name: str, colour: str) -> list[dict[str, Any]]:
    points = [p for p in series.points if p.lift is not None and p.lift_interval and None not in p.lift_interval]
    days = [p.day.isoformat() for p in points]
    lifts = [p.lift for p in points if p.lift is not None]
    lows = [p.lift_interval[0] for p in points if p.lift_interval and p.lift_interval[0] is not None]
    highs = [p.lift_interval[1] for p in points if p.lift_interval and p.lift_interval[1] is not None]
    quiet = {"type": "scatter", "hoverinfo": "skip", "showlegend": False, "legendgroup": name, "mode": "lines",
             "line": {"width": 0}}  # fmt: skip
    # A band needs two days; a single day shows its interval as a bar.
    bar = {"error_y": _bar(lifts[0], lows[0], highs[0], colour)} if len(points) == 1 else {}
    return [
        {"x": days, "y": lows, **quiet},
        {"x": days, "y": highs, "fill": "tonexty", "fillcolor": colour, "opacity": 0.18, **quiet},
        {
            "type": "scatter",
            "x": days,
            "y": lifts,
            "name": name,
            "legendgroup": name,
            "mode": "lines+markers",
            "line": {"color": colour, "width": 2.5},
            "marker": {"color": colour, "size": 6},
            "customdata": [[low, high, p.n + p.control_n] for p, low, high in zip(points, lows, highs, strict=True)],
            # No markup in hover texts: plotly.js would set inline styles for it, which the pages' policy forbids.
            "hovertemplate": (
                "%{y:+.1%}, "
                + level(series.alpha)
                + " interval %{customdata[0]:+.1%} to %{customdata[1]:+.1%}, %{customdata[2]:,} units"
            ),
            **bar,
        },
    ]


def _bar(lift: float, low: float, high: float, colour: str) -> dict[str, Any]:
    return {"type": "data", "array": [high - lift], "arrayminus": [lift - low], "color": colour, "width": 6}


def day_ticks(days: Sequence[date]) -> dict[str, Any]:
    """Return a label for each of a few days; plotly.js would repeat the same day at several hours."""
    shown = sorted(set(days))
    return {"tickmode": "array", "tickvals": shown} if 0 < len(shown) <= FEW_DAYS else {}


def exposures_figure(points: Sequence[ExposurePoint], variants: Sequence[VariantFact]) -> dict[str, Any]:
    """Draw how many units each variant enrolled on each day, stacked."""
    traces = []
    for position, variant in enumerate(variants):
        own = [p for p in points if p.variant == variant.key]
        traces.append(
            bars([p.day.isoformat() for p in own], [p.units for p in own], variant.name, colour_of(position), "%{y:,}")
        )
    drawn = layout(legend=True)
    drawn["yaxis"]["tickformat"] = ","
    drawn["xaxis"] |= day_ticks([p.day for p in points])
    return plain_figure(traces, {**drawn, "barmode": "stack", "bargap": 0.25})


def bars(x: Sequence[str], y: Sequence[float], name: str, colour: str, hover: str) -> dict[str, Any]:
    """Return a trace of bars."""
    return {"type": "bar", "x": list(x), "y": list(y), "name": plain_text(name), "hovertemplate": hover,
            "marker": {"color": colour, "line": {"width": 0}}}  # fmt: skip


def plain_text(name: str) -> str:
    """Return a name that plotly.js will not read as markup."""
    return name.replace("&", "&amp;").replace("<", "&lt;")


def colour_of(position: int) -> str:
    """Return the colour of the series at a position."""
    # Position 0 is the control, in grey; beyond the palette the treatments' colours come again.
    return f"var(--series-{position if position < SERIES_COLOURS else 1 + (position - 1) % (SERIES_COLOURS - 1)})"


def layout(*, legend: bool) -> dict[str, Any]:
    """Return what all figures look like; the first axis is one of days unless told otherwise."""
    axis = {
        "gridcolor": "var(--line)",
        "linecolor": "var(--line)",
        "zeroline": False,
        "tickfont": {"color": "var(--muted)"},
        "fixedrange": True,
    }
    return {
        "template": "none",
        "autosize": True,
        "margin": {"l": 56, "r": 12, "t": 8, "b": 36},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": "var(--text)"},
        "hoverlabel": {"bgcolor": "var(--surface)", "bordercolor": "var(--edge)", "font": {"color": "var(--text)"}},
        "hovermode": "x unified",
        "hoverdistance": 200,
        "showlegend": legend,
        "legend": {"orientation": "h", "traceorder": "normal", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": {
            **axis,
            "showgrid": False,
            "type": "date",
            "tickformat": "%-d %b",
            "hoverformat": "%-d %b %Y",
            "nticks": 8,
        },
        "yaxis": {**axis, "nticks": 6},
    }


def plain_figure(traces: list[dict[str, Any]], drawn: dict[str, Any]) -> dict[str, Any]:
    """Return a figure as the page embeds it, without Plotly's objects: making those takes most of a page's time.

    The tests have Plotly read each such figure, which refuses what it does not know.
    """
    return {"data": traces, "layout": {name: value for name, value in drawn.items() if name != "template"}}


def figure_json(figure: go.Figure) -> dict[str, Any]:
    """Return a figure as the page embeds it."""
    drawn: dict[str, Any] = json.loads(figure.to_json())
    return drawn
