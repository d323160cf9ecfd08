"""A result as a file: a table for spreadsheets, all of it for programs, pages for paper, a notebook to recompute it."""

import json

import msgspec
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from analysis.api.drift import answer
from analysis.drifting.reading import has_scores
from analysis.exports.notebook import notebook
from analysis.models import ResultSnapshot
from analysis.pages.spreadsheet import as_csv
from analysis.results.schema import from_payload
from experiments.access import SignedInRequest, get_experiment
from experiments.models import Experiment


@login_required
@require_GET
def results_csv(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Return a result's table, one row a metric and treatment."""
    experiment, snapshot = _asked(request, project_slug, key)
    return _file(experiment, snapshot, as_csv(from_payload(snapshot.payload)), "csv", "text/csv; charset=utf-8")


@login_required
@require_GET
def results_json(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Return everything that is stored of a result, as the API answers it, and how its scores stand now."""
    experiment, snapshot = _asked(request, project_slug, key)
    whole = {**snapshot.payload, "snapshot": snapshot.pk, **_drift(experiment)}
    return _file(experiment, snapshot, json.dumps(whole, indent=1, ensure_ascii=False), "json", "application/json")


def _drift(experiment: Experiment) -> dict[str, object]:
    """Return what the section on drift says: it is read anew, for a result does not keep it."""
    if not has_scores(experiment):
        return {}
    now = timezone.now()
    return {"drift": {"read_at": now.isoformat(), **msgspec.to_builtins(answer(experiment, now))}}


@login_required
@require_GET
def results_pdf(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Return a result on paper's pages."""
    from analysis.exports.pdf import as_pdf  # matplotlib takes a second, and every process starts with these pages

    experiment, snapshot = _asked(request, project_slug, key)
    return _file(experiment, snapshot, as_pdf(from_payload(snapshot.payload)), "pdf", "application/pdf")


@login_required
@require_GET
def results_notebook(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Return a notebook that computes a result's numbers from its moments."""
    experiment, snapshot = _asked(request, project_slug, key)
    made = notebook(from_payload(snapshot.payload), snapshot.pk)
    return _file(
        experiment, snapshot, json.dumps(made, indent=1, ensure_ascii=False), "ipynb", "application/x-ipynb+json"
    )


def chosen_snapshot(experiment: Experiment, wanted: str) -> ResultSnapshot:
    """Return the snapshot with this number, or the newest for none.

    Raises
    ------
    Http404
        When there is no such result.
    """
    snapshots = ResultSnapshot.objects.filter(experiment=experiment)
    if wanted:
        snapshots = snapshots.filter(pk=int(wanted)) if wanted.isdecimal() else snapshots.none()
    snapshot = snapshots.first()
    if snapshot is None:
        raise Http404(f"Experiment {experiment.key!r} has no such result yet.")
    return snapshot


def _asked(request: SignedInRequest, project_slug: str, key: str) -> tuple[Experiment, ResultSnapshot]:
    experiment, _ = get_experiment(request.user, project_slug, key)
    return experiment, chosen_snapshot(experiment, request.GET.get("snapshot", ""))


def _file(
    experiment: Experiment, snapshot: ResultSnapshot, content: str | bytes, ending: str, kind: str
) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{experiment.key}-{snapshot.pk}.{ending}"'
    return response
