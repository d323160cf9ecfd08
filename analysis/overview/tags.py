"""What the templates of lists need: addresses of the same list with something changed, and a word on each stage."""

from math import expm1
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template.defaultfilters import capfirst
from django.utils.html import format_html
from django.utils.safestring import SafeString

from analysis.overview.rows import Row
from analysis.overview.wanted import Sort, View, Wanted
from experiments.domain.stages import Stage
from experiments.pages.formats import glyph

register = template.Library()

HINTS = {
    Stage.DRAFT: "Not started: everything can still be changed",
    Stage.RUNNING: "Running or paused: wait for the planned end",
    Stage.READY: "The plan is fulfilled and the rule says something: decide",
    Stage.WRAP_UP: "Ended without a result that can be believed or read: find out why, and conclude",
    Stage.CONCLUDED: "Decided",
}


_CHANGE = '<span class="change {}"><b class="num">{}</b> <small>{}</small></span>'
_SAYS = '<span class="glyph" aria-hidden="true">{}</span> {}'
_TILE = '<li class="tile {}"><a href="{}"><b>{}</b></a>\n{}\n<small>{}</small>\n<small class="muted">{}</small></li>'


@register.simple_tag
def list_link(wanted: Wanted, **changes: Any) -> str:
    """Return the query of the same list with something changed; a stage stands for itself alone."""
    if "stages" in changes:
        stage = changes["stages"]
        changes["stages"] = (stage,) if stage else ()
    if "view" in changes:
        changes["view"] = View(changes["view"])
    return f"?{wanted.but(**changes).query or 'sort=' + Sort.STAGE}"


@register.simple_tag
def tile(row: Row) -> SafeString:
    """Write an experiment of the board; a board has a hundred, over which a template would take its time."""
    one, seen = row.experiment, row.glance
    change = ""
    if seen is not None and row.change and row.change != "withheld":
        change = format_html(_CHANGE, row.reading_tone, row.change, seen.metric_name)
    owner = str(one.owner or "")
    when = " · ".join(filter(None, [capfirst(row.when), owner]))
    says = format_html(_SAYS, glyph(row.tone), row.says) if row.standing else row.says
    return format_html(_TILE, row.tone, row.href, one.name, change, says, when)


@register.filter
def stage_hint(stage: Stage) -> str:
    """Say what a stage means."""
    return HINTS[stage]


@register.filter
def grown(log_lift: float) -> float:
    """Return a log lift as a relative change."""
    return expm1(log_lift)


@register.simple_tag
def page_link(asked: Any, step: int) -> str:
    """Return the query of the library's next page, or the one before."""
    kept = {name: value for name in ("q", "tag", "metric", "decision") if (value := getattr(asked, name))}
    return urlencode({**kept, "page": asked.page + step})
