"""The simulator: who would get what, and why, for any unit and attributes."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from assignment.pages.answering import MOST_ANSWERS, SAMPLE, Names, answers, sample
from assignment.pages.asking import read_question
from assignment.pages.serving import served
from experiments.access import SignedInRequest, get_project
from experiments.domain.environments import Environment
from experiments.models import FlagRule, Project


@login_required
@require_GET
def simulator(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the question's form and, where something is asked, an answer for each flag and experiment."""
    project, _ = get_project(request.user, project_slug)
    question = read_question(request.GET)
    found, refused = [], {}
    if question.is_asked:
        built = served(project, question.environment)
        found, refused = answers(built, question.attributes, question.wanted, _names(project)), built.refused
    context = {
        "project": project,
        "settings_page": "simulator",
        "question": question,
        "environments": list(Environment),
        "answers": found,
        "refused": refused,
        "limit": MOST_ANSWERS if len(found) == MOST_ANSWERS else 0,
    }
    return render(request, "assignment/simulator.html", context, status=400 if question.problem else 200)


@login_required
@require_GET
def distribution(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show how 1,000 units with random ids and the asked attributes would be spread over one flag's variants."""
    project, _ = get_project(request.user, project_slug)
    question = read_question(request.GET)
    built = served(project, question.environment)
    is_served = key in built.facts
    if not is_served and not _exists(project, key):
        raise Http404(f"Project {project_slug!r} has no flag or experiment {key!r}.")
    context = {
        "project": project,
        "settings_page": "simulator",
        "question": question,
        "environments": list(Environment),
        "key": key,
        "is_served": is_served,
        "why_not": built.refused.get(key, ""),
        "units": SAMPLE,
        "parts": sample(built, key, question.attributes) if is_served and not question.problem else [],
    }
    return render(request, "assignment/distribution.html", context, status=400 if question.problem else 200)


def _exists(project: Project, key: str) -> bool:
    return project.experiments.filter(key=key).exists() or project.flags.filter(key=key).exists()


def _names(project: Project) -> Names:
    rules = FlagRule.objects.filter(flag__project=project).exclude(name="").values_list("pk", "name")
    segments = project.segments.values_list("key", "name")
    return Names(rules={f"rule:{pk}": name for pk, name in rules}, segments=dict(segments))
