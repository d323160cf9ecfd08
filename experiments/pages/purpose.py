"""While somebody writes a hypothesis: what it names so far, and which experiments asked something alike."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from experiments.access import SignedInRequest, get_project
from experiments.domain import hypothesis
from experiments.domain.conclusions import ConclusionState
from experiments.domain.kinds import ExperimentKind
from experiments.domain.similarity import similar
from experiments.models import Conclusion, Experiment, Project

LONGEST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An experiment that asked something alike, and what came of it."""

    experiment: Experiment
    conclusion: Conclusion | None


@login_required
@require_POST
def purpose(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Read what is typed; nothing is kept."""
    project, _ = get_project(request.user, project_slug)
    text = request.POST.get("hypothesis", "")[:LONGEST]
    about = f"{request.POST.get('name', '')[:120]} {text}"
    metrics = list(project.metrics.filter(archived_at=None).values_list("name", flat=True))
    context = {
        "project": project,
        "findings": hypothesis.read(text, metrics) if text.strip() else (),
        "earlier": earlier(project, about, besides=request.GET.get("besides", "")),
    }
    return render(request, "experiments/set_up/_purpose.html", context)


def earlier(project: Project, about: str, besides: str = "") -> list[Earlier]:
    """Return the experiments nearest to what is asked, with their conclusions."""
    rows = Experiment.objects.filter(project=project, kind=ExperimentKind.STANDARD.value).exclude(key=besides)
    texts = {pk: f"{name} {said}" for pk, name, said in rows.values_list("pk", "name", "hypothesis")}
    near = [match.key for match in similar(about, texts)]
    found = Experiment.objects.in_bulk(near)
    made = Conclusion.objects.filter(experiment__in=near, state=ConclusionState.MADE.value)
    concluded = {one.experiment_id: one for one in made}
    return [Earlier(experiment=found[pk], conclusion=concluded.get(pk)) for pk in near]
