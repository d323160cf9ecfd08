"""From nothing to what the holdout measured: one bar a launch, each beginning where the one before ends."""

import math
from collections.abc import Sequence
from typing import Any

from analysis.charts.figures import ZERO_LINE, layout, plain_figure, plain_text
from analysis.programme.schema import Bar

DIGITS = 5
ROW_PIXELS = 34
LONGEST_NAME = 34
_UPRIGHT = {"type": "line", "x0": 0, "x1": 0, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain",
            "line": ZERO_LINE["line"]}  # fmt: skip


def waterfall_figure(bars: Sequence[Bar], base: str) -> dict[str, Any]:
    """Draw the bars from top to bottom; ``base`` is the address of an experiment's results with KEY in it."""
    starts, lengths = _places(bars)
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [_label(i, one) for i, one in enumerate(bars)],
        "x": lengths,
        "base": starts,
        "marker": {"color": [_colour(one) for one in bars], "line": {"width": 0}},
        "text": [plain_text(one.name) for one in bars],
        "textposition": "none",
        "customdata": [
            [base.replace("KEY", one.experiment) if one.experiment else "", _lift(one.value)] for one in bars
        ],
        "hovertemplate": "%{text}: %{customdata[1]:+.2%}",
        "hoverlabel": {"namelength": 0},
        "error_x": _errors(bars),
        "width": 0.62,
    }
    drawn = {**layout(legend=False), "hovermode": "closest", "height": 70 + ROW_PIXELS * len(bars), "bargap": 0.3}
    drawn["margin"] = {"l": 8, "r": 16, "t": 4, "b": 36}
    drawn["xaxis"] |= {
        "type": "linear", "tickformat": "+.1~%", "hoverformat": "+.2%", "showgrid": True, "tickangle": 0,
    }  # fmt: skip
    drawn["yaxis"] |= {
        "autorange": "reversed", "automargin": True, "showgrid": False, "tickmode": "array", "type": "category",
        "tickvals": [_label(i, one) for i, one in enumerate(bars)], "ticktext": [_short(one.name) for one in bars],
    }  # fmt: skip
    return plain_figure([trace], {**drawn, "shapes": [_UPRIGHT]})


def _label(place: int, one: Bar) -> str:
    """Return a name that no other bar has: two launches may be called alike."""
    return f"{place}. {plain_text(one.name)}"


def _short(name: str) -> str:
    return plain_text(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…")


def _places(bars: Sequence[Bar]) -> tuple[list[float], list[float]]:
    """Return where each bar begins and how long it is, as lifts."""
    starts, lengths, reached = [], [], 0.0
    for one in bars:
        start = 0.0 if one.is_total else reached
        end = start + one.value
        starts.append(round(_lift(start), DIGITS))
        lengths.append(round(_lift(end) - _lift(start), DIGITS))
        reached = end
    return starts, lengths


def _errors(bars: Sequence[Bar]) -> dict[str, Any]:
    """Return the intervals of totals and of what is unexplained; the others' stand in the table."""
    shown = [one.interval if one.is_total or one.name == "Unexplained" else None for one in bars]
    half = [None if ends is None else round(((ends[1] or 0.0) - (ends[0] or 0.0)) / 2, DIGITS) for ends in shown]
    return {"type": "data", "array": half, "color": "var(--text)", "thickness": 1.5, "width": 5}


def _colour(one: Bar) -> str:
    if one.name == "Unexplained":
        return "var(--series-3)"
    if one.is_total:
        return "var(--series-0)"
    return "var(--series-1)" if one.value >= 0 else "var(--series-2)"


def _lift(value: float) -> float:
    return round(math.expm1(value), DIGITS)
