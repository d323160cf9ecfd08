"""The raw sums behind a number of the metric table, in a box that opens beside it.

A table of 20 metrics and 4 variants has sixty such boxes with two faces each: a template would take longer over them
than over the rest of the page.
"""

from html import escape

from django import template
from django.template.defaultfilters import capfirst
from django.utils.safestring import SafeString, mark_safe

from analysis.pages.depth.ways import Raw
from analysis.pages.table import Row

register = template.Library()


@register.simple_tag
def raw_sums(row: Row, group: int, place: int) -> SafeString:
    """Write the row's value as a button that opens the sums of its two variants."""
    name = f"raw-{group}-{place}"
    faces = "".join(map(_face, row.raw))
    deeper = f'<p class="hint"><a href="{escape(row.href)}">{escape(row.metric.name)} in depth</a></p>'
    return mark_safe(  # noqa: S308  (every part is escaped right here)
        f'<button type="button" class="term num" popovertarget="{name}" popovertargetaction="show" data-peek>'
        f'<span class="sr">Raw sums behind </span>{escape(row.value)}</button>'
        f'<div class="tip peek" id="{name}" popover><div class="faces">{faces}</div>{deeper if row.href else ""}</div>'
    )


def _face(raw: Raw) -> str:
    facts = "".join(
        f'<dt>{escape(capfirst(what))}</dt><dd class="num">{escape(value)}</dd>' for what, value in raw.facts
    )
    return f'<div><b>{escape(raw.variant)}</b><dl class="defs sums">{facts}</dl></div>'
