"""Two versions of a model side by side, by example where they were scored so; and the upload of such scores."""

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from analysis.api.scores import LONGEST_SET
from analysis.api.uploads import on_disk
from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.decisions.wording import percent
from analysis.examples.reading import MOST_EXAMPLES
from analysis.examples.storing import ComparedVersions, MetricDifference, compared, keep, shared_sets
from analysis.models import ExampleScores
from analysis.tables.refusal import RefusalError
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.domain.metrics import Direction
from experiments.domain.offline import named
from experiments.forms.errors import summary
from experiments.models import ModelVersion, OfflineMetric, Project
from experiments.pages.formats import decimals, lift, number, p_value


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric of both versions. ``points`` is new minus old as it is written."""

    name: str
    old: str
    new: str
    change: str
    interval: str
    p: str
    said: str
    tone: str
    mark: Mark | None
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBlock:
    """Both versions on one evaluation set."""

    name: str
    sentence: str
    judged: str
    rows: list[MetricRow]
    scale: Scale | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRow:
    """A recorded metric of both versions on one set, without a common file of scores."""

    name: str
    evaluation_set: str
    old: OfflineMetric | None
    new: OfflineMetric | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePage:
    """Everything that the template shows."""

    versions: list[ModelVersion]
    old: ModelVersion | None
    new: ModelVersion
    blocks: list[SetBlock]
    recorded: list[SideRow]


class ScoresForm(forms.Form):
    """A file of scores by example, and the set that they are of."""

    evaluation_set = forms.CharField(
        max_length=LONGEST_SET,
        label="Evaluation set",
        help_text="Versions are compared on sets of the same name. For example held-out 2026-02.",
        widget=forms.TextInput(attrs={"list": "evaluation-sets"}),
    )
    file = forms.FileField(
        help_text=f"CSV, NDJSON or Parquet, gzipped or not, up to 10 MB and {MOST_EXAMPLES:,} examples: a column "
        "example that names each, and label with prediction or score, or any metric by example. A column unit keeps "
        "the examples of one user together.",
    )


@login_required
@require_GET
def compare_versions(request: SignedInRequest, project_slug: str, version_id: int) -> HttpResponse:
    """Show a version against another of its model: the one in ``?old=``, else its parent, else the one before."""
    project, role = get_project(request.user, project_slug)
    new = _version(project, version_id)
    found = project.model_versions.filter(name=new.name).prefetch_related("offline").order_by("created_at", "pk")
    others = [one for one in found if one.pk != new.pk]
    wanted = request.GET.get("old", "")
    old = next((one for one in others if str(one.pk) == wanted), None) or _before(new, others)
    page = ComparePage(
        versions=others,
        old=old,
        new=new,
        blocks=[] if old is None else _blocks(old, new),
        recorded=[] if old is None else _recorded(old, new),
    )
    return render(
        request, "results/compare.html", {"project": project, "page": page, "may_edit": may(role, Role.EDITOR)}
    )


@login_required
@require_http_methods(["GET", "POST"])
def upload_scores(request: SignedInRequest, project_slug: str, version_id: int) -> HttpResponse:
    """Show the form, or keep the file and go to the comparison."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    version = _version(project, version_id)
    form = ScoresForm(request.POST, request.FILES) if request.method == "POST" else ScoresForm()
    if form.is_bound and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            with on_disk(file) as path:
                kept, is_new = keep(version, request.user, path, file.name, form.cleaned_data["evaluation_set"])
        except RefusalError as problem:
            form.add_error("file", f"{problem}.")
        else:
            done = f"{number(kept.examples)} examples of {version} on {kept.evaluation_set} are kept."
            messages.success(request, done if is_new else f"{file.name} was here already; nothing changed.")
            return redirect(reverse("model_compare", args=[project.slug, version.pk]))
    context = {
        "project": project,
        "version": version,
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "sets": ExampleScores.objects.filter(model_version__project=project, model_version__name=version.name)
        .values_list("evaluation_set", flat=True)
        .distinct(),
        "kept": ExampleScores.objects.filter(model_version=version).defer("packed"),
    }
    return render(request, "results/scores.html", context, status=400 if form.is_bound else 200)


