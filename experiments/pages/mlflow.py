"""Pull a model's versions from an MLflow registry, from a page."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from experiments.access import SignedInRequest, get_project
from experiments.domain.access import Role
from experiments.forms.errors import summary
from experiments.mlflow import Registry, RegistryError, pull


class PullForm(forms.Form):
    """Where the registry is, which model, and how one is let in. The token is used once and kept nowhere."""

    uri = forms.CharField(
        max_length=300,
        label="Tracking server",
        help_text="For example https://mlflow.example.org.",
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )
    model = forms.CharField(max_length=200, label="Model", help_text="As the registry calls it.")
    name = forms.CharField(max_length=80, required=False, label="Its name here", help_text="Empty: the same.")
    token = forms.CharField(
        max_length=2000,
        required=False,
        help_text="Where the server asks for one. It is used now and not kept.",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


@login_required
@require_http_methods(["GET", "POST"])
def pull_models(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the form, or pull and go to the model."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    form = PullForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        asked = form.cleaned_data
        registry = Registry(uri=asked["uri"], token=asked["token"], hosts=settings.REGISTRY_HOSTS)
        try:
            pulled = pull(project, request.user, registry, asked["model"], asked["name"])
        except RegistryError as problem:
            form.add_error("uri", str(problem))
        else:
            (messages.warning if pulled.problems else messages.success)(request, pulled.sentence)
            if pulled.new or pulled.changed or pulled.same:
                return redirect("model_family", project.slug, asked["name"] or asked["model"])
            return redirect("model_list", project.slug)
    context = {"project": project, "form": form, "errors": summary([form]) if form.is_bound else []}
    return render(request, "experiments/model_pull.html", context, status=400 if form.is_bound else 200)
