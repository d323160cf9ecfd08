"""A model's page: its lineage, its offline metrics over the versions, and the experiments it was in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from analysis.charts.versions import VersionPoint, versions_figure
from analysis.results.chain import Chain
from analysis.results.endings import Ending, endings
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.models import Experiment, ModelVersion, OfflineMetric, Project, Variant
from experiments.pages.formats import decimals
from experiments.pages.paging import page_of

MOST_DRAWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A version and what was made from it; ``depth`` counts from the first ancestor."""

    version: ModelVersion
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChart:
    """One offline metric over the versions, on one evaluation set."""

    name: str
    choice: str
    choices: list[tuple[str, str]]
    figure: dict[str, Any]
    rows: list[tuple[ModelVersion, OfflineMetric]]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """An experiment that a version was in, against which version, and how that ended."""

    experiment: Experiment
    version: str
    against: str
    ending: Ending | None
    chain: Chain | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyPage:
    """Everything that the template shows."""

    name: str
    branches: list[Branch]
    chart: MetricChart | None
    uses: list[Use]
    versions: list[ModelVersion]


@login_required
@require_GET
def family(request: SignedInRequest, project_slug: str, name: str) -> HttpResponse:
    """Show one model with all its versions."""
    project, role = get_project(request.user, project_slug)
    found = project.model_versions.filter(name=name).select_related("parent").prefetch_related("offline")
    versions = list(found.order_by("created_at", "pk"))
    if not versions:
        raise Http404(f"Project {project.slug} has no model {name!r}.")
    treatments = Variant.objects.filter(model_version__in=versions, position__gt=0)
    shown = page_of(request, treatments.select_related("experiment").order_by("-experiment__created_at", "pk"))
    page = FamilyPage(
        name=name,
        branches=lineage(versions),
        chart=_chart(versions, request.GET.get("metric", "")),
        uses=_uses(project, versions, shown),
        versions=versions,
    )
    context = {"project": project, "page": page, "shown": shown, "may_edit": may(role, Role.EDITOR)}
    return render(request, "results/family.html", context)


def lineage(versions: Sequence[ModelVersion]) -> list[Branch]:
    """Return the versions as a tree read from top to bottom: each after its parent, one deeper."""
    children: dict[int | None, list[ModelVersion]] = {}
    known = {version.pk for version in versions}
    for version in versions:
        children.setdefault(version.parent_id if version.parent_id in known else None, []).append(version)
    found: list[Branch] = []
    waiting = [(version, 0) for version in reversed(children.get(None, []))]
    while waiting:
        version, depth = waiting.pop()
        found.append(Branch(version=version, depth=depth))
        waiting += [(child, depth + 1) for child in reversed(children.get(version.pk, []))]
    return found


def _chart(versions: Sequence[ModelVersion], wanted: str) -> MetricChart | None:
    rows: dict[tuple[str, str], list[tuple[ModelVersion, OfflineMetric]]] = {}
    for version in versions:
        for metric in version.offline.all():
            rows.setdefault((metric.known.label, metric.evaluation_set), []).append((version, metric))
    if not rows:
        return None
    # The metric that most versions have comes first: it is the one to compare them by.
    order = sorted(rows, key=lambda key: -len(rows[key]))
    choices = [(f"{name}|{on}", f"{name}, {on}" if on else name) for name, on in order]
    place = next((i for i, (key, _) in enumerate(choices) if key == wanted), 0)
    shown = rows[order[place]][-MOST_DRAWN:]
    return MetricChart(
        name=choices[place][1],
        choice=choices[place][0],
        choices=choices,
        figure=versions_figure([_point(version, metric) for version, metric in shown]),
        rows=shown,
        sentence=_sentence(shown),
    )


def _point(version: ModelVersion, metric: OfflineMetric) -> VersionPoint:
    return VersionPoint(
        version=version.version, value=metric.value, low=metric.low, high=metric.high, said=interval_said(metric)
    )


def interval_said(metric: OfflineMetric) -> str:
    """Write a value with its interval: 0.4310 (0.4270 to 0.4350)."""
    value = decimals(metric.value, 4)
    return value if metric.low is None else f"{value} ({decimals(metric.low, 4)} to {decimals(metric.high, 4)})"


def _sentence(shown: Sequence[tuple[ModelVersion, OfflineMetric]]) -> str:
    (first, before), (last, after) = shown[0], shown[-1]
    if first is last:
        return f"{last.version}: {interval_said(after)}."
    good = "higher" if after.direction == "increase" else "lower"
    return (
        f"From {first.version}, {interval_said(before)}, to {last.version}, {interval_said(after)}; {good} is better."
    )


def _uses(project: Project, versions: Sequence[ModelVersion], shown: Iterable[Variant]) -> list[Use]:
    """Return the experiments of the treatments that are shown and how they ended, in three queries."""
    own = {version.pk: version for version in versions}
    variants = list(shown)
    experiments = list({variant.experiment_id: variant.experiment for variant in variants}.values())
    ended = endings(experiments)
    controls = {
        variant.experiment_id: variant
        for variant in Variant.objects.filter(experiment__in=experiments, position=0).select_related("model_version")
    }
    uses = []
    for variant in variants:
        variant.experiment.project = project
        control, ending = controls.get(variant.experiment_id), ended.get(variant.experiment_id)
        against = str(control.model_version) if control and control.model_version else "no model"
        uses.append(
            Use(
                experiment=variant.experiment,
                version=own[variant.model_version_id or 0].version,
                against=against,
                ending=ending,
                chain=None if ending is None else ending.chain(variant.key),
            )
        )
    return uses
