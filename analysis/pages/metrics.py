"""What results know of a metric: its A/A certificate, and another version of it in a started experiment."""

from collections.abc import Mapping

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from analysis import certifying
from analysis.reversioning import choose_version, why_not
from experiments.access import SignedInRequest, get_experiment, get_project
from experiments.domain.access import Role
from experiments.domain.definition_words import differences, sentence
from experiments.forms.errors import summary
from experiments.models import Experiment, ExperimentMetric, MetricVersion
from experiments.pages.kept import typed
from experiments.refusals import RefusedError


class VersionForm(forms.Form):
    """Which version counts from now on, and why."""

    number = forms.TypedChoiceField(label="Version", coerce=int, widget=forms.RadioSelect)
    why = forms.CharField(max_length=300, label="Why", help_text="Kept in the history, and said beside the result.")

    def __init__(self, posted: object, *, use: ExperimentMetric, versions: list[MetricVersion]) -> None:
        super().__init__(posted, initial={"number": versions[0].number})  # type: ignore[arg-type]
        self.fields["number"].choices = [  # type: ignore[attr-defined]
            (one.number, f"Version {one.number}{' (counts now)' if one.number == use.number else ''}: {_said(one)}")
            for one in versions
        ]


def _said(version: MetricVersion) -> str:
    return sentence(version.definition())


@login_required
@never_cache
@require_GET
def metric_trial(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show what A/A replays on the project's own units said of a metric."""
    project, _ = get_project(request.user, project_slug)
    metric = project.metrics.filter(key=key).first()
    if metric is None:
        raise Http404(f"Project {project_slug!r} has no metric {key!r}.")
    context = {"project": project, "metric": metric, "certificate": certifying.newest(project).get(metric.pk)}
    return part_of_page(request, "metrics/trial.html", context, "A/A certificate")


def part_of_page(request: SignedInRequest, part: str, context: Mapping[str, object], title: str) -> HttpResponse:
    """Return a part of a metric's page as htmx fetches it, and as a page of its own where there is no script."""
    if request.headers.get("HX-Request"):
        return render(request, part, context)
    return render(request, "metrics/part.html", {**context, "part": part, "title": title})


@login_required
@require_http_methods(["GET", "POST"])
def version_choice(request: SignedInRequest, project_slug: str, key: str, metric_key: str) -> HttpResponse:
    """Show a metric's versions, or count another one of them in a started experiment from now on."""
    user = request.user
    experiment, _ = get_experiment(user, project_slug, key, Role.EDITOR)
    use = _use(experiment, metric_key)
    versions = list(use.metric.versions.all())
    form = VersionForm(typed(request), use=use, versions=versions)
    if request.method == "POST" and form.is_valid():
        version = next(one for one in versions if one.number == form.cleaned_data["number"])
        try:
            if choose_version(use, user, version, form.cleaned_data["why"]):
                messages.success(
                    request,
                    f"{use.metric.name} counts by version {version.number}. Everything is counted anew from the log; "
                    "the results follow in a moment.",
                )
        except RefusedError as error:
            form.add_error(None, str(error))
        else:
            return redirect("experiment_results", project_slug, key)
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "use": use,
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "why_not": why_not(experiment),
        "changes": differences(use.counted.definition(), use.metric.definition()),
    }
    return render(request, "metrics/version.html", context, status=400 if request.method == "POST" else 200)


def _use(experiment: Experiment, metric_key: str) -> ExperimentMetric:
    uses = experiment.plan.select_related("metric", "version")
    found = uses.filter(metric__key=metric_key, metric__versions__isnull=False).first()
    if found is None:
        raise Http404(f"Experiment {experiment.key!r} does not use a metric {metric_key!r} that has versions.")
    return found
