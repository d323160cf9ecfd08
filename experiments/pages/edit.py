"""Create an experiment, and change it while it is a draft: one form page."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from experiments.access import SignedInRequest, get_experiment, get_project
from experiments.domain.access import Role
from experiments.domain.kinds import DESIGNED
from experiments.domain.lifecycle import Status
from experiments.forms.plan import PlanForm
from experiments.models import Experiment, Project
from experiments.pages.designs import edit as designs_edit
from experiments.setup import PlanError, Problem, create_experiment, plan_of, revise_experiment

CHANGED_MEANWHILE = (
    "This draft was changed meanwhile, perhaps in another tab. Open it again to see how it is now; what you typed is "
    "still below."
)


@login_required
@require_http_methods(["GET", "POST"])
def new(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the empty form, or create the experiment and show it."""
    user = request.user
    project, _ = get_project(user, project_slug, Role.EDITOR)
    form = PlanForm(project, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and form.plan is not None:
        try:
            experiment = create_experiment(project, user, form.plan)
        except PlanError as error:
            form.refuse(error)
        else:
            return redirect("experiment_detail", project.slug, experiment.key)
    return _page(request, project, form)


@login_required
@require_http_methods(["GET", "POST"])
def change(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show a draft's plan in the form, or replace it. A started experiment is shown instead."""
    user = request.user
    experiment, _ = get_experiment(user, project_slug, key, Role.EDITOR)
    if experiment.status != Status.DRAFT:
        messages.warning(request, "This experiment has started, so its plan is frozen.")
        return redirect("experiment_detail", project_slug, key)
    if experiment.kind in DESIGNED:
        return designs_edit.change(request, experiment)
    posted = request.POST if request.method == "POST" else None
    form = PlanForm(experiment.project, posted, None if posted else plan_of(experiment))
    if posted is not None and form.is_valid() and form.plan is not None:
        if _is_stale(experiment, posted.get("revision", "")):
            if plan_of(experiment) == form.plan:  # a double click: this very change was made
                return redirect("experiment_detail", project_slug, experiment.key)
            form.refuse(PlanError([Problem("main", CHANGED_MEANWHILE)]))
            return _page(request, experiment.project, form, experiment)
        try:
            revised = revise_experiment(experiment, user, form.plan)
        except PlanError as error:
            form.refuse(error)
        else:
            messages.success(request, "Saved.")
            return redirect("experiment_detail", project_slug, revised.key)
    return _page(request, experiment.project, form, experiment)


def _is_stale(experiment: Experiment, revision: str) -> bool:
    """Say whether the form was opened before somebody else's change; a client may leave the revision out."""
    return revision not in ("", str(experiment.revision))


def _page(
    request: SignedInRequest, project: Project, form: PlanForm, experiment: Experiment | None = None
) -> HttpResponse:
    context = {
        "project": project,
        "experiment": experiment,
        "form": form,
        "has_metrics": bool(len(form.metrics.fields["primary"].choices) > 1),  # type: ignore[attr-defined]
    }
    return render(request, "experiments/edit.html", context, status=400 if request.method == "POST" else 200)
