"""The page of past experiments: bring in what other tools measured, see what is kept, take it out again."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from analysis.api.uploads import on_disk
from analysis.models import PastImport
from analysis.past.asking import pairs
from analysis.past.keeping import CORRELATIONS, LONGEST_NAME, USUAL_CORRELATION, Wanted, imports, keep, remove, restore
from analysis.tables.refusal import RefusalError
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.forms.errors import summary
from experiments.models import Metric, Project
from experiments.pages.formats import number


class PastForm(forms.Form):
    """A file of past experiments and how to read it."""

    name = forms.CharField(max_length=LONGEST_NAME, help_text="Another file under the same name takes its place.")
    source = forms.CharField(
        max_length=300, required=False, label="Where it comes from",
        help_text="Tool, team or paper; shown wherever the numbers count.",
    )  # fmt: skip
    file = forms.FileField(
        help_text="CSV (also gzipped) or Parquet up to 10 MB: a row for each treatment and metric. Columns experiment "
        "and metric, with either n, mean, variance, control_n, control_mean, control_variance or lift and "
        "standard_error (as shares: 0.02). Optional: variant, model, ended, date (the last whole row counts)."
    )
    metrics = forms.CharField(
        required=False, max_length=4_000, label="Metrics with other names there",
        help_text="One a line: name in the file = key of the metric here.", widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip
    columns = forms.CharField(
        required=False, max_length=4_000, label="Columns with other names there",
        help_text="One a line: our name = column in the file. For example n = users_treated.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip
    correlation = forms.TypedChoiceField(
        label="Noise that two metrics share",
        coerce=float,
        initial=f"{USUAL_CORRELATION:g}",
        choices=[(f"{one:g}", f"{one:g}") for one in CORRELATIONS],
        help_text="Such files do not say how metrics go together in a user, and a slope depends on it. The evidence "
        "is shown with each of these values as well, so that you see whether it matters.",
    )

    def clean(self) -> dict[str, Any]:
        """Read the two lists of pairs."""
        cleaned: dict[str, Any] = super().clean() or {}
        for field, sides in (("metrics", ("their name", "our key")), ("columns", ("our name", "their column"))):
            try:
                cleaned[field] = pairs((cleaned.get(field) or "").splitlines(), *sides)
            except RefusalError as problem:
                self.add_error(field, f"{problem}.")
        return cleaned


@login_required
@require_http_methods(["GET", "POST"])
def past(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show what was imported and, to editors, the form; or read a file."""
    project, role = get_project(request.user, project_slug, Role.EDITOR if request.method == "POST" else Role.VIEWER)
    form = PastForm(request.POST, request.FILES) if request.method == "POST" else PastForm()
    if form.is_bound and form.is_valid() and _kept(request, project, form):
        return redirect(reverse("evidence_past", args=[project.slug]))
    context = {
        "project": project,
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "kept": list(imports(project)),
        "keys": Metric.objects.filter(project=project).order_by("key").values_list("key", "name"),
        "removed": PastImport.objects.filter(project=project, pk=_number(request.GET.get("removed"))).first(),
        "may_edit": may(role, Role.EDITOR),
        "evidence_tab": "proxies",
    }
    return render(request, "evidence/past.html", context, status=400 if form.is_bound else 200)


def _kept(request: SignedInRequest, project: Project, form: PastForm) -> bool:
    """Keep the form's file; what is wrong with it is written beside its field."""
    asked, file = form.cleaned_data, form.cleaned_data["file"]
    try:
        with on_disk(file) as path:
            wanted = Wanted(
                file=path, file_name=file.name, name=asked["name"], source=asked["source"],
                correlation=asked["correlation"], columns=asked["columns"], metrics=asked["metrics"],
            )  # fmt: skip
            kept, is_new = keep(project, request.user, wanted)
    except RefusalError as problem:
        form.add_error("file", f"{str(problem).replace(str(path), file.name)}.")
        return False
    left = sum(kept.left.values())
    rest = f" {number(left)} rows were left out; see below why." if left else ""
    done = f"{number(kept.treatments)} treatments of {kept.name} count now.{rest}"
    messages.success(request, done if is_new else f"{file.name} was here already; nothing changed.")
    return True


@login_required
@require_POST
def change_past(request: SignedInRequest, project_slug: str, import_id: int, change: str) -> HttpResponse:
    """Remove an import, or undo that; doing it twice changes nothing."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    kept = PastImport.objects.filter(project=project, pk=import_id).first()
    if kept is None:
        raise Http404(f"Project {project.slug} has no import {import_id}.")
    address = reverse("evidence_past", args=[project.slug])
    if change == "remove":
        remove(kept, request.user)
        return redirect(f"{address}?removed={kept.pk}")
    if restore(kept, request.user):
        messages.success(request, f"{kept.name} counts again.")
    else:
        messages.error(request, f"Another import is called {kept.name} now: remove it first.")
    return redirect(address)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else 0
