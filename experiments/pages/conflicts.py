"""Which experiments may disturb each other: of a whole project, and of one experiment as a part of its page."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from experiments import conflicts
from experiments.access import SignedInRequest, get_experiment, get_project
from experiments.conflicts import Conflict, Severity
from experiments.models import Project
from experiments.pages.addresses import of_each

MOST_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two experiments that may disturb each other, as a row of the table."""

    found: Conflict
    one_href: str
    other_href: str
    tone: str
    sign: str
    what: str


def pairs(project: Project, found: Sequence[Conflict]) -> list[Pair]:
    """Return the rows of conflicts."""
    address = of_each("experiment_detail", project.slug)
    return [
        Pair(
            found=one,
            one_href=address(one.one.key),
            other_href=address(one.other.key),
            tone="warn" if one.severity is Severity.SAME_PART else "flat",
            sign="!" if one.severity is Severity.SAME_PART else "–",
            what=", ".join(one.what),
        )
        for one in found
    ]


@login_required
@require_GET
def of_all(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show every pair of running experiments that may disturb each other, and what to do about it."""
    project, _ = get_project(request.user, project_slug)
    found = conflicts.of_project(project, timezone.now())
    likely, possible = found.likely, found.possible
    context = {
        "project": project,
        "found": found,
        "likely": pairs(project, likely[:MOST_SHOWN]),
        "possible": pairs(project, possible[:MOST_SHOWN]),
        "likely_count": len(likely),
        "possible_count": len(possible),
        "apart": found.kept_apart[:MOST_SHOWN],
    }
    return render(request, "overview/conflicts.html", context)


@login_required
@require_GET
def of_one(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show what one experiment may disturb; by itself, or as a part of its page."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    found = conflicts.of_experiment(experiment, timezone.now())
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "found": found,
        "shown": found.conflicts[:20],
    }
    is_part = bool(request.headers.get("HX-Request"))
    return render(request, f"overview/{'_conflicts_of_one' if is_part else 'conflicts_of_one'}.html", context)
