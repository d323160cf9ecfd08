"""The metrics of a project: list, add, read, change, certify, archive."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import escape
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.domain.definition_words import differences, sentence
from experiments.domain.metrics import Direction, DisplayUnit
from experiments.forms.metrics import DIRECTIONS, UNITS, MetricForm
from experiments.metric_versions import DefinitionError, MetricError, revise_metric
from experiments.metrics import (
    add_metric,
    archive_metric,
    certify,
    edit_metric,
    restore_metric,
    subject_of,
    withdraw_certificate,
)
from experiments.models import ExperimentMetric, Metric, MetricVersion, Project
from experiments.models.metric import columns_of
from experiments.pages.history import history
from experiments.pages.kept import typed
from experiments.refusals import RefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """A version with what it changed about the one before it."""

    version: MetricVersion
    sentence: str
    changes: list[tuple[str, str, str]]


@login_required
@require_GET
def metric_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the metrics, each in a plain sentence, with how many experiments use it."""
    project, role = get_project(request.user, project_slug)
    word, archived = request.GET.get("search", "").strip(), request.GET.get("archived") == "yes"
    found = project.metrics.filter(archived_at__isnull=not archived).select_related("owner")
    if word:
        found = found.filter(Q(name__icontains=word) | Q(key__icontains=word) | Q(event__icontains=word))
    context = {
        "project": project,
        "rows": [
            {"metric": metric, "sentence": sentence(metric.definition()), "direction": _direction(metric)}
            for metric in found.annotate(used=Count("uses"))
        ],
        "search": word,
        "archived": archived,
        "has_archived": archived or project.metrics.filter(archived_at__isnull=False).exists(),
        "may_edit": may(role, Role.EDITOR),
    }
    return render(request, "metrics/list.html", context)


def _direction(metric: Metric) -> str:
    return DIRECTIONS[Direction(metric.direction)]


@login_required
@require_http_methods(["GET", "POST"])
def metric_new(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the form, or add the metric and show it."""
    user = request.user
    project, _ = get_project(user, project_slug, Role.EDITOR)
    form = MetricForm(project, typed(request), user=user)
    if request.method == "POST" and form.is_valid() and form.definition is not None:
        words = form.words
        made = Metric(
            key=form.key.cleaned_data["key"],
            name=words.name,
            description=words.description,
            direction=words.direction.value,
            display_unit=words.display_unit.value,
            owner=words.owner,
            stands_for=words.stands_for or "",
            **columns_of(form.definition),
        )
        add_metric(project, user, made)
        messages.success(request, f"{made.name} is in the catalogue.")
        return redirect("metric_detail", project.slug, made.key)
    return _form_page(request, project, form)


@login_required
@require_http_methods(["GET", "POST"])
def metric_edit(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show the form of a metric, or change its words and, where its definition changed, make a new version."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    metric = _metric(project, key)
    form = MetricForm(project, typed(request), metric)
    if request.method == "POST" and form.is_valid():
        try:
            return _changed(request, metric, form)
        except DefinitionError as error:
            form.refuse(error.field, str(error))
        except MetricError as error:
            form.refuse("note", str(error))
        except RefusedError as error:
            form.refuse("", str(error))
    return _form_page(request, project, form, metric)


@transaction.atomic
def _changed(request: SignedInRequest, metric: Metric, form: MetricForm) -> HttpResponse:
    if form.definition is None:
        raise TypeError("a valid form has a definition")
    before, note = metric.version, form.note.cleaned_data["note"]
    made = revise_metric(metric, request.user, form.definition, note, seen=form.note.cleaned_data["seen"])
    edited = edit_metric(metric, request.user, form.words, note)
    if made.number != before:
        messages.success(
            request, f"Version {made.number} is made. Drafts follow it; experiments that have started keep theirs."
        )
    elif edited:
        messages.success(request, "Saved.")
    return redirect("metric_detail", metric.project.slug, metric.key)


def _form_page(
    request: SignedInRequest, project: Project, form: MetricForm, metric: Metric | None = None
) -> HttpResponse:
    context = {"project": project, "metric": metric, "form": form, "errors": form.errors}
    return render(request, "metrics/form.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_POST
def metric_sentence(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Say what the posted form would count, or the first thing that it lacks."""
    project, _ = get_project(request.user, project_slug)
    return HttpResponse(escape(MetricForm(project, request.POST).sentence))


@login_required
@require_GET
def metric_detail(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show what a metric counts, its versions, who uses and who certified it."""
    project, role = get_project(request.user, project_slug)
    metric = _metric(project, key)
    uses = ExperimentMetric.objects.filter(metric=metric).select_related("experiment", "version", "metric")
    context = {
        "project": project,
        "metric": metric,
        "sentence": sentence(metric.definition()),
        "direction": _direction(metric),
        "shown_as": UNITS[DisplayUnit(metric.display_unit)],
        "versions": _versions(metric),
        "uses": list(uses.order_by("-experiment__created_at")[:50]),
        "used": uses.count(),
        "may_edit": may(role, Role.EDITOR),
        "history": history(project, subject_of(metric)),
    }
    return render(request, "metrics/detail.html", context)


def _versions(metric: Metric) -> list[VersionLine]:
    rows = list(metric.versions.select_related("created_by"))
    older = [*(row.definition() for row in rows[1:]), None]
    return [
        VersionLine(
            version=row,
            sentence=sentence(row.definition()),
            changes=differences(before, row.definition()) if before is not None else [],
        )
        for row, before in zip(rows, older, strict=True)
    ]


Act = Callable[[Metric, SignedInRequest], bool]
ACTS: dict[str, tuple[Act, str]] = {
    "certify": (
        lambda metric, request: certify(metric, request.user, _number(request), request.POST.get("note", "")[:300]),
        "{} is certified. A new version will have to be certified anew.",
    ),
    "uncertify": (
        lambda metric, request: withdraw_certificate(metric, request.user),
        "{} is not certified any more.",
    ),
    "archive": (
        lambda metric, request: archive_metric(metric, request.user),
        "{} is archived: no new plan can choose it. You can restore it at any time.",
    ),
    "restore": (lambda metric, request: restore_metric(metric, request.user), "{} is back in the catalogue."),
}


@login_required
@require_POST
def metric_act(request: SignedInRequest, project_slug: str, key: str, act: str) -> HttpResponse:
    """Certify, archive or restore a metric, or take that back; doing it twice changes nothing."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    metric = _metric(project, key)
    do, said = ACTS[act]
    try:
        if do(metric, request):
            messages.success(request, said.format(metric.name))
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("metric_detail", project_slug, key)


def _number(request: SignedInRequest) -> int:
    given = request.POST.get("version", "")
    return int(given) if given.isdecimal() and len(given) < 10 else 0


def _metric(project: Project, key: str) -> Metric:
    metric = project.metrics.filter(key=key).select_related("owner", "certified_by", "created_by").first()
    if metric is None:
        raise Http404(f"Project {project.slug!r} has no metric {key!r}.")
    metric.project = project
    return metric
