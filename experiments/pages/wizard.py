"""Set an experiment up in four steps, each saved as one goes; the start has a page of its own."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from experiments import beginning
from experiments.access import SignedInRequest, get_experiment, get_project
from experiments.beginning import TemplateError, pictures_of
from experiments.domain.access import Role
from experiments.domain.kinds import DESIGNED
from experiments.domain.lifecycle import Status
from experiments.domain.templates import BUILT_IN, Content
from experiments.forms.set_up import WhatForm, WhyForm
from experiments.models import Experiment, Project
from experiments.pages import meanwhile
from experiments.pages.audience import own_bars
from experiments.pages.designs import edit as designs_edit
from experiments.pages.kept import typed
from experiments.pages.wizard_bar import StepName, bar, first_unfinished, following
from experiments.pages.wizard_steps import STEPS, AnyForm, audience_words, with_usual_guardrails
from experiments.refusals import RefusedError
from experiments.setup import PlanError, plan_of

USUAL = "usual-guardrails"
CLOSE = "close"


@login_required
@require_http_methods(["GET", "POST"])
def new(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the first step for an experiment that is not there yet, or create the draft and go on."""
    user = request.user
    project, _ = get_project(user, project_slug, Role.EDITOR)
    template = request.POST.get("template") or request.GET.get("template", "")
    form = WhyForm(typed(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = beginning.begin(project, user, template=template, **form.purpose.cleaned_data)
        except PlanError as error:
            form.refuse(error)
        except TemplateError as error:
            form.refuse_in_words(str(error))
        else:
            return redirect(_after(request, made, StepName.WHY))
    return _new_page(request, project, form, template)


def _new_page(request: SignedInRequest, project: Project, form: WhyForm, template: str) -> HttpResponse:
    chosen: Content | None = None
    if template and not form.is_bound:
        try:
            chosen = beginning.template_content(project, template)
        except TemplateError as error:
            messages.warning(request, str(error))
            template = ""
    if chosen is not None:
        form.purpose.initial = {"hypothesis": chosen.hypothesis}
    context = {
        "project": project,
        "form": form,
        "template": template,
        "built_in": BUILT_IN,
        "own_templates": project.templates.all(),
        "has_metrics": project.metrics.filter(archived_at=None).exists(),
        "step": STEPS[StepName.WHY],
        "name": StepName.WHY,
    }
    return render(request, "experiments/set_up/new.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_http_methods(["GET", "POST"])
def resume(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Go on where the draft lacks something; a designed kind has a form of its own. What has started is shown."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    if experiment.status != Status.DRAFT:
        return _frozen(request, experiment)
    if experiment.kind in DESIGNED:
        return designs_edit.change(request, experiment)
    metrics = list(experiment.project.metrics.filter(archived_at=None).values_list("name", flat=True))
    steps = bar(plan_of(experiment), metrics, audience_words(experiment))
    return redirect("experiment_set_up", project_slug, key, first_unfinished(steps).value)


@login_required
@require_http_methods(["GET", "POST"])
def set_up(request: SignedInRequest, project_slug: str, key: str, step: str) -> HttpResponse:
    """Show one step of a draft, or save it and go on, back or away as the pressed button says."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    if step not in list(StepName) or experiment.kind in DESIGNED:
        raise Http404(f"There is no step {step!r}; there are {', '.join(StepName)}.")
    if experiment.status != Status.DRAFT:
        return _frozen(request, experiment)
    name = StepName(step)
    if name is StepName.HOW and request.GET.get("with") == USUAL and request.method == "GET":
        return _page(request, experiment, name, with_usual_guardrails(experiment))
    form = STEPS[name].form(experiment, typed(request))
    changes = []
    if request.method == "POST" and form.is_valid():
        changes = meanwhile.since(
            experiment.project, f"experiment:{experiment.key}", request.POST.get("mark", ""), STEPS[name].fields
        )
        if changes and not STEPS[name].is_saved(experiment, form):
            form.refuse_in_words(meanwhile.WORDS)
        elif (saved := _saved(request, experiment, name, form)) is not None:
            return redirect(_after(request, saved, name))
    return _page(request, experiment, name, form, changes)


def _saved(request: SignedInRequest, experiment: Experiment, name: StepName, form: AnyForm) -> Experiment | None:
    try:
        return STEPS[name].save(experiment, request.user, form, request.FILES)
    except PlanError as error:
        form.refuse(error)
    except RefusedError as error:
        form.refuse_in_words(str(error))
    return None


def _after(request: SignedInRequest, experiment: Experiment, name: StepName) -> str:
    """Return where the pressed button leads: another step, away, or the next."""
    wanted = request.POST.get("go", "")
    to: StepName | None = StepName(wanted) if wanted in list(StepName) else following(name)
    slug = experiment.project.slug
    if wanted == CLOSE or to is None:
        return reverse("experiment_detail", args=[slug, experiment.key])
    return reverse("experiment_set_up", args=[slug, experiment.key, to.value])


def _frozen(request: SignedInRequest, experiment: Experiment) -> HttpResponse:
    messages.warning(request, "This experiment has started, so its plan is frozen.")
    return redirect("experiment_detail", experiment.project.slug, experiment.key)


def _page(
    request: SignedInRequest, experiment: Experiment, name: StepName, form: AnyForm, changes: Any = ()
) -> HttpResponse:
    project = experiment.project
    metrics = list(project.metrics.filter(archived_at=None).values_list("name", flat=True))
    context = {
        "project": project,
        "experiment": experiment,
        "form": form,
        "name": name,
        "step": STEPS[name],
        "bar": bar(plan_of(experiment), metrics, audience_words(experiment), name),
        "next": following(name),
        "changes": changes,
        "mark": meanwhile.mark(experiment.project, f"experiment:{experiment.key}"),
        "has_metrics": bool(metrics),
        **_extras(experiment, name, form),
    }
    status = 400 if request.method == "POST" else 200
    return render(request, f"experiments/set_up/{name}.html", context, status=status)


def _extras(experiment: Experiment, name: StepName, form: AnyForm) -> dict[str, object]:
    match name:
        case StepName.WHO:
            return {"bars": own_bars(experiment), "is_draft": True}
        case StepName.WHAT:
            _show_pictures(experiment, form)
        case StepName.HOW:
            besides = list(experiment.plan.values_list("metric_id", flat=True))
            return {"usual": beginning.usual_guardrails(experiment.project, besides)}
    return {}


def _show_pictures(experiment: Experiment, form: AnyForm) -> None:
    if isinstance(form, WhatForm):
        pictures = pictures_of(experiment)
        for row in form.variants.forms:
            row.pictures = pictures.get(str(row["was"].value() or ""), ())
