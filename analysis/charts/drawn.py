"""An interval as the SVG of a table's row. Lists have fifty of them: a template would take its time for each line."""

from functools import lru_cache
from html import escape

from django import template
from django.utils.safestring import SafeString, mark_safe

from analysis.charts.interval import Mark, Scale

register = template.Library()

_MORE_LEFT = '<path class="more" d="M-6 16 l7 -6 v12 z"/>'
_MORE_RIGHT = '<path class="more" d="M358 16 l-7 -6 v12 z"/>'


@register.simple_tag
def interval_mark(mark: Mark, scale: Scale, label: str) -> SafeString:
    """Draw an interval on the scale that all rows share; the label says the same in words."""
    limit = "" if mark.limit is None else _line("limit", mark.limit, 2, 30)
    span = f'<line class="span" x1="{mark.left}" x2="{mark.right}" y1="16" y2="16"/>'
    left = _MORE_LEFT if mark.cut_left else _line("cap", mark.left, 11, 21)
    right = _MORE_RIGHT if mark.cut_right else _line("cap", mark.right, 11, 21)
    dot = "" if mark.dot is None else f'<circle class="dot" cx="{mark.dot}" cy="16" r="5"/>'
    return mark_safe(  # noqa: S308  (numbers, and a label that is escaped right here)
        f'<svg viewBox="0 0 352 32" role="img" aria-label="{escape(label)}">'
        f"{_ground(scale)}{limit}{span}{left}{right}{dot}</svg>"
    )


@lru_cache(maxsize=64)  # the same behind every row of a table
def _ground(scale: Scale) -> str:
    grid = (_line("grid", tick.x, 0, 32) for tick in scale.ticks if tick.value)
    return "".join((*grid, _line("zero", scale.zero, 0, 32)))


def _line(name: str, x: float, top: int, bottom: int) -> str:
    return f'<line class="{name}" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>'
