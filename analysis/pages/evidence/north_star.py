"""What moved the north star? Launches by quarter, against what the holdout measured."""

import math
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.charts.waterfall import waterfall_figure
from analysis.pages.evidence.forms import NorthStarForm
from analysis.programme import readings, wording
from analysis.programme.north_star_words import as_lift, span
from analysis.programme.schema import LaunchFact, NorthStar
from experiments import north_star
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.pages.formats import UNKNOWN, change, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One launch of the table."""

    fact: LaunchFact
    raw: str
    believed: str
    span: str
    kept: str
    mark: Mark | None
    label: str
    felt: str
    contribution: str
    yearly: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that the template shows."""

    found: NorthStar
    quarter: str
    quarters: list[tuple[str, str]]
    rows: list[Row]
    scale: Scale | None
    ticks: list[tuple[float, str]]
    figure: dict[str, Any] | None
    bars: list[tuple[str, str, str]]
    together: str
    together_span: str
    yearly: str
    yearly_span: str
    lee_shen: str


@login_required
@require_GET
def north_star_page(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show what moved the north star in a quarter."""
    project, role = get_project(request.user, project_slug)
    kept = readings.north_star_of(project, request.GET.get("quarter", ""))
    base = reverse("experiment_results", args=[project.slug, "KEY"])
    context = {
        "project": project,
        "kept": kept,
        "page": _page(kept.reading, base),
        "form": NorthStarForm(
            metrics=list(project.metrics.order_by("name")), initial={"metric": kept.reading.metric or ""}
        ),
        "may_edit": may(role, Role.EDITOR),
        "evidence_tab": "north-star",
    }
    return render(request, "evidence/north_star.html", context)


@login_required
@require_POST
def choose(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Choose the metric that the business goes by."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    form = NorthStarForm(request.POST, metrics=list(project.metrics.all()))
    if not form.is_valid():
        messages.error(request, "Choose one of the project's metrics.")
    elif north_star.choose(project, form.chosen, request.user, form.cleaned_data["why"]):
        name = form.chosen.name if form.chosen else "no metric"
        messages.success(request, f"{project.name} goes by {name} now.")
    return redirect("evidence_north_star", project.slug)


def _page(found: NorthStar, base: str) -> Page:
    told = [one for one in found.launches if one.believed is not None]
    spans = [ends for one in told if (ends := wording.as_lifts(one.believed_interval)) is not None]
    scale = scale_for(spans, [point for ends in spans for point in ends if point is not None]) if spans else None
    return Page(
        found=found,
        quarter=_spaced(found.quarter),
        quarters=[(word, _spaced(word)) for word in found.quarters],
        rows=[_row(one, scale, found) for one in found.launches],
        scale=scale,
        ticks=[(one.x, percent(one.value, 1) if one.value else "0") for one in scale.ticks] if scale else [],
        figure=waterfall_figure(found.bars, base) if found.bars else None,
        bars=[(one.name, as_lift(one.value), span(one.interval)) for one in found.bars],
        together=as_lift(found.together),
        together_span=span(found.together_interval),
        yearly=_amount(found, found.yearly),
        yearly_span=_amounts(found, found.yearly_interval),
        lee_shen=_lee_shen(found),
    )


def _spaced(quarter: str) -> str:
    return quarter.replace("-", " ")


def _row(one: LaunchFact, scale: Scale | None, found: NorthStar) -> Row:
    ends = wording.as_lifts(one.believed_interval)
    point = wording.as_lifts((one.believed, one.believed)) if one.believed is not None else None
    clear = ends is not None and ends[0] is not None and ends[1] is not None and not ends[0] <= 0 <= ends[1]
    return Row(
        fact=one,
        raw=as_lift(one.raw),
        believed=as_lift(one.believed),
        span=span(one.believed_interval),
        kept=percent(one.kept, 0) if one.kept is not None else "",
        mark=mark(scale, ends, point[0] if point else None) if scale is not None and ends is not None else None,
        label=f"{one.name}: {as_lift(one.believed)}, 95% interval {span(one.believed_interval)}",
        felt=percent(one.felt, 0) if one.felt is not None else "",
        contribution=as_lift(one.contribution) if one.contribution is not None else "",
        yearly=_amount(found, one.yearly),
        tone="flat" if not clear else "good" if _is_gain(one, found) else "bad",
    )


def _is_gain(one: LaunchFact, found: NorthStar) -> bool:
    return ((one.believed or 0.0) > 0) != found.lower_is_better


def _amounts(found: NorthStar, ends: tuple[float | None, float | None] | None) -> str:
    if ends is None:
        return ""
    return " to ".join(_amount(found, end) or UNKNOWN for end in ends)


def _amount(found: NorthStar, value: float | None) -> str:
    """Write an amount a year with three digits: its interval says how little the others would mean."""
    if value is None:
        return ""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return change(round(value, digits), found.display_unit, found.currency).removesuffix(".00")


def _lee_shen(found: NorthStar) -> str:
    """Say what another way of taking luck out gives."""
    one = found.lee_shen
    if one is None:
        return ""
    return (
        f"Of {one.comparisons} comparisons that ended in the quarter, {one.chosen} had a clear gain (z above 1.96): "
        f"{as_lift(one.claimed)} by their plain sum, {as_lift(one.corrected)} after Lee and Shen's correction (which "
        f"takes too much where effects are noisy), {as_lift(one.shrunk)} after shrinkage."
    )
