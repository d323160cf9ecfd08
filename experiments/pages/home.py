"""The front door: on to a project, or the first one made."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods

from experiments import audit
from experiments.access import SignedInRequest
from experiments.domain.access import Role
from experiments.models import Membership, Project, User

if TYPE_CHECKING:  # Django's forms are generic for the type checker alone
    ProjectModelForm = forms.ModelForm[Project]
else:
    ProjectModelForm = forms.ModelForm


class ProjectForm(ProjectModelForm):
    """A project's name and the currency of its money metrics."""

    class Meta:
        model = Project
        fields = ["name", "currency"]

    def clean_name(self) -> str:
        """Return the name, if an address can be made of it that no project has."""
        name = str(self.cleaned_data["name"])
        slug = slugify(name)[:60]
        if not slug:
            raise forms.ValidationError("Use at least one letter or digit.")
        if Project.objects.filter(slug=slug).exists():
            raise forms.ValidationError("A project of this name exists already; choose another name.")
        self.instance.slug = slug
        return name

    def clean_currency(self) -> str:
        """Return the currency as three capital letters."""
        currency = str(self.cleaned_data["currency"]).upper()
        if len(currency) != 3 or not currency.isalpha() or not currency.isascii():
            raise forms.ValidationError("Use the three-letter code, for example EUR or USD.")
        return currency


@login_required
@require_http_methods(["GET", "POST"])
def home(request: SignedInRequest) -> HttpResponse:
    """Go to the chosen or first project; whoever runs the installation makes the first one here."""
    user = request.user
    slugs = list(user.memberships.order_by("project__name").values_list("project__slug", flat=True))
    if slugs:
        chosen = request.GET.get("project", "")
        return redirect("project_home", chosen if chosen in slugs else slugs[0])
    may_create = user.is_staff
    form = ProjectForm(request.POST if request.method == "POST" and may_create else None, initial={"currency": "EUR"})
    if form.is_bound and form.is_valid():
        return redirect("project_home", _create(form.instance, user).slug)
    context = {"form": form, "may_create": may_create}
    return render(request, "home.html", context, status=400 if form.is_bound else 200)


@transaction.atomic
def _create(project: Project, user: User) -> Project:
    project.save(force_insert=True)
    Membership.objects.create(project=project, user=user, role=Role.ADMIN)
    audit.record(project, user, "project.create", f"project:{project.slug}", after={"name": project.name})
    return project
