"""Which experiments may disturb each other: of a whole project, and of one experiment as a part of its page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from experiments import conflicts
from experiments.access import SignedInRequest, get_experiment, get_project

MOST_SHOWN = 100


@login_required
@require_GET
def of_all(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show every pair of running experiments that may disturb each other, and what to do about it."""
    project, _ = get_project(request.user, project_slug)
    found = conflicts.of_project(project, timezone.now())
    context = {
        "project": project,
        "found": found,
        "likely": found.likely[:MOST_SHOWN],
        "possible": found.possible[:MOST_SHOWN],
        "apart": found.kept_apart[:MOST_SHOWN],
    }
    return render(request, "overview/conflicts.html", context)


@login_required
@require_GET
def of_one(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show what one experiment may disturb; by itself, or as a part of its page."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    found = conflicts.of_experiment(experiment, timezone.now())
    context = {"project": experiment.project, "experiment": experiment, "found": found, "shown": found.conflicts[:20]}
    is_part = bool(request.headers.get("HX-Request"))
    return render(request, f"overview/{'_conflicts_of_one' if is_part else 'conflicts_of_one'}.html", context)
