"""The timeline: when each experiment ran, runs or would run, in lanes by layer, as coordinates for SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import groupby

from django.db.models import Count, F, Q
from django.db.models.functions import Coalesce
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from analysis.overview.finding import Found, planned_end
from analysis.overview.rows import Row, unmarked
from experiments.models import Project
from experiments.pages.formats import day, glyph

WIDTH = 1000
MOST_ROWS = 150
_READ = (
    "key", "name", "kind", "status", "planned_days", "phase_started_at", "started_at", "stopped_at", "layer__name",
    "standing__tone", "standing__headline",
)  # fmt: skip
"""What a bar says; numbers have no place beside it."""
_BAR = (
    '<svg class="bar-line {0}" viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-label="{1}">{2}'
    '<rect class="planned" x="{3}" y="6" width="{4}" height="12"/><rect class="done" x="{3}" y="6" width="{5}" '
    'height="12"/>{6}</svg>'
)
_SIGN = '<span class="glyph {0}" aria-hidden="true">{1}</span> '
_CELLS = '<th scope="row"><a href="{}">{}</a><small>{}{} · {}</small></th>\n<td class="span">{}</td>'
_TODAY = '<line class="today" x1="{0}" x2="{0}" y1="0" y2="24"/>'
_GRID_LINE = '<line class="grid" x1="{0}" x2="{0}" y1="0" y2="24"/>'
AHEAD = 0.3
"""The share of the window that lies in the future: what is planned matters, and most has happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time, drawn over ``WIDTH``."""

    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Return the place of a moment, held inside the drawing."""
        share = (at - self.start) / (self.end - self.start)
        return round(min(max(share, 0.0), 1.0) * WIDTH, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A grid line with its label."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One experiment as two ``cells``: what it is, and as SVG what has been and what is still planned."""

    row: Row
    cells: SafeString


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The experiments of one layer, which share no unit; the last lane holds those in none."""

    name: str
    bars: list[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The whole drawing. ``left_out`` of the window's experiments are too many to show; ``undated`` have no start."""

    window: Window
    months: list[Month]
    lanes: list[Lane]
    left_out: int
    undated: int

    @property
    def dates(self) -> str:
        """Say which time is shown."""
        return f"{day(self.window.start.date())} to {day(self.window.end.date())}"


def window(now: datetime, span: int, back: int) -> Window:
    """Return the time to show: ``span`` days around now, or so many windows ``back``."""
    midnight = datetime.combine(now.date(), time(), UTC)
    end = midnight + timedelta(days=round(span * AHEAD)) - timedelta(days=span * back)
    return Window(start=end - timedelta(days=span), end=end)


def timeline(project: Project, found: Found, shown: Window, now: datetime) -> Timeline:
    """Draw what was found within the window, in two queries whatever the number."""
    begins = Coalesce("phase_started_at", "started_at", "starts_at")
    dated = found.annotate(begins=begins, ends=planned_end())
    goes_on = Q(stopped_at__isnull=True, started_at__isnull=False)  # past its plan, too
    reaches = Q(ends__isnull=True) | Q(ends__gt=shown.start)
    within = Q(begins__lt=shown.end) & (reaches | goes_on if now > shown.start else reaches)
    counted = dated.order_by().aggregate(
        total=Count("pk", filter=within), undated=Count("pk", filter=Q(begins__isnull=True))
    )
    lanes = dated.filter(within).order_by(F("layer__name").asc(nulls_last=True), "begins", "pk")
    chosen = lanes.select_related("layer", "standing").only(*_READ)[:MOST_ROWS]
    months = list(_months(shown))
    grid = format_html_join("", _GRID_LINE, ((round(month.x, 1),) for month in months))
    today = format_html(_TODAY, shown.x(now)) if shown.start <= now <= shown.end else ""
    bars = [_bar(one, shown, now, (grid, today)) for one in unmarked(project, list(chosen), now, glances=False)]
    return Timeline(
        window=shown,
        months=months,
        lanes=list(_lanes(bars)),
        left_out=max(0, counted["total"] - MOST_ROWS),
        undated=counted["undated"],
    )


def _lanes(bars: Sequence[Bar]) -> Iterator[Lane]:
    for name, of_lane in groupby(bars, key=lambda bar: _lane(bar.row)):
        yield Lane(name=name, bars=list(of_lane))


def _lane(of: Row) -> str:
    layer = of.experiment.layer
    return layer.name if layer is not None else "In no layer"


def _bar(one: Row, shown: Window, now: datetime, around: tuple[str, str]) -> Bar:
    """Draw one experiment, between what stands behind every bar and what stands before it."""
    begins: datetime = one.experiment.begins  # type: ignore[attr-defined]  # annotated above
    ends: datetime = max(one.experiment.ends or now, begins)  # type: ignore[attr-defined]
    # What still runs past its plan has come as far as today.
    if one.experiment.stopped_at is None and one.experiment.started_at is not None:
        ends = max(ends, now)
    left, right = shown.x(begins), shown.x(ends)
    dates = f"{_short(begins, now)} to {_short(ends, now)}"
    verb = "ran" if one.experiment.stopped_at else "runs" if one.experiment.started_at else "is planned"
    done = max(0.0, min(right, shown.x(now)) - left) if one.experiment.started_at else 0.0
    sentence = f"{one.experiment.name} {verb} from {dates}"
    behind, before = around
    drawn = format_html(_BAR, one.tone, sentence, behind, left, max(3.0, right - left), done, before)
    sign = format_html(_SIGN, one.tone, glyph(one.tone)) if one.standing else ""
    stage = one.stage.value.capitalize()
    return Bar(row=one, cells=format_html(_CELLS, one.href, one.experiment.name, sign, stage, dates, drawn))


def _short(at: datetime, now: datetime) -> str:
    """Write a day, with its year only where it is not this one."""
    return f"{at.day} {at:%b}" if at.year == now.year else day(at.date())


def _months(shown: Window) -> Iterator[Month]:
    at = shown.start.replace(day=1)
    while at < shown.end:
        if at >= shown.start:
            yield Month(x=shown.x(at), label=f"{at:%b}" if at.month > 1 else f"{at:%b %Y}")
        at = (at + timedelta(days=32)).replace(day=1)
