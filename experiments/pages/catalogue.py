"""The metrics of a project."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.forms.catalogue import DIRECTIONS, KINDS, MetricForm
from experiments.forms.errors import summary
from experiments.metrics import add_metric


@login_required
@require_GET
def metric_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the metrics with their definitions and how many experiments use them."""
    project, role = get_project(request.user, project_slug)
    metrics = [
        {"metric": metric, "kind": KINDS[metric.kind], "direction": DIRECTIONS[metric.direction]}  # type: ignore[index]
        for metric in project.metrics.annotate(used=Count("uses"))
    ]
    context = {"project": project, "metrics": metrics, "may_edit": may(role, Role.EDITOR)}
    return render(request, "experiments/metric_list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def metric_new(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the form, or add the metric and go back to the list."""
    user = request.user
    project, _ = get_project(user, project_slug, Role.EDITOR)
    form = MetricForm(request.POST if request.method == "POST" else None, project=project)
    if form.is_bound and form.is_valid():
        metric = add_metric(project, user, form.save(commit=False))
        messages.success(request, f"{metric.name} is in the catalogue.")
        return redirect("metric_list", project.slug)
    context = {"project": project, "form": form, "errors": summary([form]) if form.is_bound else []}
    return render(request, "experiments/metric_new.html", context, status=400 if form.is_bound else 200)
