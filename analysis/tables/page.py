"""The report as one page that needs nothing beside it: table, sentences and Plotly charts in a single file."""

import json
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

from analysis.decisions import wording
from analysis.tables.report import Breakdown, Comparison, Interval, LevelEffect, Metric, Report
from analysis.tables.text import interval, value

PLOTLY = "vendor/plotly-cartesian-4.1.1.min.js"
TOKENS = "css/tokens.css"
INK, LINE, GRID = "#16191d", "#2a57c9", "#d9dde3"
FONT = "Inter, system-ui, -apple-system, Segoe UI, Roboto, sans-serif"
_ROW_HEIGHT, _AROUND = 34, 80
_SEGMENT = "segment-"


def to_html(report: Report, file: str) -> str:
    """Write the page. Names from the file are escaped by the template, and in figures by themselves."""
    drawn = _figures(report)
    counts = ", ".join(f"{name} {units:,}" for name, units in report.health.srm.counts.items())
    p = report.health.srm.p_value
    return render_to_string(
        "tables/report.html",
        {
            "report": report,
            "file": file,
            "rows": f"{report.health.rows:,}",
            "units": f"Units: {counts}",
            "split": "The split cannot be tested."
            if p is None
            else f"Split against the weights: {wording.p_value(p)}.",
            "lines": [_line(metric, one) for metric in report.metrics for one in metric.comparisons],
            "notes": [
                f"{metric.name}, {one.variant}: {said}"
                for metric in report.metrics
                for one in metric.comparisons
                for said in one.warnings
            ],
            "charts": [_chart(report, key, title) for key, title, _ in drawn],
            "figures": {key: figure for key, _, figure in drawn},
            "tokens": static(TOKENS),
            "plotly": static(PLOTLY).replace("</script", "<\\/script"),
        },
    )


def _chart(report: Report, key: str, title: str) -> dict[str, Any]:
    """Return a chart's title, and for a segment the numbers beside it."""
    found: dict[str, Any] = {"key": key, "title": title, "label": title}
    if key.startswith(_SEGMENT):
        one = report.segments[int(key.removeprefix(_SEGMENT))]
        found |= {"segment": one.segment, "levels": [_level(level) for level in one.levels]}
    return found


def _level(one: LevelEffect) -> dict[str, str]:
    return {
        "level": one.level,
        "control_n": f"{one.control_n:,}",
        "n": f"{one.n:,}",
        "difference": value(one.difference, share=False, signed=True),
        "difference_interval": interval(one.difference_interval, share=False),
        "shrunk": value(one.shrunk_difference, share=False, signed=True),
        "shrunk_interval": interval(one.shrunk_interval, share=False),
    }


def static(name: str) -> str:
    """Return a static file's text, to stand inside the page."""
    found = finders.find(name)
    if not isinstance(found, str):
        raise FileNotFoundError(f"the static file {name} is missing from this checkout")
    with open(found, encoding="utf-8") as file:
        return file.read()


def _line(metric: Metric, one: Comparison) -> dict[str, str]:
    share = metric.type == "proportion"
    return {
        "metric": metric.name,
        "role": metric.role,
        "variant": one.variant,
        "control": value(one.control_mean, share=share),
        "treatment": value(one.mean, share=share),
        "difference": value(one.difference, share=share, signed=True, unit=" pp"),
        "difference_interval": interval(one.difference_interval, share=share, unit=" pp"),
        "lift": value(one.lift, share=True, signed=True),
        "lift_interval": interval(one.lift_interval, share=True),
        "p": "–" if one.p_value is None else f"{one.p_value:.2g}",
        "reading": one.reading,
        "tone": one.reading if one.reading in ("Better", "Worse") else "",
        "level": wording.percent(1 - one.alpha),
    }


def _figures(report: Report) -> list[tuple[str, str, dict[str, Any]]]:
    """Return every chart as (key, title, figure)."""
    several = len({one.variant for metric in report.metrics for one in metric.comparisons}) > 1
    lifts = [
        (f"{metric.name}, {one.variant}" if several else metric.name, one.lift, one.lift_interval)
        for metric in report.metrics
        for one in metric.comparisons
    ]
    found = [("lifts", "Lift with its interval", _forest(lifts, percent=True))] if _known(lifts) else []
    for position, one in enumerate(report.segments):
        rows = [
            (
                level.level,
                _first(level.shrunk_difference, level.difference),
                level.shrunk_interval or level.difference_interval,
            )
            for level in one.levels
        ]
        if _known(rows):
            found.append((f"{_SEGMENT}{position}", _title(one, several=several), _forest(rows, percent=False)))
    return found


def _title(one: Breakdown, *, several: bool) -> str:
    differ = "" if one.adjusted_p_value is None else f"; do the levels differ? {wording.p_value(one.adjusted_p_value)}"
    who = f", {one.variant}" if several else ""
    return f"Difference in {one.metric} by {one.segment}{who}, drawn towards the common effect{differ}"


def _first(shrunk: float | None, raw: float | None) -> float | None:
    """Return the effect to draw: the largest of many levels is largest partly by luck, so the shrunk one."""
    return raw if shrunk is None else shrunk


def _known(rows: Sequence[tuple[str, float | None, Interval | None]]) -> bool:
    return any(_drawable(at, ends) for _, at, ends in rows)


def _drawable(at: float | None, ends: Interval | None) -> bool:
    return at is not None and ends is not None and None not in ends


def _forest(rows: Sequence[tuple[str, float | None, Interval | None]], *, percent: bool) -> dict[str, Any]:
    """Draw one dot with its interval a row, on one zero line."""
    # plotly.js reads markup in labels; names of a file are only names.
    kept = [(plain(name), at, ends) for name, at, ends in rows if _drawable(at, ends)]
    places = list(range(len(kept)))
    points = [float(at or 0.0) for _, at, _ in kept]
    lows = [float((ends or (0.0, 0.0))[0] or 0.0) for _, _, ends in kept]
    highs = [float((ends or (0.0, 0.0))[1] or 0.0) for _, _, ends in kept]
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": INK, "width": 1})
    figure.add_scatter(
        x=points,
        y=places,
        mode="markers",
        marker={"color": LINE, "size": 9},
        error_x={
            "type": "data",
            "array": [high - at for high, at in zip(highs, points, strict=True)],
            "arrayminus": [at - low for low, at in zip(lows, points, strict=True)],
            "color": LINE,
            "thickness": 2,
            "width": 5,
        },
        customdata=list(zip(lows, highs, strict=True)),
        hovertemplate="%{x:+.1%}, %{customdata[0]:+.1%} to %{customdata[1]:+.1%}<extra></extra>"
        if percent
        else "%{x:+.4g}, %{customdata[0]:+.4g} to %{customdata[1]:+.4g}<extra></extra>",
    )
    figure.update_layout(
        template="none",
        height=_AROUND + _ROW_HEIGHT * len(kept),
        margin={"l": 10, "r": 20, "t": 10, "b": 40},
        font={"family": FONT, "size": 13, "color": INK},
        xaxis={"tickformat": "+.0%" if percent else "+~g", "gridcolor": GRID, "zeroline": False},
        yaxis={
            "tickvals": places,
            "ticktext": [name for name, _, _ in kept],
            "autorange": "reversed",
            "automargin": True,
            "showgrid": False,
            "zeroline": False,
        },
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    drawn: dict[str, Any] = json.loads(figure.to_json())
    return drawn


def plain(name: str) -> str:
    """Return a name of a file as plotly.js shows it and does not interpret it."""
    return name.replace("&", "&amp;").replace("<", "&lt;")
