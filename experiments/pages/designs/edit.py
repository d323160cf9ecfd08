"""Set up an experiment of a designed kind, and change it while it is a draft."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from experiments.access import SignedInRequest, get_project
from experiments.domain.access import Role
from experiments.domain.kinds import ExperimentKind
from experiments.forms.designs.base import DesignForm
from experiments.models import Experiment, Project
from experiments.pages.designs.kinds import BY_SLUG, KINDS, Kind
from experiments.pages.kept import typed
from experiments.setup import PlanError, Problem, create_experiment, plan_of, revise_experiment

CHANGED_MEANWHILE = (
    "This draft was changed meanwhile, perhaps in another tab. Open it again to see how it is now; what you typed is "
    "still below."
)


@login_required
@require_http_methods(["GET", "POST"])
def new(request: SignedInRequest, project_slug: str, kind: str) -> HttpResponse:
    """Show the kind's empty form, or create the draft and show it."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    if kind not in BY_SLUG:
        raise Http404(f"There is no kind of experiment {kind!r}.")
    found = KINDS[BY_SLUG[kind]]
    form = found.form(project, typed(request))
    if request.method == "POST" and form.is_valid() and form.plan is not None:
        try:
            experiment = create_experiment(project, request.user, form.plan)
        except PlanError as error:
            form.refuse(error)
        else:
            return redirect("experiment_detail", project.slug, experiment.key)
    return _page(request, project, found, form)


def change(request: SignedInRequest, experiment: Experiment) -> HttpResponse:
    """Show a draft of a designed kind in its form, or replace it; the caller has checked role and status."""
    found = KINDS[ExperimentKind(experiment.kind)]
    posted = typed(request)
    form = found.form(experiment.project, posted, None if posted else plan_of(experiment))
    if request.method == "POST" and posted is not None and form.is_valid() and form.plan is not None:
        if posted.get("revision", "") not in ("", str(experiment.revision)) and plan_of(experiment) != form.plan:
            form.refuse(PlanError([Problem("main", CHANGED_MEANWHILE)]))
            return _page(request, experiment.project, found, form, experiment)
        try:
            revised = revise_experiment(experiment, request.user, form.plan)
        except PlanError as error:
            form.refuse(error)
        else:
            messages.success(request, "Saved.")
            return redirect("experiment_detail", experiment.project.slug, revised.key)
    return _page(request, experiment.project, found, form, experiment)


def _page(
    request: SignedInRequest, project: Project, kind: Kind, form: DesignForm, experiment: Experiment | None = None
) -> HttpResponse:
    context = {"project": project, "kind": kind, "form": form, "experiment": experiment}
    return render(request, "designs/edit.html", context, status=400 if request.method == "POST" else 200)
