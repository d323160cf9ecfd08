"""The model versions of a project: the list by model, and the form of one version."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.domain.offline import SUGGESTED, VersionStatus
from experiments.forms.model_versions import RegistrationForm
from experiments.model_versions import RegistrationError, register, revise
from experiments.models import ModelVersion, Project
from experiments.pages.history import history
from experiments.pages.kept import typed

NEWEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A model with its newest versions first; ``more`` versions are on its own page."""

    name: str
    versions: list[ModelVersion]
    count: int

    @property
    def more(self) -> int:
        """Return how many versions the list leaves out."""
        return self.count - len(self.versions)

    @property
    def serving(self) -> ModelVersion | None:
        """Return the newest version that answers users."""
        return next((one for one in self.versions if one.status == VersionStatus.SERVING), None)


@login_required
@require_GET
def model_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the models with their newest versions and offline results."""
    project, role = get_project(request.user, project_slug)
    context = {
        "project": project,
        "families": _families(project),
        "may_edit": may(role, Role.EDITOR),
        "base_url": settings.BASE_URL,
    }
    return render(request, "experiments/model_list.html", context)


def _families(project: Project) -> list[Family]:
    found = (
        project.model_versions.select_related("parent").prefetch_related("offline").annotate(used=Count("variant"))
    ).order_by("name", "-created_at", "-pk")
    by_name: dict[str, list[ModelVersion]] = {}
    for version in found:
        by_name.setdefault(version.name, []).append(version)
    return [Family(name=name, versions=rows[:NEWEST], count=len(rows)) for name, rows in by_name.items()]


@login_required
@require_http_methods(["GET", "POST"])
def model_new(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the form, or register the version and go to its model."""
    user = request.user
    project, _ = get_project(user, project_slug, Role.EDITOR)
    posted = typed(request)
    form = RegistrationForm(posted, name=request.GET.get("model", ""))
    if request.method == "POST" and form.is_valid():
        try:
            version = register(project, user, form.to_registration())
        except RegistrationError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{version} is registered.")
            return redirect("model_family", project.slug, version.name)
    return _form(request, project, form, None)


@login_required
@require_http_methods(["GET", "POST"])
def model_edit(request: SignedInRequest, project_slug: str, version_id: int) -> HttpResponse:
    """Show the form of a version, or change it and go to its model."""
    user = request.user
    project, _ = get_project(user, project_slug, Role.EDITOR)
    version = project.model_versions.select_related("project", "parent").filter(pk=version_id).first()
    if version is None:
        raise Http404(f"Project {project.slug} has no model version {version_id}.")
    posted = typed(request)
    form = RegistrationForm(posted, stored=version)
    if request.method == "POST" and form.is_valid():
        try:
            changed = revise(version, user, form.to_registration())
        except RegistrationError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{version} is saved." if changed else f"{version} is as it was.")
            return redirect("model_family", project.slug, version.name)
    return _form(request, project, form, version)


def _form(
    request: SignedInRequest, project: Project, form: RegistrationForm, version: ModelVersion | None
) -> HttpResponse:
    known = list(project.model_versions.values_list("name", "version"))
    context = {
        "project": project,
        "form": form,
        "version": version,
        "subject": f"model:{version}",
        "names": sorted({name for name, _ in known}),
        "versions": [one for name, one in known if version is None or name == version.name],
        "suggested": SUGGESTED,
        "history": history(project, f"model:{version}") if version else [],
    }
    return render(request, "experiments/model_form.html", context, status=400 if request.method == "POST" else 200)
