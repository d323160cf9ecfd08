"""For whom, where and when an experiment is: one page, changed in one transaction."""

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from experiments import layers
from experiments.access import SignedInRequest, get_experiment
from experiments.audience import Audience, set_audience, set_times
from experiments.domain.access import Role
from experiments.domain.lifecycle import Status
from experiments.domain.units import UnitType
from experiments.forms.audience import AudienceForm
from experiments.forms.plan import ten_thousandths
from experiments.models import Experiment, User
from experiments.pages import meanwhile
from experiments.pages.history import Entry
from experiments.pages.kept import typed
from experiments.pages.layer_bars import Bar, bars
from experiments.prerequisites import set_prerequisites
from experiments.refusals import RefusedError
from experiments.traffic import set_ramp

AUDIENCE_FIELDS = (
    "targeting", "environments", "fallback_unit_type", "respects_holdout", "layer", "share", "ranges", "starts_at",
    "ends_at", "ramp", "prerequisites",
)  # fmt: skip
"""What the form edits, by the names that the audit gives it."""


@login_required
@require_http_methods(["GET", "POST"])
def audience(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show who takes part, where and when, or change it. Once started, only what takes nobody out is possible."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    if experiment.status == Status.STOPPED:
        messages.warning(request, f"{experiment.name} has stopped: who took part is settled.")
        return redirect("experiment_detail", project_slug, key)
    project, posted = experiment.project, typed(request)
    form = audience_form(experiment, posted)
    changes: list[Entry] = []
    if request.method == "POST" and form.is_valid():
        changes = meanwhile.since(
            experiment.project, f"experiment:{experiment.key}", form.rest.cleaned_data["seen"], AUDIENCE_FIELDS
        )
        if changes and not is_as_wanted(experiment, form):
            form.refuse(meanwhile.WORDS)
        elif _changed(experiment, request.user, form):
            messages.success(request, "Saved.")
            return redirect("experiment_detail", project_slug, key)
    context = {
        "project": project,
        "experiment": experiment,
        "form": form,
        "seen": meanwhile.mark(experiment.project, f"experiment:{experiment.key}"),
        "changes": changes,
        "bars": own_bars(experiment),
        "is_draft": experiment.status == Status.DRAFT,
    }
    return render(request, "experiments/audience.html", context, status=400 if request.method == "POST" else 200)


def audience_form(experiment: Experiment, posted: Any) -> AudienceForm:
    """Return the form of an experiment's audience."""
    segments = list(experiment.project.segments.filter(archived_at__isnull=True))
    return AudienceForm(
        posted,
        experiment=experiment,
        segments=segments,
        layers=list(experiment.project.layers.all()),
        needs=list(experiment.prerequisites.all()),
    )


def own_bars(experiment: Experiment) -> list[Bar]:
    """Return the layers that the experiment could be in."""
    return [bar for bar in bars(experiment.project) if bar.layer.unit_type == experiment.unit_type]


def is_as_wanted(experiment: Experiment, form: AudienceForm) -> bool:
    """Say whether this very change was made already, as after a double click."""
    wanted = form.rest.cleaned_data
    return (
        experiment.targeting == form.targeting.condition
        and {need.parent_key: need.value for need in experiment.prerequisites.all()} == form.wanted_needs
        and list(experiment.environments) == [one.value for one in wanted["environments"]]
        and experiment.ends_at == wanted["ends_at"]
    )


def _changed(experiment: Experiment, user: User, form: AudienceForm) -> bool:
    try:
        with transaction.atomic():
            apply_audience(experiment, user, form)
    except RefusedError as error:
        form.refuse(str(error))
        return False
    return True


def apply_audience(experiment: Experiment, user: User, form: AudienceForm) -> None:
    """Make everything so that the form says. Call it in a transaction: what one part refuses, none may keep."""
    wanted = form.rest.cleaned_data
    fallback = wanted["fallback_unit_type"]
    set_audience(
        experiment,
        user,
        Audience(
            targeting=form.targeting.condition,
            environments=wanted["environments"],
            fallback_unit_type=UnitType(fallback) if fallback else None,
            respects_holdout=wanted["respects_holdout"],
        ),
    )
    if "layer" in wanted:
        _place(experiment, user, form, wanted["layer"], wanted["layer_share"])
    set_prerequisites(experiment, user, form.wanted_needs)
    set_times(experiment, user, wanted.get("starts_at", experiment.starts_at), wanted["ends_at"])
    set_ramp(experiment, user, wanted["ramp"])


def _place(experiment: Experiment, user: User, form: AudienceForm, key: str, share: Decimal | None) -> None:
    """Put a draft into its layer, or take it out."""
    if not key or share is None:
        layers.leave(experiment, user)
        return
    layer = form.rest.by_key[key]
    if experiment.layer_id is not None and experiment.layer_id != layer.pk:
        layers.leave(experiment, user)
    layers.join(experiment, layer, ten_thousandths(share), user)
