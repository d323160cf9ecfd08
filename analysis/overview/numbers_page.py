"""The page of programme numbers, and the two of them that the first page shows."""

from datetime import date
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from analysis.charts.programme import impact_figure, velocity_figure
from analysis.overview.numbers import PERIODS, USUAL, Numbers, numbers
from analysis.stats.track_record import Impact, Share
from experiments.access import SignedInRequest, get_project

LEAST_STEPS = 2


@login_required
@require_GET
def programme_numbers(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show win rate, velocity, quality and impact of a period."""
    project, _ = get_project(request.user, project_slug)
    asked = request.GET.get("days", "")
    days = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 5 and int(asked) in PERIODS else USUAL
    found = numbers(project, timezone.now(), days)
    context = {"project": project, "n": found, "periods": PERIODS, **shown(found)}
    context["velocity"] = velocity_figure(found.weeks) if any(w.started or w.ended for w in found.weeks) else None
    context["growth"] = _growth(found, timezone.now().date())
    return render(request, "overview/numbers.html", context)


@login_required
@require_GET
def programme_glance(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Return the year's win rate and impact as a part of the first page."""
    project, _ = get_project(request.user, project_slug)
    found = numbers(project, timezone.now())
    return render(request, "overview/_glance.html", {"project": project, "n": found, **shown(found)})


def shown(found: Numbers) -> dict[str, Any]:
    """Return shares and impact where they can be computed, and the reasons where not, by names for templates."""
    wins, brought = found.wins, found.impact
    return {
        "wins": wins if isinstance(wins, Share) else None,
        "no_wins": "" if isinstance(wins, Share) else wins.reason,
        "impact": brought if isinstance(brought, Impact) else None,
        "no_impact": "" if isinstance(brought, Impact) else brought.reason,
        "quality": [
            (one, one.share if isinstance(one.share, Share) else None, _tone(one.share, better=one.more_is_better))
            for one in found.quality
        ],
    }


def _tone(found: object, *, better: bool) -> str:
    """Colour a share only where its whole interval lies on the wrong side of what is usual."""
    if not isinstance(found, Share):
        return "flat"
    if better:
        return "warn" if found.interval[1] < 0.5 else "flat"
    return "warn" if found.interval[0] > 0.1 else "flat"


def _growth(found: Numbers, today: date) -> dict[str, Any] | None:
    if not isinstance(found.impact, Impact) or len(found.impact.steps) < LEAST_STEPS:
        return None
    return impact_figure(found.impact.steps, today)
