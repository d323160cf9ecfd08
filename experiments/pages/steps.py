"""Pause, resume, stop, ship, take back, grow and begin a new phase: each is looked at before it is confirmed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from experiments import layers, lifecycle
from experiments.access import SignedInRequest, get_experiment
from experiments.domain.access import Role
from experiments.domain.kinds import ExperimentKind
from experiments.domain.layers import read_ranges, size
from experiments.domain.lifecycle import LIVE, Status
from experiments.domain.shares import percent
from experiments.forms.errors import FormError, summary
from experiments.forms.steps import GrowForm, PhaseForm, ShipForm, WhyForm
from experiments.models import AuditEntry, Experiment, User, Variant
from experiments.pages import consequences
from experiments.pages.consequences import Situation
from experiments.pages.history import history
from experiments.pages.kept import typed
from experiments.pages.situation import situation_of
from experiments.refusals import RefusedError

STANDS = {
    Status.DRAFT: "is a draft",
    Status.RUNNING: "is running",
    Status.PAUSED: "is paused",
    Status.STOPPED: "has stopped",
}
JUST_DONE = 3
"""Entries of the history that one step writes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: when it is possible, its words, its form, what it does and what the situation is afterwards."""

    title: str
    words: str
    button: str
    done: str
    is_possible: Callable[[Experiment], bool]
    form: Callable[[Experiment, Sequence[Variant], Any], WhyForm]
    act: Callable[[Experiment, User, WhyForm], bool]
    then: Callable[[Situation, WhyForm], Situation]
    is_done: Callable[[Experiment, WhyForm], bool]
    danger: bool = False


def _ship(experiment: Experiment, user: User, form: WhyForm) -> bool:
    form = cast("ShipForm", form)
    why = form.cleaned_data["why"]
    return lifecycle.ship(experiment, form.variant, form.holdback_share, user, why, form.steps)


def _after_ship(now: Situation, form: WhyForm) -> Situation:
    form = cast("ShipForm", form)
    chosen = form if form.is_bound and form.is_valid() else None
    name = chosen.variant.name if chosen else next(iter(form.by_key.values())).name
    holdback = chosen.holdback_share if chosen else 500
    return consequences.after_ship(now, name, share=chosen.first_share if chosen else 10_000, holdback=holdback)


def _grow(experiment: Experiment, user: User, form: WhyForm) -> bool:
    form = cast("GrowForm", form)
    why, part = form.cleaned_data["why"], form.part
    grown = part is not None and layers.grow(experiment, part, user, why)
    return lifecycle.grow_traffic(experiment, user, form.share, why) or grown


def _grow_is_done(experiment: Experiment, form: WhyForm) -> bool:
    form = cast("GrowForm", form)
    return (experiment.allocation, _layer_share(experiment)) == (form.share, form.part)


def _after_grow(now: Situation, form: WhyForm) -> Situation:
    form = cast("GrowForm", form)
    return replace(now, allocation=form.share) if form.is_bound and form.is_valid() else now


def _phase(experiment: Experiment, user: User, form: WhyForm) -> bool:
    form = cast("PhaseForm", form)
    why = form.cleaned_data["why"]
    return lifecycle.new_phase(
        experiment, user, why, weights=form.weights, allocation=form.share, targeting=form.condition
    )


def _phase_form(experiment: Experiment, variants: Sequence[Variant], posted: Any) -> WhyForm:
    segments = list(experiment.project.segments.filter(archived_at__isnull=True))
    return PhaseForm(posted, experiment=experiment, variants=variants, segments=segments)


def _after_phase(now: Situation, _form: WhyForm) -> Situation:
    return replace(now, is_new_phase=True)


def _phase_is_done(experiment: Experiment, form: WhyForm) -> bool:
    newest = AuditEntry.objects.filter(
        project=experiment.project, subject=f"experiment:{experiment.key}", action="experiment.new-phase"
    )
    recent = newest.filter(at__gte=timezone.now() - timedelta(minutes=1), why=form.cleaned_data["why"])
    return recent.exists()


def _why(_experiment: Experiment, _variants: Sequence[Variant], posted: Any) -> WhyForm:
    return WhyForm(posted)


def _layer_share(experiment: Experiment) -> int | None:
    return size(read_ranges(experiment.layer_ranges)) if experiment.layer_id else None


STEPS: dict[str, Step] = {
    "pause": Step(
        title="Pause",
        words="Everyone gets the control until it runs again; then each unit gets the variant that it had. "
        "A long pause blurs the difference, because whoever was exposed before stays counted.",
        button="Pause it",
        done="is paused. Everyone gets the control.",
        is_possible=lambda one: one.status == Status.RUNNING and one.kind != ExperimentKind.HOLDOUT,
        form=_why,
        act=lambda one, user, form: lifecycle.pause(one, user, form.cleaned_data["why"]),
        then=lambda now, _: consequences.after_pause(now),
        is_done=lambda one, _: one.status == Status.PAUSED,
    ),
    "resume": Step(
        title="Run it again",
        words="Each unit gets the variant that it had before the pause.",
        button="Run it again",
        done="runs again.",
        is_possible=lambda one: one.status == Status.PAUSED,
        form=lambda _one, _variants, posted: WhyForm(posted, needs_why=False),
        act=lambda one, user, form: lifecycle.resume(one, user, form.cleaned_data["why"]),
        then=lambda now, _: consequences.after_resume(now),
        is_done=lambda one, _: one.status == Status.RUNNING,
    ),
    "stop": Step(
        title="Stop",
        words="Assignment ends for good. The results stay.",
        button="Stop for good",
        done="is stopped.",
        is_possible=lambda one: one.status in LIVE,
        form=_why,
        act=lambda one, user, form: lifecycle.stop(one, user, form.cleaned_data["why"]),
        then=lambda now, _: consequences.after_stop(now),
        is_done=lambda one, _: one.status == Status.STOPPED,
        danger=True,
    ),
    "ship": Step(
        title="Ship a variant",
        words="Everyone whom the targeting reaches gets the variant. With a holdback, a few of the old control keep it "
        "as a follow-up experiment, so that you see whether the gain lasts.",
        button="Ship it",
        done="is shipped.",
        is_possible=lambda one: (
            one.status != Status.DRAFT and one.shipped_variant_id is None and one.kind == ExperimentKind.STANDARD
        ),
        form=lambda _one, variants, posted: ShipForm(posted, variants=variants),
        act=_ship,
        then=_after_ship,
        is_done=lambda one, _: one.shipped_variant_id is not None,
    ),
    "withdraw": Step(
        title="Take the shipped variant back",
        words="Everyone gets the control again, and the holdback's experiment stops. Its results stay.",
        button="Take it back",
        done="is taken back. Every unit gets the control.",
        is_possible=lambda one: one.shipped_variant_id is not None,
        form=_why,
        act=lambda one, user, form: lifecycle.withdraw(one, user, form.cleaned_data["why"]),
        then=lambda now, _: consequences.after_stop(now),
        is_done=lambda one, _: one.shipped_variant_id is None,
        danger=True,
    ),
    "grow": Step(
        title="More traffic",
        words="More units take part. Nobody who takes part changes their variant.",
        button="Let more take part",
        done="has more traffic.",
        is_possible=lambda one: one.status in LIVE and one.kind == ExperimentKind.STANDARD,
        form=lambda one, _variants, posted: GrowForm(posted, experiment=one, layer_share=_layer_share(one)),
        act=_grow,
        then=_after_grow,
        is_done=_grow_is_done,
    ),
    "phase": Step(
        title="Begin a new phase",
        words="Other weights, less traffic or a narrower targeting would move units between variants, and a result "
        "over both would compare nobody with anybody. So all units are dealt anew, and results count from now on; what "
        "came before is kept as the earlier phase.",
        button="Deal anew",
        done="is in a new phase.",
        is_possible=lambda one: one.status in LIVE and one.kind == ExperimentKind.STANDARD,
        form=_phase_form,
        act=_phase,
        then=_after_phase,
        is_done=_phase_is_done,
    ),
}


def possible_steps(experiment: Experiment) -> dict[str, Step]:
    """Return what can be done with an experiment as it stands."""
    return {name: step for name, step in STEPS.items() if step.is_possible(experiment)}


def seen_state(experiment: Experiment) -> str:
    """Return what a confirmation page shows, so that a tab older than a change is found out."""
    return f"{experiment.status}.{experiment.phase}.{experiment.allocation}.{experiment.shipped_variant_id or 0}"


@login_required
@require_http_methods(["GET", "POST"])
def take(request: SignedInRequest, project_slug: str, key: str, name: str) -> HttpResponse:
    """Show what a step changes for whom, or take it."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    step = STEPS.get(name)
    if step is None:
        raise Http404(f"There is no step {name!r}.")
    variants = list(experiment.variants.all())
    form = step.form(experiment, variants, typed(request))
    if request.method == "POST" and form.is_valid():
        if step.is_done(experiment, form):
            if form.cleaned_data["seen"] not in {"", seen_state(experiment)}:
                _say_who_did(request, experiment, form.cleaned_data["why"])
            return redirect("experiment_detail", project_slug, key)
        if (seen := form.cleaned_data["seen"]) and seen != seen_state(experiment):
            form.add_error(None, f"{experiment.name} was changed meanwhile. Look at the table again, then confirm.")
        elif _took(request, experiment, step, form):
            return redirect("experiment_detail", project_slug, key)
    if not step.is_possible(experiment) and not form.is_bound:
        messages.warning(
            request, f"{experiment.name} {STANDS[Status(experiment.status)]}: this cannot be done with it now."
        )
        return redirect("experiment_detail", project_slug, key)
    return _page(request, experiment, variants, name, form)


