"""Conclude an experiment on one page: what the rule says, what is decided, why, and what was learned."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from experiments import concluding
from experiments.access import SignedInRequest, get_experiment
from experiments.concluding import Decision
from experiments.domain.access import Role
from experiments.domain.conclusions import Choice, ConclusionState, clean_tags, is_against, tags_problem
from experiments.domain.lifecycle import LIVE, Status
from experiments.forms.errors import summary
from experiments.models import Conclusion, Experiment, Standing, User
from experiments.pages import consequences
from experiments.pages.kept import typed
from experiments.pages.situation import situation_of
from experiments.refusals import RefusedError
from experiments.staging import place_of

CHOICES = [
    (Choice.SHIP.value, "Ship: everyone shall get it"),
    (Choice.ROLL_BACK.value, "Roll back: everyone keeps the control"),
    (Choice.ITERATE.value, "Iterate: everyone keeps the control, and a better version is tried"),
]


class ConclusionForm(forms.Form):
    """A decision with its reason and what was learned."""

    decision = forms.ChoiceField(choices=CHOICES, widget=forms.RadioSelect)
    reason = forms.CharField(
        label="Why?",
        max_length=concluding.LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="The result, and what else counted: cost, other teams, what users said.",
    )
    learned = forms.CharField(
        label="What was learned?",
        max_length=concluding.LONGEST_LEARNED,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="For somebody who has never heard of it. It is found in the library of what was learned.",
    )
    tags = forms.CharField(required=False, max_length=500, help_text="Separated by commas, for example search, mobile.")
    seen = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput)

    def clean_tags(self) -> tuple[str, ...]:
        """Return the tags, small and each once."""
        tags = clean_tags(str(self.cleaned_data["tags"]))
        if problem := tags_problem(tags):
            raise forms.ValidationError(problem)
        return tuple(tags)

    def to_decision(self) -> Decision:
        """Return what is to be decided."""
        typed_in = self.cleaned_data
        return Decision(
            choice=Choice(typed_in["decision"]),
            reason=typed_in["reason"].strip(),
            learned=typed_in["learned"].strip(),
            tags=typed_in["tags"],
        )


@login_required
@require_http_methods(["GET", "POST"])
def conclude(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show what would be decided against what the rule says, or decide."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    if experiment.status == Status.DRAFT:
        messages.warning(request, f"{experiment.name} is a draft: there is nothing to conclude yet.")
        return redirect("experiment_detail", project_slug, key)
    standing = Standing.objects.filter(experiment=experiment).first()
    form = ConclusionForm(typed(request), initial={"tags": ", ".join(experiment.tags)})
    if request.method == "POST" and form.is_valid():
        same = concluding.sent_before(experiment, request.user, form.to_decision())
        if same is None and (problem := _meanwhile(experiment, standing, form.cleaned_data["seen"])):
            form.add_error(None, problem)
        elif (made := _decided(request, experiment, form)) is not None:
            return _next(request, experiment, made)
    return _page(request, experiment, form, standing)


def seen_now(standing: Standing | None, decided: Conclusion | None) -> str:
    """Return which result and decision a page shows, so that nobody goes by older ones unawares."""
    result = f"{standing.snapshot}.{standing.recommendation}" if standing else "none"
    return f"{result}/{decided.pk if decided else 0}"


def _meanwhile(experiment: Experiment, standing: Standing | None, seen: str) -> str:
    """Say what has come since a page was opened; nothing where it shows what there is."""
    decided = concluding.newest(experiment)
    if not seen or seen == seen_now(standing, decided):
        return ""
    if decided is None or seen.endswith(f"/{decided.pk}"):
        return "A newer result has come in meanwhile. Read it, then decide; your words are still here."
    did = "has decided" if decided.state == ConclusionState.MADE else "asks to decide"
    return (
        f"{decided.decided_by or 'Somebody'} {did} meanwhile: {decided.decision} (“{decided.reason}”). "
        "Your words are still here; send them again only if they shall take its place."
    )


def _decided(request: SignedInRequest, experiment: Experiment, form: ConclusionForm) -> Conclusion | None:
    try:
        return concluding.conclude(experiment, request.user, form.to_decision())
    except RefusedError as error:
        form.add_error(None, str(error))
    return None


def _next(request: SignedInRequest, experiment: Experiment, made: Conclusion) -> HttpResponse:
    slug = experiment.project.slug
    if made.state == ConclusionState.REQUESTED:
        asked = ", ".join(str(person) for person in concluding.reviewers(experiment.project, request.user)[:3])
        messages.warning(request, f"The rule says otherwise, so a second person has to agree: {asked}, for example.")
        return redirect("experiment_detail", slug, experiment.key)
    messages.success(request, f"{experiment.name} is concluded: {made.decision}.")
    if made.decision == Choice.SHIP and experiment.shipped_variant_id is None:
        return redirect("experiment_ship", slug, experiment.key)
    return redirect("experiment_detail", slug, experiment.key)


def _page(
    request: SignedInRequest, experiment: Experiment, form: ConclusionForm, standing: Standing | None
) -> HttpResponse:
    now = situation_of(experiment, list(experiment.variants.all()))
    said = standing.recommendation if standing else ""
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "standing": standing,
        "seen": seen_now(standing, concluding.newest(experiment)),
        "place": place_of(experiment, timezone.now()),
        "against": _names([choice for choice in Choice if is_against(said, choice)]),
        "reviewers": concluding.reviewers(experiment.project, request.user),
        "tags_in_use": concluding.tags_in_use(experiment.project),
        "waiting": concluding.asked_for(experiment),
        "lines": consequences.lines(now, consequences.after_stop(now)) if experiment.status in LIVE else [],
    }
    return render(request, "experiments/conclude.html", context, status=400 if request.method == "POST" else 200)


def _names(choices: Sequence[Choice]) -> str:
    return " or ".join(f"“{choice}”" for choice in choices)


@login_required
@require_POST
def answer(request: SignedInRequest, project_slug: str, key: str, conclusion_id: int) -> HttpResponse:
    """Agree to a decision against the rule, disagree, or take one's own request back."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    found = experiment.conclusions.filter(pk=conclusion_id).first()
    if found is None:
        raise Http404(f"Experiment {key!r} has no decision {conclusion_id}.")
    words = request.POST.get("words", "").strip()[:500]
    try:
        if not _answered(found, request.user, request.POST.get("answer", ""), words):
            messages.warning(request, "This was answered already; nothing was changed.")
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("experiment_detail", project_slug, key)


def _answered(found: Conclusion, user: User, wanted: str, words: str) -> bool:
    acts: dict[str, Any] = {
        "approve": lambda: concluding.approve(found, user, words),
        "decline": lambda: concluding.decline(found, user, words),
        "take-back": lambda: concluding.take_back(found, user),
    }
    if wanted not in acts:
        raise RefusedError("Choose to agree, to disagree or to take it back.")
    return bool(acts[wanted]())
