"""An experiment's set-up page: the plan, how an app calls it, who takes part, and what can be done with it."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from experiments import lifecycle
from experiments.access import SignedInRequest, get_experiment, may
from experiments.beginning import pictures_of
from experiments.concluding import decision_log
from experiments.domain.access import Role
from experiments.domain.conclusions import ConclusionState
from experiments.domain.kinds import DESIGNED, ExperimentKind
from experiments.domain.layers import read_ranges, size
from experiments.domain.lifecycle import Status, day_of
from experiments.domain.qa import variant_link
from experiments.domain.ramps import in_words as ramps_in_words
from experiments.domain.ramps import read
from experiments.domain.shares import WHOLE, percent
from experiments.domain.stages import Place
from experiments.forms.conditions import in_words
from experiments.models import (
    Conclusion,
    Experiment,
    ExperimentMetric,
    Override,
    Prerequisite,
    Screenshot,
    User,
    Variant,
)
from experiments.pages import once
from experiments.pages.calls import Calls, calls
from experiments.pages.designs import detail as designs_detail
from experiments.pages.formats import moment
from experiments.pages.history import Entry, history
from experiments.pages.kept import typed
from experiments.pages.launch import Check, launch_checks
from experiments.pages.overrides import OverrideForm
from experiments.pages.steps import Step, possible_steps
from experiments.staging import place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One variant as its card shows it: pictures, and a link that opens the page with it."""

    variant: Variant
    pictures: list[Screenshot]
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPage:
    """Everything that the template shows."""

    experiment: Experiment
    variants: list[Variant]
    plan: list[ExperimentMetric]
    calls: Calls
    place: Place
    checks: list[Check]
    looks: list[Look]
    members: list[User]
    decisions: list[Conclusion]
    once: str
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
    def awaited(self) -> Conclusion | None:
        """Return the decision that waits for a second person."""
        return next((one for one in self.decisions if one.state == ConclusionState.REQUESTED), None)

    @property
    def may_conclude(self) -> bool:
        """Say whether there is something to decide now."""
        decided = any(one.state == ConclusionState.MADE for one in self.decisions)
        started = self.experiment.status != Status.DRAFT and self.experiment.kind == ExperimentKind.STANDARD
        return self.may_edit and started and not decided and self.awaited is None

    @property
    def may_start(self) -> bool:
        """Say whether nothing that blocks the start is missing."""
        return all(line.ok for line in self.checks if line.blocks)


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
        place=place_of(experiment, timezone.now()),
        checks=launch_checks(experiment) if experiment.status == Status.DRAFT else [],
        looks=_looks(experiment, variants),
        members=_members(experiment) if may_edit else [],
        decisions=decision_log(experiment),
        once=once.new_token(),
        may_edit=may_edit,
        day=day_of(experiment.counts_from, experiment.stopped_at, timezone.now()),
        audience=in_words(experiment.targeting, dict(experiment.project.segments.values_list("key", "name"))),
        layer_share=percent(size(read_ranges(experiment.layer_ranges))) if experiment.layer_id else "",
        ramp=_ramp_words(experiment),
        needs=list(experiment.prerequisites.all()),
        overrides=list(experiment.overrides.select_related("variant", "created_by")),
        override_form=_override_form(request, experiment) if may_edit else None,
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


def _looks(experiment: Experiment, variants: list[Variant]) -> list[Look]:
    pictures = pictures_of(experiment)
    address = experiment.page_address
    return [
        Look(
            variant=one,
            pictures=pictures.get(one.key, []),
            link=variant_link(address, experiment.key, one.position) if address else "",
        )
        for one in variants
    ]


def _members(experiment: Experiment) -> list[User]:
    members = User.objects.filter(memberships__project=experiment.project, is_active=True)
    return list(members.order_by("name", "email").only("name", "email"))


def _override_form(request: SignedInRequest, experiment: Experiment) -> OverrideForm:
    action = reverse("override_add", args=[experiment.project.slug, experiment.key])
    return OverrideForm(typed(request, action), experiment=experiment)
