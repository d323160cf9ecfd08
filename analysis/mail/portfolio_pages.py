"""Make, change and remove portfolios."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from analysis.mail import portfolios
from analysis.mail.portfolios import PortfolioError, Wanted
from analysis.models import Portfolio
from experiments.access import SignedInRequest, get_project
from experiments.domain.access import Role
from experiments.filing import tags_of
from experiments.forms.errors import summary
from experiments.models import Experiment, Project, User
from experiments.pages.kept import typed

MOST_LISTED = 200


class PortfolioForm(forms.Form):
    """A name, and what is in it."""

    name = forms.CharField(label="Name", max_length=80, help_text="For example: Search, or Ada's experiments.")
    kind = forms.ChoiceField(label="What is in it", choices=Portfolio.Kind.choices, widget=forms.RadioSelect)
    owner = forms.ChoiceField(label="Owner", required=False, help_text="For “All of one owner”.")
    tag = forms.ChoiceField(label="Tag", required=False, help_text="For “All with a tag”.")
    experiments = forms.MultipleChoiceField(
        label="Experiments", required=False, widget=forms.CheckboxSelectMultiple, help_text="For “Chosen experiments”."
    )

    def __init__(self, posted: Any = None, *, project: Project, kept: Portfolio | None = None, **options: Any) -> None:
        super().__init__(posted, **options)
        some = Experiment.objects.only("project", "key", "name").filter(project=project)
        newest = some.filter(archived_at=None).order_by("-created_at")[:MOST_LISTED]
        self.by_key = {one.key: one for one in newest}
        if kept is not None:
            self.by_key |= {one.key: one for one in some.filter(portfolios=kept)}
            del self.fields["kind"]
        self.kept = kept
        members = User.objects.filter(memberships__project=project).order_by("email")
        self.by_email = {one.email: one for one in members}
        tags = tags_of(project)
        self._choose("owner", [("", "Nobody"), *((email, email) for email in self.by_email)])
        self._choose("tag", [("", "None"), *((tag, tag) for tag in tags)])
        self._choose("experiments", [(key, one.name) for key, one in self.by_key.items()])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices

    def wanted(self) -> Wanted:
        """Return what a valid form says; of the three contents the one that counts."""
        values = self.cleaned_data
        kind = Portfolio.Kind(self.kept.kind if self.kept else values["kind"])
        return Wanted(
            name=values["name"].strip(),
            kind=kind,
            owner=self.by_email.get(values["owner"]) if kind == Portfolio.Kind.OWNER else None,
            tag=values["tag"] if kind == Portfolio.Kind.TAG else "",
            experiments=[self.by_key[key] for key in values["experiments"]] if kind == Portfolio.Kind.CHOSEN else [],
        )


@login_required
@require_http_methods(["GET", "POST"])
def portfolio_new(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Make a portfolio."""
    project, _ = get_project(request.user, project_slug, Role.ANALYST)
    form = PortfolioForm(typed(request), project=project, initial={"kind": Portfolio.Kind.CHOSEN.value})
    if request.method == "POST" and form.is_valid():
        try:
            made = portfolios.make(project, form.wanted(), request.user)
        except PortfolioError as error:
            _name_the_field(form, error)
        else:
            messages.success(request, f"{made.name} is made. Add who gets its digest.")
            return redirect("portfolio_digests", project_slug, made.pk)
    return _shown(request, project, form, None)


@login_required
@require_http_methods(["GET", "POST"])
def portfolio_edit(request: SignedInRequest, project_slug: str, portfolio_id: int) -> HttpResponse:
    """Change a portfolio."""
    portfolio = _portfolio(request, project_slug, portfolio_id)
    start = {
        "name": portfolio.name,
        "owner": portfolio.owner.email if portfolio.owner else "",
        "tag": portfolio.tag,
        "experiments": list(portfolio.experiments.values_list("key", flat=True)),
    }
    form = PortfolioForm(typed(request), project=portfolio.project, kept=portfolio, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            changed = portfolios.change(portfolio, form.wanted(), request.user)
        except PortfolioError as error:
            _name_the_field(form, error)
        else:
            messages.success(request, "Saved." if changed else "Nothing was changed.")
            return redirect("portfolio_digests", project_slug, portfolio.pk)
    return _shown(request, portfolio.project, form, portfolio)


@login_required
@require_POST
def portfolio_remove(request: SignedInRequest, project_slug: str, portfolio_id: int) -> HttpResponse:
    """Remove a portfolio with its digests."""
    portfolio = _portfolio(request, project_slug, portfolio_id)
    name = portfolio.name
    if portfolios.remove(portfolio, request.user):
        messages.success(request, f"{name} and its digests are gone; its experiments stay.")
    return redirect("project_digests", project_slug)


def _portfolio(request: SignedInRequest, slug: str, portfolio_id: int) -> Portfolio:
    project, _ = get_project(request.user, slug, Role.ANALYST)
    return get_object_or_404(Portfolio.objects.select_related("project", "owner"), project=project, pk=portfolio_id)


def _name_the_field(form: PortfolioForm, error: PortfolioError) -> None:
    words = {"name": "name", "owner": "owner", "tag": "tag"}
    field = next((name for word, name in words.items() if word in str(error)), "experiments")
    form.add_error(field, str(error))


def _shown(
    request: SignedInRequest, project: Project, form: PortfolioForm, portfolio: Portfolio | None
) -> HttpResponse:
    context = {
        "project": project,
        "settings_page": "notifications",
        "notices_page": "digests",
        "portfolio": portfolio,
        "subject": portfolios.subject_of(portfolio) if portfolio else "",
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
    }
    return render(request, "digests/portfolio.html", context, status=400 if request.method == "POST" else 200)
