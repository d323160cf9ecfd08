"""The results page of one experiment: the newest snapshot, an exact one, and the same as CSV."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from analysis.designed.pages import block_of, takes_file, template_of
from analysis.drifting.reading import has_scores
from analysis.models import RefreshRun, ResultSnapshot
from analysis.pages.chain import ChainStrip, strips
from analysis.pages.counting import Line, lines
from analysis.pages.over_time import EffectChart, ExposuresChart, effect_chart, exposures_chart
from analysis.pages.precision import PrecisionBar, precision_bar
from analysis.pages.refreshing import run_to_show
from analysis.pages.spreadsheet import as_csv
from analysis.pages.table import Table, table
from analysis.pages.triggered import TriggeredBlock, triggered_block
from analysis.refreshing import UNDER_WAY
from analysis.results.schema import Check, Results, VariantFact, from_payload
from experiments.access import SignedInRequest, get_experiment, may
from experiments.domain.access import Role
from experiments.domain.lifecycle import Status, day_of
from experiments.models import Experiment
from experiments.pages.formats import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage:
    """Everything that the template shows of one snapshot."""

    snapshot: ResultSnapshot
    results: Results
    table: Table
    strips: list[ChainStrip]
    precision: PrecisionBar | None
    effect: EffectChart | None
    exposures: ExposuresChart | None
    triggered: TriggeredBlock | None
    counting: list[Line]
    is_exact: bool

    @property
    def units(self) -> int:
        """Return how many units count."""
        return sum(variant.units for variant in self.results.variants)

    @property
    def split(self) -> str:
        """Return the share of units each variant got, in percent: 50.1 / 49.9."""
        shares = [variant.share for variant in self.results.variants]
        return " / ".join(percent(share, 1).removesuffix("%") for share in shares)

    @property
    def failed_checks(self) -> list[Check]:
        """Return the health checks that did not pass."""
        return [check for check in self.results.health.checks if check.ok is False]

    @property
    def several_strips(self) -> bool:
        """Say whether each strip must name its treatment."""
        return len(self.strips) > 1

    @property
    def models(self) -> list[VariantFact]:
        """Return the variants, if any of them names a model version."""
        variants = self.results.variants
        return variants if any(v.model_version for v in variants) else []


@login_required
@require_GET
def latest_results(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show the newest snapshot; a draft is sent to its set-up page."""
    experiment, role = get_experiment(request.user, project_slug, key)
    if experiment.status == Status.DRAFT:
        return redirect("experiment_detail", project_slug, key)
    return render_latest(request, experiment, role)


def render_latest(request: SignedInRequest, experiment: Experiment, role: Role, give_error: str = "") -> HttpResponse:
    """Return the page of the newest snapshot; ``give_error`` says why a file given on it was refused."""
    snapshot = ResultSnapshot.objects.filter(experiment=experiment).first()
    page = None if snapshot is None else _page(experiment, snapshot, request.GET.get("metric", ""), is_exact=False)
    return _render(request, experiment, role, page, run_to_show(experiment, snapshot), give_error)


@login_required
@require_GET
def exact_snapshot(request: SignedInRequest, project_slug: str, key: str, snapshot_id: int) -> HttpResponse:
    """Show one snapshot as it was, whatever came later: what an e-mail links to."""
    experiment, role = get_experiment(request.user, project_slug, key)
    snapshot = ResultSnapshot.objects.filter(experiment=experiment, pk=snapshot_id).first()
    if snapshot is None:
        raise Http404(f"Experiment {key!r} has no result {snapshot_id}.")
    page = _page(experiment, snapshot, request.GET.get("metric", ""), is_exact=True)
    return _render(request, experiment, role, page, None)


@login_required
@require_GET
def results_csv(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Return the newest snapshot's table, one row a metric and treatment; ``?snapshot=`` names an older one."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    snapshots = ResultSnapshot.objects.filter(experiment=experiment)
    if wanted := request.GET.get("snapshot"):
        snapshots = snapshots.filter(pk=int(wanted)) if wanted.isdecimal() else snapshots.none()
    snapshot = snapshots.first()
    if snapshot is None:
        raise Http404(f"Experiment {key!r} has no such result yet.")
    response = HttpResponse(as_csv(from_payload(snapshot.payload)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{experiment.key}-{snapshot.pk}.csv"'
    return response


def _page(experiment: Experiment, snapshot: ResultSnapshot, metric: str, *, is_exact: bool) -> ResultsPage:
    results = from_payload(snapshot.payload)
    query = f"?snapshot={snapshot.pk}" if is_exact else ""

    def address(key: str) -> str:
        return reverse("metric_in_depth", args=[experiment.project.slug, experiment.key, key]) + query

    return ResultsPage(
        snapshot=snapshot,
        results=results,
        table=table(results, address),
        strips=strips(results),
        precision=precision_bar(experiment, results),
        effect=effect_chart(results, metric),
        exposures=exposures_chart(results),
        triggered=triggered_block(results),
        counting=lines(results),
        is_exact=is_exact,
    )


def _render(
    request: SignedInRequest,
    experiment: Experiment,
    role: Role,
    page: ResultsPage | None,
    run: RefreshRun | None,
    give_error: str = "",
) -> HttpResponse:
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "page": page,
        "day": day_of(experiment.counts_from, experiment.stopped_at, timezone.now()),
        "run": run,
        "is_active": run is not None and run.state in UNDER_WAY,
        "may_edit": may(role, Role.EDITOR),
        "own": None if page is None else block_of(page.results),
        "takes_file": takes_file(experiment),
        "give_error": give_error,
        "watches_drift": page is not None and (bool(page.models) or has_scores(experiment)),
    }
    return render(request, template_of(experiment), context, status=400 if give_error else 200)
