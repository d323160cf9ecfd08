"""One click each: who answers for an experiment, what its checklist offers to mend, a copy of it, a template."""

from dataclasses import replace

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from experiments import beginning, serving
from experiments.access import SignedInRequest, get_experiment, get_project, may
from experiments.domain.access import Role
from experiments.domain.lifecycle import Status
from experiments.domain.templates import BUILT_IN
from experiments.drafting import change_plan, set_owner
from experiments.forms.errors import summary
from experiments.models import AuditEntry, Experiment, User
from experiments.pages import once
from experiments.pages.kept import typed
from experiments.refusals import RefusedError
from experiments.setup import ExperimentPlan, PlanError

LONGEST_PLAN = 365


@login_required
@require_POST
def owner(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Say who answers for the experiment: the visitor, or another member."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    wanted = request.POST.get("owner", "")
    members = User.objects.filter(memberships__project=experiment.project, is_active=True)
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 19 else 0
    chosen = request.user if wanted == "me" else members.filter(pk=number).first()
    if chosen is None:
        messages.error(request, "Choose a member of the project. Nothing was changed.")
    elif set_owner(experiment, request.user, chosen):
        messages.success(request, f"{chosen} answers for {experiment.name}.")
    return redirect("experiment_detail", project_slug, key)


@login_required
@require_POST
def fix(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Change a draft as its checklist offers."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    if experiment.status != Status.DRAFT:
        messages.warning(request, "This experiment has started, so its plan is frozen.")
        return redirect("experiment_detail", project_slug, key)
    days = request.POST.get("planned_days", "")
    try:
        if days.isdecimal() and 1 <= int(days[:4]) <= LONGEST_PLAN:
            change_plan(experiment, request.user, lambda plan: replace(plan, planned_days=int(days[:4])))
            messages.success(request, f"{experiment.name} is planned for {int(days[:4])} days.")
        elif request.POST.get("guardrails") == "usual":
            change_plan(experiment, request.user, lambda plan: _with_usual(experiment, plan))
            messages.success(request, "The usual guardrails are named. Look at their margins before the start.")
        elif request.POST.get("guardrails") == "serving" and serving.hold(experiment, request.user):
            messages.success(request, "What serving must hold is named. Look at the margins before the start.")
    except PlanError as error:
        messages.error(request, str(error))
    return redirect("experiment_detail", project_slug, key)


def _with_usual(experiment: Experiment, plan: ExperimentPlan) -> ExperimentPlan:
    named = [use.metric.pk for use in plan.metrics]
    return replace(plan, metrics=(*plan.metrics, *beginning.usual_guardrails(experiment.project, named)))


@login_required
@require_POST
def duplicate(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Make a draft with the same set-up and go there; a second click leads to the same one."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    if once.was_sent(request):
        copies = AuditEntry.objects.filter(
            project=experiment.project, user=request.user, action="experiment.duplicate", after__from=key
        )
        newest = copies.order_by("-pk").values_list("subject", flat=True).first()
        return redirect("experiment_edit", project_slug, (newest or f"experiment:{key}").partition(":")[2])
    try:
        made = beginning.duplicate(experiment, request.user)
    except (RefusedError, PlanError) as error:
        messages.error(request, str(error))
        return redirect("experiment_detail", project_slug, key)
    messages.success(request, f"{made.name} is a draft of its own. Its salt is new, and it is in no layer yet.")
    return redirect("experiment_set_up", project_slug, made.key, "why")


class TemplateForm(forms.Form):
    """What a template is called."""

    name = forms.CharField(max_length=120)
    description = forms.CharField(max_length=300, required=False)


@login_required
@require_http_methods(["GET", "POST"])
def save_template(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Keep an experiment's set-up as a template of the project."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    form = TemplateForm(typed(request), initial={"name": experiment.name})
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        try:
            beginning.save_template(
                experiment, request.user, slugify(name)[:80] or "template", name, form.cleaned_data["description"]
            )
        except RefusedError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, f"“{name}” can be chosen for a new experiment.")
            return redirect("template_list", project_slug)
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
    }
    return render(request, "experiments/template_new.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_GET
def template_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List what experiments can begin from."""
    project, role = get_project(request.user, project_slug)
    context = {
        "project": project,
        "settings_page": "templates",
        "templates": project.templates.select_related("created_by"),
        "built_in": BUILT_IN,
        "may_edit": may(role, Role.EDITOR),
    }
    return render(request, "settings/template_list.html", context)


@login_required
@require_POST
def template_remove(request: SignedInRequest, project_slug: str, template_id: int) -> HttpResponse:
    """Remove a template of the project; one that is gone already is no error."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    found = project.templates.filter(pk=template_id).first()
    if found is not None and beginning.remove_template(found, request.user):
        messages.success(request, f"“{found.name}” is removed. What was begun from it stays.")
    return redirect("template_list", project_slug)
