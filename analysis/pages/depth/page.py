"""A metric's own page: its readings, its effect over time, how units are spread, and what everything rests on."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from analysis import priors
from analysis.details import keeping
from analysis.details.schema import Detail
from analysis.pages.depth.kinds import Kinds, kinds
from analysis.pages.depth.made import Made, made_of
from analysis.pages.depth.readings import Way, readings
from analysis.pages.depth.spread import SpreadChart, spread_chart
from analysis.pages.depth.ways import Beside, Raw, beside, raw_sums
from analysis.pages.depth.wearing import WearingChart, wearing_chart
from analysis.pages.downloads import chosen_snapshot
from analysis.pages.over_time import EffectChart, effect_chart
from analysis.pages.table import Row, table
from analysis.results.schema import MetricResult, Results, from_payload
from experiments.access import SignedInRequest, get_experiment, may
from experiments.domain.access import Role
from experiments.models import Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """One treatment of the metric: its row, and how it reads in other ways."""

    row: Row
    readings: list[Way]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthPage:
    """Everything that the template shows of one metric."""

    results: Results
    metric: MetricResult
    others: list[tuple[str, str]]
    treatments: list[Treatment]
    withheld: bool
    beside: list[Beside]
    raw: list[Raw]
    effect: EffectChart | None
    spread: SpreadChart | None
    wearing: WearingChart | None
    kinds: list[Kinds]
    counted_at: datetime | None
    made: Made | None

    @property
    def several(self) -> bool:
        """Say whether each row must name its treatment."""
        return len(self.treatments) > 1

    @property
    def is_adjusted(self) -> bool:
        """Say whether any comparison is adjusted for the days before."""
        return any(one.variance_reduction is not None for one in self.metric.comparisons)

    @property
    def has_chart(self) -> bool:
        """Say whether any chart is drawn, so that the library is loaded."""
        wearing = self.wearing is not None and self.wearing.figure is not None
        return self.effect is not None or self.spread is not None or wearing


@login_required
@require_GET
def metric_in_depth(request: SignedInRequest, project_slug: str, key: str, metric_key: str) -> HttpResponse:
    """Show one metric of the newest result, or of the one that ``?snapshot=`` names."""
    experiment, role = get_experiment(request.user, project_slug, key)
    snapshot = chosen_snapshot(experiment, request.GET.get("snapshot", ""))
    page = depth_page(experiment, from_payload(snapshot.payload), metric_key)
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "snapshot": snapshot,
        "is_exact": "snapshot" in request.GET,
        "page": page,
        "may_edit": may(role, Role.EDITOR),
    }
    return render(request, "results/depth/page.html", context)


def depth_page(experiment: Experiment, results: Results, metric_key: str) -> DepthPage:
    """Return one metric of a result from every side."""
    metric = next((one for one in results.metrics if one.key == metric_key), None)
    if metric is None:
        raise Http404(f"This result of {experiment.key!r} has no metric {metric_key!r}.")
    kept = keeping.newest(experiment, metric_key)
    detail, counted_at = kept if kept is not None else (Detail(spread=None, wearing=[]), None)
    shown = table(results)
    rows = [row for group in shown.groups for row in group.rows if row.metric.key == metric_key]
    withheld = shown.withheld
    prior = None if withheld else priors.learned(experiment, metric_key)
    curve = None if withheld else effect_chart(results, metric_key)
    return DepthPage(
        results=results,
        metric=metric,
        others=[(one.key, one.name) for one in results.metrics],
        treatments=[
            Treatment(row=row, readings=[] if prior is None else readings(results, metric, row.comparison, prior))
            for row in rows
        ],
        withheld=withheld,
        beside=[] if withheld else beside(results, metric),
        raw=raw_sums(results, metric),
        effect=curve if curve is not None and curve.metric == metric_key else None,
        spread=spread_chart(results, metric, detail.spread),
        wearing=None if withheld else wearing_chart(results, metric, detail.wearing),
        kinds=[] if withheld else kinds(results, detail.breakdowns),
        counted_at=counted_at,
        made=made_of(experiment, results, metric),
    )
