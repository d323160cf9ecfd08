"""Say what an experiment's metrics stand for and what a gain must earn; the result is then read anew."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from analysis.decisions.story import is_business, is_proxy
from analysis.metric_inputs import metric_plan
from analysis.refreshing import request_refresh
from experiments import business
from experiments.access import SignedInRequest, get_experiment
from experiments.domain.access import Role
from experiments.domain.lifecycle import Status
from experiments.forms.business import BusinessForm
from experiments.forms.errors import summary
from experiments.models import ExperimentMetric
from experiments.pages.kept import typed


@login_required
@require_http_methods(["GET", "POST"])
def business_terms(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show the form, or save it, ask for a fresh result and go back to it."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    plan = list(experiment.plan.select_related("metric", "experiment"))
    posted = typed(request)
    guesses = {use.metric.key: guess(use) for use in plan}
    form = BusinessForm(posted, experiment=experiment, plan=plan, guesses=guesses)
    started = experiment.status != Status.DRAFT
    if request.method == "POST" and form.is_valid():
        if business.state(experiment, request.user, form.stands_for(), form.terms()):
            messages.success(request, "Saved. The result is being read anew." if started else "Saved.")
            if started:
                request_refresh(experiment, request.user)
        return redirect("experiment_results" if started else "experiment_detail", project_slug, key)
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "form": form,
        "started": started,
        "errors": summary([form]) if form.is_bound else [],
    }
    return render(request, "results/business.html", context, status=400 if request.method == "POST" else 200)


def guess(use: ExperimentMetric) -> str:
    """Say in words what a metric's own words make of it."""
    plan = metric_plan(use, stands_for="")
    return "a proxy" if is_proxy(plan) else "the business" if is_business(plan) else "neither"
