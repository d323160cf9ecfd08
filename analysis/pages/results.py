"""The results page of one experiment: the newest snapshot, an exact one, and the same as CSV."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from analysis.designed.pages import block_of, takes_file, template_of
from analysis.drifting.reading import has_scores
from analysis.models import Note, RefreshRun, ResultSnapshot
from analysis.pages.chain import ChainStrip, strips
from analysis.pages.counting import Line, lines
from analysis.pages.over_time import EffectChart, ExposuresChart, effect_chart, exposures_chart
from analysis.pages.precision import PrecisionBar, precision_bar
from analysis.pages.refreshing import run_to_show
from analysis.pages.scales import scales
from analysis.pages.table import Table, table
from analysis.pages.triggered import TriggeredBlock, triggered_block
from analysis.programme.holdbacks import of_experiment
from analysis.refreshing import UNDER_WAY
from analysis.results.schema import Check, Results, VariantFact, from_payload
from experiments import concluding
from experiments.access import SignedInRequest, get_experiment, may
from experiments.domain.access import Role
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status, day_of
from experiments.models import Experiment
from experiments.pages.formats import percent

MOST_NOTES = 100


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
    page = None if snapshot is None else results_page(experiment, snapshot, request.GET, is_exact=False)
    return _render(request, experiment, role, page, run_to_show(experiment, snapshot), give_error)


@login_required
@require_GET
def exact_snapshot(request: SignedInRequest, project_slug: str, key: str, snapshot_id: int) -> HttpResponse:
    """Show one snapshot as it was, whatever came later: what an e-mail links to."""
    experiment, role = get_experiment(request.user, project_slug, key)
    snapshot = ResultSnapshot.objects.filter(experiment=experiment, pk=snapshot_id).first()
    if snapshot is None:
        raise Http404(f"Experiment {key!r} has no result {snapshot_id}.")
    page = results_page(experiment, snapshot, request.GET, is_exact=True)
    return _render(request, experiment, role, page, None)


def results_page(
    experiment: Experiment,
    snapshot: ResultSnapshot,
    query: Mapping[str, str],
    *,
    is_exact: bool,
    is_shared: bool = False,
) -> ResultsPage:
    """Return one snapshot as the page shows it; one that ``is_shared`` without an account leads nowhere else.

    Of the ``query`` ``metric`` says whose effect over time is drawn, and ``change`` how changes are told.
    """
    results = from_payload(snapshot.payload)
    exact = f"?snapshot={snapshot.pk}" if is_exact else ""

    def address(key: str) -> str:
        return (
            "" if is_shared else reverse("metric_in_depth", args=[experiment.project.slug, experiment.key, key]) + exact
        )

    return ResultsPage(
        snapshot=snapshot,
        results=results,
        table=table(results, address, scales(experiment, results, query.get("change", ""))),
        strips=strips(results),
        precision=precision_bar(experiment, results),
        effect=effect_chart(results, query.get("metric", "")),
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
        "may_decide": may(role, Role.EDITOR) and _waits_for_a_decision(experiment),
        "own": None if page is None else block_of(page.results),
        "takes_file": takes_file(experiment),
        "give_error": give_error,
        "lasting": None if page is None or page.is_exact else of_experiment(experiment),
        "watches_drift": page is not None and (bool(page.models) or has_scores(experiment)),
        "notes": list(Note.objects.filter(experiment=experiment).select_related("author")[:MOST_NOTES]),
    }
    return render(request, template_of(experiment), context, status=400 if give_error else 200)


def _waits_for_a_decision(experiment: Experiment) -> bool:
    """Say whether it has ended and nobody has decided, so that its reader is led on to the decision."""
    ended = experiment.status == Status.STOPPED and experiment.kind == ExperimentKind.STANDARD
    return ended and concluding.newest(experiment) is None
