"""Experiments as points: proxy effect across, business effect up, each with its ellipse, and the lines between."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from analysis.charts.figures import ZERO_LINE, layout, plain_figure, plain_text
from analysis.programme.schema import Line, Point
from analysis.stats.moments import Array

MOST_POINTS = 500
"""Points that are drawn; more would be one blot and a megabyte. Those that say most come first."""
MOST_ELLIPSES = 80
RADIUS = math.sqrt(-2 * math.log(1 - 0.683))
"""Of an ellipse that holds the truth in 68 of 100 cases; at 95 they would cover each other."""
CORNERS = 25
DIGITS = 5


Trace = dict[str, Any]
UPRIGHT = {"type": "line", "x0": 0, "x1": 0, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain",
           "line": {"color": "var(--edge)", "width": 1}}  # fmt: skip


def scatter_figure(points: Sequence[Point], line: Line | None, names: tuple[str, str], base: str) -> dict[str, Any]:
    """Draw the programme; ``base`` is the address under which an experiment's key leads to its results."""
    seen = list(points[:MOST_POINTS])
    traces = [_ellipses(seen[:MOST_ELLIPSES]), *(_lines(line) if line is not None else ()), _points(seen, names, base)]
    drawn = layout(legend=True) | {"hoverdistance": 20, "hovermode": "closest"}
    drawn["margin"] = {"l": 64, "r": 12, "t": 8, "b": 48}
    across = {"type": "linear", "hoverformat": "+.1%", "range": _reach([p.x for p in seen]), "showgrid": True}
    drawn["xaxis"] |= _axis(names[0]) | across
    drawn["yaxis"] |= _axis(names[1]) | {"range": _reach([p.y for p in seen])}
    return plain_figure(traces, {**drawn, "shapes": [ZERO_LINE, UPRIGHT]})


def _axis(name: str) -> dict[str, Any]:
    return {"title": {"text": plain_text(name), "font": {"color": "var(--muted)"}}, "tickformat": "+.1~%", "nticks": 7}


def _reach(values: Sequence[float]) -> list[float]:
    """Return an axis' range: all points, with room for the ellipses of the ordinary ones."""
    lifts = np.expm1(np.array([*values, 0.0]))
    low, high = float(lifts.min()), float(lifts.max())
    room = 0.12 * (high - low) or 0.01
    return [round(low - room, DIGITS), round(high + room, DIGITS)]


def _ellipses(points: Sequence[Point]) -> Trace:
    around = np.round(_corners(points), DIGITS) if points else np.empty((0, CORNERS, 2))
    xs, ys = ([one for corners in around[:, :, axis].tolist() for one in (*corners, None)] for axis in (0, 1))
    return {"type": "scatter", "x": xs, "y": ys, "mode": "lines", "name": "68% ellipse", "hoverinfo": "skip",
            "opacity": 0.3, "line": {"color": "var(--series-0)", "width": 1}}  # fmt: skip


def ellipse(one: Point) -> Array:
    """Return corners around a point that hold its true effects in 68 of 100 cases, as lifts, shape (CORNERS, 2)."""
    return np.asarray(_corners([one])[0])


def _corners(points: Sequence[Point]) -> Array:
    """Return the corners around all points at once, shape (points, CORNERS, 2)."""
    values, vectors = np.linalg.eigh(np.array([[[one.xx, one.xy], [one.xy, one.yy]] for one in points]))
    turn = np.linspace(0, 2 * np.pi, CORNERS)
    circle = RADIUS * np.column_stack([np.cos(turn), np.sin(turn)])
    middles = np.array([[one.x, one.y] for one in points])
    stretched = circle * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return np.asarray(np.expm1(middles[:, None, :] + stretched @ vectors.transpose(0, 2, 1)))


def _lines(line: Line) -> Iterator[Trace]:
    xs = _rounded(np.expm1(np.array(line.xs)))
    low, high, middle = (_rounded(np.expm1(np.array(one))) for one in (line.low, line.high, line.ys))
    plain = {"type": "scatter", "x": xs, "mode": "lines", "hoverinfo": "skip"}
    quiet = {**plain, "showlegend": False, "line": {"width": 0}}
    yield {**quiet, "y": low}
    yield {**quiet, "y": high, "fill": "tonexty", "fillcolor": "var(--series-1)", "opacity": 0.18}
    yield {**plain, "y": middle, "name": "Corrected line", "line": {"color": "var(--series-1)", "width": 2.5}}
    if line.naive_slope is not None and line.naive_intercept is not None:
        naive = _rounded(np.expm1(line.naive_intercept + line.naive_slope * np.array(line.xs)))
        dashed = {"color": "var(--series-3)", "width": 2, "dash": "dash"}
        yield {**plain, "y": naive, "name": "Naive line", "line": dashed}


def _points(points: Sequence[Point], names: tuple[str, str], base: str) -> Trace:
    most = max((p.weight for p in points), default=1.0) or 1.0
    return {
        "type": "scatter",
        "x": _rounded(np.expm1([p.x for p in points])),
        "y": _rounded(np.expm1([p.y for p in points])),
        "mode": "markers",
        "name": "Experiment",
        "text": [plain_text(p.name) for p in points],
        "customdata": [["" if p.imported else base.replace("KEY", p.experiment)] for p in points],
        "marker": {
            "color": "var(--series-1)",
            "size": [round(5 + 9 * math.sqrt(p.weight / most), 1) for p in points],
            "opacity": 0.75,
            "line": {"color": "var(--surface)", "width": 1},
        },
        "hovertemplate": f"%{{text}}: {plain_text(names[0])} %{{x:+.1%}}, {plain_text(names[1])} %{{y:+.1%}}",
        "hoverlabel": {"namelength": 0},
    }


def _rounded(values: Array) -> list[float]:
    return [round(float(one), DIGITS) for one in values]
