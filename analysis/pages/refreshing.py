"""Refresh now: start a run, or join the one under way, and show how far it is."""

from celery import current_app
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from analysis.models import RefreshRun
from experiments.access import SignedInRequest, get_experiment
from experiments.domain.lifecycle import Status
from experiments.models import Experiment, User

ACTIVE = [RefreshRun.State.QUEUED, RefreshRun.State.RUNNING]


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


def request_refresh(experiment: Experiment, user: User) -> RefreshRun:
    """Queue a refresh, or return the one under way: the database allows one at a time."""
    try:
        with transaction.atomic():
            run = RefreshRun.objects.create(experiment=experiment, requested_by=user)
            transaction.on_commit(lambda: current_app.send_task("analysis.refresh", [experiment.pk, run.pk]))
    except IntegrityError:
        if run_under_way := active_run(experiment):
            return run_under_way
        return request_refresh(experiment, user)  # it finished in between
    return run


def active_run(experiment: Experiment) -> RefreshRun | None:
    """Return the refresh under way, if there is one."""
    return RefreshRun.objects.filter(experiment=experiment, state__in=ACTIVE).first()


def _context(experiment: Experiment, run: RefreshRun) -> dict[str, object]:
    return {"project": experiment.project, "experiment": experiment, "run": run, "is_active": run.state in ACTIVE}
