"""The model versions of a project."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.forms.catalogue import ModelVersionForm
from experiments.forms.errors import summary
from experiments.metrics import add_model_version


@login_required
@require_GET
def model_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the model versions with their offline results."""
    project, role = get_project(request.user, project_slug)
    versions = project.model_versions.annotate(used=Count("variant"))
    context = {"project": project, "versions": versions, "may_edit": may(role, Role.EDITOR)}
    return render(request, "experiments/model_list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def model_new(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the form, or register the version and go back to the list."""
    user = request.user
    project, _ = get_project(user, project_slug, Role.EDITOR)
    form = ModelVersionForm(request.POST if request.method == "POST" else None, project=project)
    if form.is_bound and form.is_valid():
        version = add_model_version(project, user, form.save(commit=False))
        messages.success(request, f"{version} is registered.")
        return redirect("model_list", project.slug)
    context = {"project": project, "form": form, "errors": summary([form]) if form.is_bound else []}
    return render(request, "experiments/model_new.html", context, status=400 if form.is_bound else 200)
