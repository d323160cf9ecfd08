"""An experiment's set-up page: the plan, how an app calls it, and the buttons that start and stop it."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from experiments import lifecycle
from experiments.access import SignedInRequest, get_experiment, may
from experiments.domain.access import Role, Scope
from experiments.domain.lifecycle import Status, day_of
from experiments.models import Experiment, ExperimentMetric, Variant
from experiments.pages.calls import Calls, calls
from experiments.setup import MetricPlan, missing_for_start, plan_of

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """One line of the list that is checked before the start. ``blocks`` says whether the start waits for it."""

    text: str
    ok: bool
    blocks: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPage:
    """Everything that the template shows."""

    experiment: Experiment
    variants: list[Variant]
    plan: list[ExperimentMetric]
    calls: Calls
    readiness: list[Readiness]
    may_edit: bool
    day: int

    @property
    def may_start(self) -> bool:
        """Say whether nothing that blocks the start is missing."""
        return all(line.ok for line in self.readiness if line.blocks)


@login_required
@require_GET
def detail(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show the plan of one experiment."""
    experiment, role = get_experiment(request.user, project_slug, key)
    variants = list(experiment.variants.select_related("model_version"))
    plan = list(experiment.plan.select_related("metric"))
    page = SetupPage(
        experiment=experiment,
        variants=variants,
        plan=plan,
        calls=calls(settings.BASE_URL, experiment, variants[0].key if variants else "control", plan),
        readiness=_readiness(experiment) if experiment.status == Status.DRAFT else [],
        may_edit=may(role, Role.EDITOR),
        day=day_of(experiment.started_at, experiment.stopped_at, timezone.now()),
    )
    return render(request, "experiments/detail.html", {"project": experiment.project, "page": page})


@login_required
@require_POST
def start(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Start a draft; a second click finds it started and changes nothing."""
    user = request.user
    experiment, _ = get_experiment(user, project_slug, key, Role.EDITOR)
    try:
        if lifecycle.start(experiment, user):
            messages.success(request, f"{experiment.name} is running. Its plan is frozen now.")
    except lifecycle.NotReadyError as error:
        messages.error(request, str(error))
    return redirect("experiment_detail", project_slug, key)


@login_required
@require_POST
def stop(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Stop a running experiment, with the reason for the record."""
    user = request.user
    experiment, _ = get_experiment(user, project_slug, key, Role.EDITOR)
    why = request.POST.get("why", "").strip()
    if not why or len(why) > LONGEST_REASON:
        messages.error(request, f"Say why you stop it, in 1 to {LONGEST_REASON} characters. Nothing was changed.")
    elif lifecycle.stop(experiment, user, why):
        messages.success(request, f"{experiment.name} is stopped. Every unit gets the control from now on.")
    return redirect("experiment_detail", project_slug, key)


def _readiness(experiment: Experiment) -> list[Readiness]:
    missing = missing_for_start(experiment)
    plan: list[MetricPlan] = list(plan_of(experiment).metrics)
    keys = experiment.project.api_keys.filter(revoked_at__isnull=True)
    usable = keys.filter(scopes__contains=[Scope.EVALUATE.value, Scope.INGEST.value]).exists()
    lines = [Readiness(text=text, ok=False) for text in missing]
    if not missing:
        lines = [
            Readiness(text="The variants' weights add up to 100 %.", ok=True),
            Readiness(text=f"{plan[0].metric.name} decides.", ok=True),
        ]
    key_text = "An API key that may evaluate and ingest exists." if usable else "Your app has no API key yet."
    return [*lines, Readiness(text=key_text, ok=usable, blocks=False)]
