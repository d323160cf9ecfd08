"""The holdout: what it means, which experiments respect it, and how it is started and ended."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from experiments import holdouts
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.shares import percent
from experiments.domain.units import UnitType
from experiments.forms.errors import summary
from experiments.forms.settings import HoldoutForm
from experiments.models import Experiment, Project
from experiments.pages.kept import typed
from experiments.refusals import RefusedError


@login_required
@require_http_methods(["GET", "POST"])
def holdout(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the running holdouts with what they cover, or start one."""
    posts = request.method == "POST"
    project, role = get_project(request.user, project_slug, Role.EDITOR if posts else Role.VIEWER)
    form = HoldoutForm(typed(request), metrics=list(project.metrics.filter(archived_at=None)))
    if posts and form.is_valid():
        unit_type = UnitType(form.cleaned_data["unit_type"])
        try:
            made = holdouts.start(project, request.user, form.share, form.metrics, unit_type=unit_type)
        except RefusedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{made.name} has begun.")
            return redirect("holdout", project.slug)
    context = {
        "project": project,
        "settings_page": "holdout",
        "rows": _rows(project),
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "may_edit": may(role, Role.EDITOR),
    }
    return render(request, "settings/holdout.html", context, status=400 if request.method == "POST" else 200)


def _rows(project: Project) -> list[dict[str, object]]:
    """Return each running holdout with the experiments that respect it and those that do not."""
    live = [status.value for status in LIVE]
    running = list(project.experiments.filter(kind=ExperimentKind.HOLDOUT.value, status__in=live))
    if not running:
        return []
    others = project.experiments.filter(kind=ExperimentKind.STANDARD.value).exclude(
        status=Status.STOPPED.value, shipped_variant__isnull=True
    )
    tested = list(others.order_by("name"))
    return [
        {
            "holdout": one,
            "size": percent(holdouts.size_of(one)),
            "inside": [e for e in tested if _is_inside(e, one)],
            "outside": [e for e in tested if e.unit_type == one.unit_type and not e.respects_holdout],
        }
        for one in running
    ]


def _is_inside(experiment: Experiment, holdout: Experiment) -> bool:
    return experiment.unit_type == holdout.unit_type and experiment.respects_holdout


@login_required
@require_POST
def holdout_stop(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """End a holdout; a second click finds it ended."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    one = project.experiments.filter(kind=ExperimentKind.HOLDOUT.value, key=key).first()
    if one is None:
        messages.warning(request, f"There is no holdout {key!r}.")
        return redirect("holdout", project.slug)
    one.project = project
    try:
        if holdouts.stop(one, request.user, request.POST.get("why", "").strip()[:500]):
            messages.success(request, f"{one.name} has ended. Held-out units take part in everything from now on.")
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("holdout", project.slug)