def _version(project: Project, version_id: int) -> ModelVersion:
    found = project.model_versions.select_related("parent", "project").filter(pk=version_id).first()
    if found is None:
        raise Http404(f"Project {project.slug} has no model version {version_id}.")
    return found


def _before(new: ModelVersion, others: list[ModelVersion]) -> ModelVersion | None:
    parent = next((one for one in others if one.pk == new.parent_id), None)
    earlier = [one for one in others if one.created_at <= new.created_at]
    return parent or next(iter(reversed(earlier)), next(iter(others), None))


def _blocks(old: ModelVersion, new: ModelVersion) -> list[SetBlock]:
    found = (compared(old, new, name) for name in shared_sets(old, new))
    return [_block(one, old, new) for one in found if one is not None]


def _block(one: ComparedVersions, old: ModelVersion, new: ModelVersion) -> SetBlock:
    drawn = [metric for metric in one.metrics if metric.old]
    intervals = [(metric.low / abs(metric.old), metric.high / abs(metric.old)) for metric in drawn]
    scale = scale_for(intervals, [metric.value / abs(metric.old) for metric in drawn]) if drawn else None
    changed = "" if one.changed is None else f" The answer changed for {percent(one.changed)} of them."
    left = one.only_in_old + one.only_in_new
    rest = f" {number(left)} examples are in one file alone and were left out." if left else ""
    return SetBlock(
        name=one.evaluation_set,
        sentence=f"{number(one.examples)} examples were scored by both.{changed}{rest}",
        judged=_judged(one, old, new),
        rows=[_row(metric, scale) for metric in one.metrics],
        scale=scale,
        problem=one.problem,
    )


def _judged(one: ComparedVersions, old: ModelVersion, new: ModelVersion) -> str:
    if one.only_new_right is None or one.only_old_right is None:
        return ""
    p = p_value(one.judged_p_value)
    return (
        f"{new.version} alone is right on {number(one.only_new_right)}, {old.version} alone on "
        f"{number(one.only_old_right)} (McNemar’s exact test, p {'' if p.startswith('<') else '= '}{p})."
    )


def _row(metric: MetricDifference, scale: Scale | None) -> MetricRow:
    good = named(metric.name).direction is Direction.INCREASE
    better = metric.low > 0 if good else metric.high < 0
    worse = metric.high < 0 if good else metric.low > 0
    base = abs(metric.old)
    ends = (metric.low / base, metric.high / base) if base else None
    relative = f" ({lift(metric.value / base)})" if base else ""
    return MetricRow(
        name=metric.name,
        old=decimals(metric.old, 4),
        new=decimals(metric.new, 4),
        change=f"{_signed(metric.value)}{relative}",
        interval=f"{_signed(metric.low)} to {_signed(metric.high)}",
        p=p_value(metric.p_value),
        said="Better" if better else "Worse" if worse else "No clear change",
        tone="good" if better else "bad" if worse else "flat",
        mark=None if scale is None or ends is None else mark(scale, ends, metric.value / base),
        label=f"{metric.name}: {_signed(metric.value)}, 95% interval {_signed(metric.low)} to {_signed(metric.high)}",
    )


def _signed(value: float) -> str:
    text = decimals(value, 4)
    return text if text.startswith("−") or value == 0 else f"+{text}"


def _recorded(old: ModelVersion, new: ModelVersion) -> list[SideRow]:
    sides = [{(one.known.label, one.evaluation_set): one for one in version.offline.all()} for version in (old, new)]
    return [
        SideRow(name=name, evaluation_set=on, old=sides[0].get((name, on)), new=sides[1].get((name, on)))
        for name, on in dict.fromkeys([*sides[1], *sides[0]])
    ]
