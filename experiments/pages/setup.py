"""An experiment's set-up page: the plan, how an app calls it, who takes part, and what can be done with it."""

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
from experiments.domain.kinds import DESIGNED
from experiments.domain.layers import read_ranges, size
from experiments.domain.lifecycle import Status, day_of
from experiments.domain.ramps import in_words as ramps_in_words
from experiments.domain.ramps import read
from experiments.domain.shares import WHOLE, percent
from experiments.forms.conditions import in_words
from experiments.models import Experiment, ExperimentMetric, Override, Prerequisite, Variant
from experiments.pages.calls import Calls, calls
from experiments.pages.designs import detail as designs_detail
from experiments.pages.formats import moment
from experiments.pages.history import Entry, history
from experiments.pages.overrides import OverrideForm
from experiments.pages.steps import Step, possible_steps
from experiments.setup import MetricPlan, missing_for_start, plan_of


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
    audience: str
    layer_share: str
    ramp: str
    needs: list[Prerequisite]
    overrides: list[Override]
    override_form: OverrideForm | None
    steps: dict[str, Step]
    history: list[Entry]

    @property
    def shipped(self) -> str:
        """Say what was shipped, to how many, and who is held back."""
        one = self.experiment
        name = next((variant.name for variant in self.variants if variant.pk == one.shipped_variant_id), "")
        to = "" if one.shipped_share == WHOLE else f" to {percent(one.shipped_share)}"
        kept = f", {percent(one.holdback_share)} held back" if one.holdback_share else ""
        return f"{name}{to}{kept}"

    @property
    def may_start(self) -> bool:
        """Say whether nothing that blocks the start is missing."""
        return all(line.ok for line in self.readiness if line.blocks)


@login_required
@require_GET
def detail(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show the plan of one experiment."""
    experiment, role = get_experiment(request.user, project_slug, key)
    if experiment.kind in DESIGNED:
        return designs_detail.page(request, experiment, role)
    variants = list(experiment.variants.select_related("model_version"))
    plan = list(experiment.plan.select_related("metric"))
    may_edit = may(role, Role.EDITOR)
    page = SetupPage(
        experiment=experiment,
        variants=variants,
        plan=plan,
        calls=calls(settings.BASE_URL, experiment, variants[0].key if variants else "control", plan),
        readiness=_readiness(experiment) if experiment.status == Status.DRAFT else [],
        may_edit=may_edit,
        day=day_of(experiment.counts_from, experiment.stopped_at, timezone.now()),
        audience=in_words(experiment.targeting, dict(experiment.project.segments.values_list("key", "name"))),
        layer_share=percent(size(read_ranges(experiment.layer_ranges))) if experiment.layer_id else "",
        ramp=_ramp_words(experiment),
        needs=list(experiment.prerequisites.all()),
        overrides=list(experiment.overrides.select_related("variant", "created_by")),
        override_form=OverrideForm(experiment=experiment) if may_edit else None,
        steps=possible_steps(experiment) if may_edit else {},
        history=history(experiment.project, f"experiment:{experiment.key}"),
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


def _ramp_words(experiment: Experiment) -> str:
    ramp = read(experiment.ramp)
    if ramp is None:
        return ""
    where = "" if ramp.stepped_at is None else f". Step {ramp.step + 1} of {len(ramp.steps)}"
    held = f", held: {ramp.held_because}" if ramp.held_because else ""
    following = "" if held or ramp.due_at is None else f", the next from {moment(ramp.due_at)}"
    return f"{ramps_in_words(ramp)}{where}{held}{following}"


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
