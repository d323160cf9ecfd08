"""Charts of an e-mail as PNG, drawn by matplotlib without a browser and without pyplot's global state."""

from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING, Any

from analysis.mail.contents import MOST_MARKS
from analysis.pages.table import Table
from analysis.results.schema import EffectPoint, Tone

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The mail's inner width in CSS pixels; twice as many picture pixels keep it sharp on dense screens.
WIDTH = 536
PIXELS_PER_INCH = 200
ROW_HEIGHT = 36
LABEL_SIZE = 10.5
LONGEST_LABEL = 26
MOST_DAY_LABELS = 5
# One wide interval must not flatten the others: the axis ends at this many times the middle one's reach.
WIDEST = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of one mode, as on the site."""

    surface: str
    text: str
    muted: str
    line: str
    tones: dict[Tone, str]
    series: tuple[str, ...]


LIGHT = Theme(
    surface="#ffffff",
    text="#16191d",
    muted="#59616b",
    line="#d9dde3",
    tones={Tone.GOOD: "#0b6e5f", Tone.BAD: "#b3381d", Tone.WARN: "#8a5a00", Tone.FLAT: "#5b6673"},
    series=("#2a57c9", "#8a5a00", "#7a3fa8"),
)
DARK = Theme(
    surface="#181c22",
    text="#e8ebef",
    muted="#a3adb9",
    line="#323943",
    tones={Tone.GOOD: "#4cc3ad", Tone.BAD: "#ff8f73", Tone.WARN: "#e5b04f", Tone.FLAT: "#9aa5b1"},
    series=("#8fb0ff", "#e5b04f", "#c9a0ec"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One interval on the shared zero line; a bound of None has no end on that side."""

    label: str
    estimate: float
    low: float | None
    high: float | None
    tone: Tone


def marks_of(shown: Table) -> list[Mark]:
    """Return a mark for each row whose lift can be computed, those that decide first."""
    marks = [
        Mark(
            label=f"{row.metric.name}\n{row.treatment}" if shown.several else row.metric.name,
            estimate=row.comparison.lift,
            low=row.comparison.lift_interval[0],
            high=row.comparison.lift_interval[1],
            tone=Tone(row.tone),
        )
        for group in shown.groups
        for row in group.rows
        if row.comparison.lift is not None and row.comparison.lift_interval is not None
    ]
    return marks[:MOST_MARKS]


def draw_intervals(marks: list[Mark], theme: Theme) -> bytes:
    """Draw the intervals under each other on one zero line."""
    figure, axes = _canvas(theme, height=len(marks) * ROW_HEIGHT + 34, left=0.42)
    low, high = _limits(marks)
    axes.set_xlim(low, high)
    axes.set_ylim(len(marks) - 0.5, -0.5)
    axes.axvline(0, color=theme.muted, linewidth=1)
    for position, mark in enumerate(marks):
        _draw_mark(axes, mark, position, theme)
    axes.set_yticks(range(len(marks)), [_short(mark.label) for mark in marks], linespacing=1.0)
    axes.tick_params(axis="y", colors=theme.text, length=0)
    _percent_axis(axes.xaxis)
    axes.grid(axis="x", color=theme.line, linewidth=0.6)
    return _png(figure)


def draw_effect(lines: dict[str, list[EffectPoint]], theme: Theme) -> bytes:
    """Draw the effect as it stood at the end of each day, with its interval."""
    figure, axes = _canvas(theme, height=230, left=0.11)
    axes.axhline(0, color=theme.muted, linewidth=1)
    for (name, points), colour in zip(lines.items(), theme.series, strict=False):
        _draw_line(axes, name, points, colour)
    _day_axis(axes, sorted({point.day for points in lines.values() for point in points}))
    _percent_axis(axes.yaxis)
    axes.grid(axis="y", color=theme.line, linewidth=0.6)
    if len(lines) > 1:
        axes.legend(frameon=False, labelcolor=theme.text, fontsize=LABEL_SIZE)
    return _png(figure)


def _canvas(theme: Theme, *, height: int, left: float) -> "tuple[Figure, Axes]":
    # Imported on first use: it takes a second, and the web process needs it for previews alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 100, height / 100), dpi=PIXELS_PER_INCH, facecolor=theme.surface)
    FigureCanvasAgg(figure)
    bottom = 26 / height
    axes = figure.add_axes((left, bottom, 0.985 - left, 1 - bottom - 8 / height), facecolor=theme.surface)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors=theme.muted, labelsize=LABEL_SIZE, length=0)
    axes.set_axisbelow(True)
    return figure, axes


def _draw_mark(axes: "Axes", mark: Mark, position: int, theme: Theme) -> None:
    colour = theme.tones[mark.tone]
    left, right = axes.get_xlim()
    low = left if mark.low is None else max(mark.low, left)
    high = right if mark.high is None else min(mark.high, right)
    axes.plot([low, high], [position, position], color=colour, linewidth=2.2, solid_capstyle="butt")
    for bound in (mark.low, mark.high):
        # A cap says where an interval ends; one that runs off the axis has none.
        if bound is not None and left <= bound <= right:
            axes.plot([bound, bound], [position - 0.16, position + 0.16], color=colour, linewidth=1.6)
    if left <= mark.estimate <= right:
        axes.plot(mark.estimate, position, "o", color=colour, markersize=6.5, markeredgecolor=theme.surface)


def _draw_line(axes: "Axes", name: str, points: list[EffectPoint], colour: str) -> None:
    days = [float(point.day.toordinal()) for point in points]
    low, middle, high = zip(*(_three(point) for point in points), strict=True)
    axes.plot(days, middle, color=colour, linewidth=1.8, label=name)
    axes.fill_between(days, low, high, color=colour, alpha=0.16, linewidth=0)


def _three(point: EffectPoint) -> tuple[float, float, float]:
    low, high = point.lift_interval or (None, None)
    if low is None or point.lift is None or high is None:
        raise ValueError(f"The effect on {point.day} has no finite interval and cannot be drawn.")
    return low, point.lift, high


def _day_axis(axes: "Axes", days: list[date]) -> None:
    step = max(1, -(-len(days) // MOST_DAY_LABELS))
    shown = days[::-1][::step][::-1]
    axes.set_xticks([day.toordinal() for day in shown], [f"{day.day} {day:%b}" for day in shown])


def _limits(marks: list[Mark]) -> tuple[float, float]:
    reaches = sorted(max(abs(b) for b in (mark.low, mark.high, mark.estimate) if b is not None) for mark in marks)
    cap = WIDEST * max(reaches[len(reaches) // 2], 0.001)
    bounds = [b for mark in marks for b in (mark.low, mark.high, mark.estimate) if b is not None]
    low, high = max(min([*bounds, 0.0]), -cap), min(max([*bounds, 0.0]), cap)
    padding = (high - low or 0.01) * 0.06
    return low - padding, high + padding


def _percent_axis(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda fraction, _: _tick(fraction)))


def _tick(fraction: float) -> str:
    percent = f"{round(abs(fraction) * 100, 6):.3g}"
    if percent == "0":
        return "0"
    return f"{'−' if fraction < 0 else '+'}{percent}%"


def _short(label: str) -> str:
    lines = [
        line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1].rstrip() + "…" for line in label.split("\n")
    ]
    return "\n".join(lines)


def _png(figure: "Figure") -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
