"""The library: what concluded experiments taught, searchable, so that nobody has to learn it twice."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.decorators import login_required
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from analysis.charts.interval import Scale
from analysis.overview.finding import of_stages, with_results
from analysis.overview.rows import Row, rows
from analysis.overview.seeking import LONGEST_SEARCH, Found, marked, matching, with_conclusion, words_of
from experiments import filing
from experiments.access import SignedInRequest, get_experiment, get_project
from experiments.concluding import tags_in_use
from experiments.domain.conclusions import Choice, ConclusionState
from experiments.domain.stages import Stage
from experiments.models import Conclusion, Experiment, ExperimentMetric, Metric, Project
from experiments.staging import staged

PAGE = 20
MOST_RELATED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody looks for."""

    q: str = ""
    tag: str = ""
    metric: str = ""
    decision: str = ""
    page: int = 1

    @property
    def narrows(self) -> bool:
        """Say whether some conclusions may be left out."""
        return bool(self.q or self.tag or self.metric or self.decision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One concluded experiment with what was learned; the searched words are marked."""

    row: Row
    conclusion: Conclusion | None
    learned: SafeString
    headline: SafeString
    tags: list[str]


@login_required
@require_GET
def programme_library(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show what was learned, best matches first, else newest first."""
    project, _ = get_project(request.user, project_slug)
    asked = _asked(request)
    words = words_of(asked.q)
    chosen = _chosen(project, asked, words, timezone.now())
    total = chosen.count()
    start = (asked.page - 1) * PAGE
    shown = list(with_results(chosen)[start : start + PAGE])
    cards, scale = _cards(project, shown, words, timezone.now())
    context = {
        "project": project,
        "asked": asked,
        "cards": cards,
        "scale": scale,
        "total": total,
        "first": start + 1,
        "last": start + len(cards),
        "last_page": max(1, -(-total // PAGE)),
        "decisions": list(Choice),
        "tags": sorted({*filing.tags_of(project), *tags_in_use(project)}),
        "metrics": list(Metric.objects.filter(project=project).values_list("key", "name")),
    }
    return render(request, "overview/library.html", context)


@login_required
@require_GET
def related(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Return concluded experiments that are about something like this one, as a part of a page."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    found = alike(experiment, timezone.now())
    return render(request, "overview/_related.html", {"project": experiment.project, "related": found})


def alike(experiment: Experiment, now: datetime) -> list[Row]:
    """Return the concluded experiments with the most words, and tags, in common."""
    words = [word for word in words_of(experiment.name) if len(word) > 2]
    others = _concluded(experiment.project, now).exclude(pk=experiment.pk)
    found = matching(others, words, "|") if words else others.none()
    if experiment.tags:
        same = others.filter(tags__overlap=experiment.tags)
        found = found if words else same
    best = with_results(found.order_by(F("rank").desc(), "-pk") if words else found.order_by("-pk"))[:MOST_RELATED]
    made, _ = rows(experiment.project, list(best), now)
    return made


def _asked(request: SignedInRequest) -> Asked:
    given = {name: request.GET.get(name, "")[:LONGEST_SEARCH].replace("\0", "") for name in ("q", "tag", "metric")}
    page = request.GET.get("page", "")
    decision = request.GET.get("decision", "")
    return Asked(
        **given,
        decision=decision if decision in {choice.value for choice in Choice} else "",
        page=max(1, int(page)) if page.isascii() and page.isdecimal() and len(page) < 6 else 1,
    )


def _concluded(project: Project, now: datetime) -> Found:
    """Return what is concluded, archived experiments too: what was learned stays true."""
    return with_conclusion(of_stages(staged(Experiment.objects.filter(project=project), now), [Stage.CONCLUDED]))


def lessons(project: Project, asked: Asked, most: int, now: datetime) -> tuple[list[Card], int]:
    """Return the first lessons of those asked for, and how many there are."""
    words = words_of(asked.q)
    chosen = _chosen(project, asked, words, now)
    cards, _ = _cards(project, list(with_results(chosen)[:most]), words, now)
    return cards, chosen.count()


def _chosen(project: Project, asked: Asked, words: list[str], now: datetime) -> Found:
    found = matching(_concluded(project, now), words)
    if asked.tag:
        found = found.filter(Q(tags__contains=[asked.tag.lower()]) | Q(made__tags__contains=[asked.tag.lower()]))
    if asked.metric:
        of_metric = ExperimentMetric.objects.filter(metric__key=asked.metric, metric__project=project)
        found = found.filter(pk__in=of_metric.values("experiment"))
    if asked.decision:
        found = found.filter(Q(made__decision=asked.decision))
    newest = Coalesce(F("made__decided_at"), F("shipped_at"), F("stopped_at")).desc(nulls_last=True)
    return found.order_by(F("rank").desc(), newest, "-pk") if words else found.order_by(newest, "-pk")


def _cards(
    project: Project, shown: list[Experiment], words: list[str], now: datetime
) -> tuple[list[Card], Scale | None]:
    made, scale = rows(project, shown, now)
    in_force = Conclusion.objects.filter(experiment__in=shown, state=ConclusionState.MADE.value)
    conclusions = {one.experiment_id: one for one in in_force.select_related("decided_by")}
    return [_card(one, conclusions.get(one.experiment.pk), words) for one in made], scale


def _card(row: Row, conclusion: Conclusion | None, words: list[str]) -> Card:
    return Card(
        row=row,
        conclusion=conclusion,
        learned=marked(conclusion.learned if conclusion else "", words),
        headline=marked(row.standing.headline if row.standing else "", words),
        tags=sorted({*row.experiment.tags, *(conclusion.tags if conclusion else [])}),
    )