def _took(request: SignedInRequest, experiment: Experiment, step: Step, form: WhyForm) -> bool:
    """Take the step and say so; what refuses it is kept beside the form."""
    try:
        if step.act(experiment, request.user, form):
            messages.success(request, f"{experiment.name} {step.done}")
        elif not step.is_done(experiment, form):
            messages.warning(request, f"{experiment.name} is {experiment.status}: nothing was changed.")
    except RefusedError as error:
        form.add_error(None, str(error))
        return False
    return True


def _say_who_did(request: SignedInRequest, experiment: Experiment, why: str) -> None:
    """Say who took the step before, for another reason; a second click has the same one, and nothing to be told."""
    newest = history(experiment.project, f"experiment:{experiment.key}", most=JUST_DONE)
    if not newest or any(one.why == why for one in newest):
        return
    before = newest[0]
    said = f" (“{before.why}”)" if before.why else ""
    yours = f" Your words were not saved: “{why}”" if why else ""
    messages.warning(request, f"It was done before: {before.who} {before.did}{said}.{yours}")


def _errors(form: WhyForm) -> list[FormError]:
    if not form.is_bound:
        return []
    targeting = form.targeting if isinstance(form, PhaseForm) else None
    return [*summary([form]), *(targeting.errors if targeting else [])]


def _page(
    request: SignedInRequest, experiment: Experiment, variants: Sequence[Variant], name: str, form: WhyForm
) -> HttpResponse:
    step = STEPS[name]
    preview = form
    if request.GET and not form.is_bound:
        # While somebody chooses, the table follows; nothing that the address says is taken as an order.
        preview = step.form(experiment, variants, request.GET)
        preview.fields["why"].required = False
    now = situation_of(experiment, variants)
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "step": step,
        "form": form,
        "fields": [bound for bound in form if not bound.is_hidden],
        "seen": seen_state(experiment),
        "errors": _errors(form),
        "targeting": getattr(form, "targeting", None),
        "lines": consequences.lines(now, step.then(now, preview)),
        "is_ship": name == "ship",
        "share": percent(experiment.allocation),
    }
    return render(request, "experiments/step.html", context, status=400 if request.method == "POST" else 200)
