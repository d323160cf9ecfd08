"""Notes beside an experiment's results: written here by every member, changed and deleted by whoever wrote them."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from analysis import noting
from analysis.models import Note
from experiments.access import SignedInRequest, get_experiment
from experiments.forms.errors import summary
from experiments.models import Experiment
from experiments.pages import once


class NoteForm(forms.Form):
    """What a note says."""

    text = forms.CharField(
        label="Note",
        max_length=noting.LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What others should know when they read these results: an outage, a campaign, what you make of it.",
    )


@login_required
@require_http_methods(["GET", "POST"])
def note_new(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Write a note; every member may."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    form = NoteForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        if not once.was_sent(request):
            noting.write(experiment, request.user, form.cleaned_data["text"], timezone.now())
        return _back(experiment)
    return _form(request, experiment, form, "Write a note")


@login_required
@require_http_methods(["GET", "POST"])
def note_edit(request: SignedInRequest, project_slug: str, key: str, note_id: int) -> HttpResponse:
    """Change a note of one's own."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    note = _own(request, experiment, note_id)
    form = NoteForm(request.POST if request.method == "POST" else None, initial={"text": note.text})
    if form.is_bound and form.is_valid():
        noting.edit(note, request.user, form.cleaned_data["text"], timezone.now())
        return _back(experiment)
    return _form(request, experiment, form, "Change your note")


@login_required
@require_POST
def note_delete(request: SignedInRequest, project_slug: str, key: str, note_id: int) -> HttpResponse:
    """Delete a note of one's own."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    if noting.delete(_own(request, experiment, note_id), request.user):
        messages.success(request, "The note is deleted. The history still holds what it said.")
    return _back(experiment)


def _own(request: SignedInRequest, experiment: Experiment, note_id: int) -> Note:
    note = Note.objects.filter(experiment=experiment, pk=note_id).first()
    if note is None:
        raise Http404(f"Experiment {experiment.key!r} has no note {note_id}.")
    if not noting.may_change(note, request.user):
        raise PermissionDenied("Only whoever wrote a note may change or delete it.")
    note.experiment = experiment
    return note


def _back(experiment: Experiment) -> HttpResponse:
    return redirect(f"{reverse('experiment_results', args=[experiment.project.slug, experiment.key])}#notes")


def _form(request: SignedInRequest, experiment: Experiment, form: NoteForm, title: str) -> HttpResponse:
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "form": form,
        "title": title,
        "errors": summary([form]) if form.is_bound else [],
        "once": once.new_token(),
    }
    return render(request, "results/note.html", context, status=400 if form.is_bound else 200)
