"""The set-up page of a designed kind: the plan, how an app takes part, the steps of its life, its history."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from experiments.access import SignedInRequest, may
from experiments.domain.access import Role
from experiments.domain.kinds import WITHOUT_PAUSE, ExperimentKind
from experiments.domain.lifecycle import Status, day_of
from experiments.models import Experiment, ExperimentMetric, Variant
from experiments.pages.designs.facts import facts_of
from experiments.pages.designs.kinds import KINDS, Kind
from experiments.pages.designs.takingpart import Part, parts_of
from experiments.pages.history import Entry, history
from experiments.pages.steps import Step, possible_steps
from experiments.setup import missing_for_start, plan_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignPage:
    """Everything that the template shows. ``missing`` is what a draft lacks before it can start."""

    experiment: Experiment
    kind: Kind
    variants: list[Variant]
    plan: list[ExperimentMetric]
    facts: list[tuple[str, str]]
    parts: list[Part]
    missing: list[str]
    may_edit: bool
    day: int
    steps: dict[str, Step]
    history: list[Entry]


def page(request: SignedInRequest, experiment: Experiment, role: Role) -> HttpResponse:
    """Show the plan of one experiment of a designed kind."""
    may_edit = may(role, Role.EDITOR)
    plan = plan_of(experiment)
    shown = DesignPage(
        experiment=experiment,
        kind=KINDS[ExperimentKind(experiment.kind)],
        variants=list(experiment.variants.select_related("model_version")),
        plan=list(experiment.plan.select_related("metric")),
        facts=facts_of(plan),
        parts=parts_of(settings.BASE_URL, plan),
        missing=missing_for_start(experiment) if experiment.status == Status.DRAFT else [],
        may_edit=may_edit,
        day=day_of(experiment.counts_from, experiment.stopped_at, timezone.now()),
        steps=_steps(experiment) if may_edit else {},
        history=history(experiment.project, f"experiment:{experiment.key}"),
    )
    return render(request, "designs/detail.html", {"project": experiment.project, "page": shown})


def _steps(experiment: Experiment) -> dict[str, Step]:
    steps = possible_steps(experiment)
    if experiment.kind in WITHOUT_PAUSE:
        steps.pop("pause", None)
    return steps
