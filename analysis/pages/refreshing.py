"""Refresh now: start a run, or join the one under way, and show how far it is."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from analysis.models import RefreshRun, ResultSnapshot
from analysis.refreshing import UNDER_WAY, request_refresh
from experiments.access import SignedInRequest, get_experiment
from experiments.domain.lifecycle import Status
from experiments.models import Experiment


@login_required
@require_POST
def refresh(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Start a refresh; htmx gets the progress bar, a browser without script the results page."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    if experiment.status == Status.DRAFT:
        messages.error(request, "A draft has no results yet: start it first.")
        return redirect("experiment_detail", project_slug, key)
    run = request_refresh(experiment, request.user)
    if request.headers.get("HX-Request"):
        return render(request, "results/progress.html", _context(experiment, run))
    messages.info(request, "A refresh is under way. Load this page again in a moment.")
    return redirect("experiment_results", project_slug, key)


@login_required
@never_cache
@require_GET
def progress(request: SignedInRequest, project_slug: str, key: str, run_id: int) -> HttpResponse:
    """Show how far a run is; when it is done, have htmx load the page again."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    run = RefreshRun.objects.filter(pk=run_id, experiment=experiment).first()
    if run is None:
        raise Http404(f"Experiment {key!r} has no refresh {run_id}.")
    response = render(request, "results/progress.html", _context(experiment, run))
    if run.state == RefreshRun.State.DONE:
        response["HX-Refresh"] = "true"
    return response


def run_to_show(experiment: Experiment, snapshot: ResultSnapshot | None) -> RefreshRun | None:
    """Return the refresh under way, or a failed one that no good result has followed."""
    run = RefreshRun.objects.filter(experiment=experiment).order_by("-pk").first()
    if run is None or run.state == RefreshRun.State.DONE:
        return None
    overtaken = snapshot is not None and run.finished_at is not None and snapshot.created_at > run.finished_at
    return None if overtaken else run


def _context(experiment: Experiment, run: RefreshRun) -> dict[str, object]:
    return {"project": experiment.project, "experiment": experiment, "run": run, "is_active": run.state in UNDER_WAY}
