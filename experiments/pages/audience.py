"""For whom, where and when an experiment is: one page, changed in one transaction."""

import hashlib
from decimal import Decimal

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
from experiments.models import Experiment, Prerequisite, User
from experiments.pages.layer_bars import bars
from experiments.prerequisites import set_prerequisites
from experiments.refusals import RefusedError
from experiments.traffic import set_ramp


@login_required
@require_http_methods(["GET", "POST"])
def audience(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show who takes part, where and when, or change it. Once started, only what takes nobody out is possible."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    if experiment.status == Status.STOPPED:
        messages.warning(request, f"{experiment.name} has stopped: who took part is settled.")
        return redirect("experiment_detail", project_slug, key)
    project, posted = experiment.project, request.POST if request.method == "POST" else None
    needs, found = list(experiment.prerequisites.all()), bars(project)
    segments = list(project.segments.filter(archived_at__isnull=True))
    form = AudienceForm(
        posted, experiment=experiment, segments=segments, layers=[bar.layer for bar in found], needs=needs
    )
    seen = seen_audience(experiment, needs)
    if form.is_bound and form.is_valid():
        if form.rest.cleaned_data["seen"] not in ("", seen) and not _is_as_wanted(experiment, needs, form):
            form.refuse(f"{experiment.name} was changed meanwhile. Open this page again, then repeat your change.")
        elif _changed(experiment, request.user, form):
            messages.success(request, "Saved.")
            return redirect("experiment_detail", project_slug, key)
    context = {
        "project": project,
        "experiment": experiment,
        "form": form,
        "seen": seen,
        "bars": [bar for bar in found if bar.layer.unit_type == experiment.unit_type],
        "is_draft": experiment.status == Status.DRAFT,
    }
    return render(request, "experiments/audience.html", context, status=400 if form.is_bound else 200)


def seen_audience(experiment: Experiment, needs: list[Prerequisite]) -> str:
    """Return a mark of everything that the page shows, so that a tab older than a change is found out."""
    shown = (
        str(experiment.status), experiment.targeting, experiment.environments, experiment.fallback_unit_type,
        experiment.respects_holdout, experiment.layer_id, experiment.layer_ranges, experiment.starts_at,
        experiment.ends_at, experiment.ramp, [(need.parent_key, need.value) for need in needs],
    )  # fmt: skip
    return hashlib.blake2b(repr(shown).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _is_as_wanted(experiment: Experiment, needs: list[Prerequisite], form: AudienceForm) -> bool:
    """Say whether this very change was made already, as after a double click."""
    wanted = form.rest.cleaned_data
    return (
        experiment.targeting == form.targeting.condition
        and {need.parent_key: need.value for need in needs} == form.wanted_needs
        and list(experiment.environments) == [one.value for one in wanted["environments"]]
        and experiment.ends_at == wanted["ends_at"]
    )


def _changed(experiment: Experiment, user: User, form: AudienceForm) -> bool:
    try:
        with transaction.atomic():
            _apply(experiment, user, form)
    except RefusedError as error:
        form.refuse(str(error))
        return False
    return True


def _apply(experiment: Experiment, user: User, form: AudienceForm) -> None:
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
