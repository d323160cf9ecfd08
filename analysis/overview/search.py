"""The search box of every page: experiments, flags, metrics, models, layers, segments and terms of a project."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import F, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from analysis.overview.finding import with_results
from analysis.overview.rows import rows
from analysis.overview.seeking import marked, matching, with_conclusion, words_of
from experiments.access import SignedInRequest, get_project
from experiments.domain import glossary
from experiments.models import Experiment, Flag, Layer, Metric, ModelVersion, Project, Segment
from experiments.staging import staged

SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing found."""

    href: str
    name: SafeString
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Things of one kind; ``more`` leads to a list of all."""

    title: str
    hits: list[Hit]
    more: str = ""


@login_required
@require_GET
def project_search(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show what has all of the words, by kind."""
    project, _ = get_project(request.user, project_slug)
    q = request.GET.get("q", "")[:100].replace("\0", "").strip()
    words = words_of(q)
    groups = [group for group in _groups(project, q, words) if group.hits] if words else []
    return render(request, "overview/search.html", {"project": project, "q": q, "groups": groups, "words": words})


def _groups(project: Project, q: str, words: list[str]) -> Iterable[Group]:
    yield _experiments(project, q, words)
    yield _named(Flag.objects.filter(project=project, archived_at__isnull=True), "Flags", "flag_detail", project, words)
    yield _listed(Metric.objects.filter(project=project), "Metrics", "metric_list", project, words)
    versions = ModelVersion.objects.filter(project=project)
    yield _listed(versions, "Model versions", "model_list", project, words, fields=("name", "version", "notes"))
    yield _listed(Layer.objects.filter(project=project), "Layers", "layer_list", project, words)
    segments = Segment.objects.filter(project=project, archived_at__isnull=True)
    yield _named(segments, "Segments", "segment_edit", project, words)
    terms = glossary.matching(" ".join(words))[:SHOWN]
    where = reverse("glossary")
    yield Group(
        title="Words",
        hits=[Hit(href=f"{where}#{one.key}", name=marked(one.word, words), detail=one.short) for one in terms],
    )


def _experiments(project: Project, q: str, words: list[str]) -> Group:
    of_project = with_conclusion(staged(Experiment.objects.filter(project=project), timezone.now()))
    found = matching(of_project, words).order_by(F("rank").desc(), "-pk")
    shown, _ = rows(project, list(with_results(found)[: SHOWN + 1]), timezone.now())
    if not shown:
        by_key = of_project.filter(key__icontains=q).order_by("-pk")
        shown, _ = rows(project, list(with_results(by_key)[: SHOWN + 1]), timezone.now())
    hits = [
        Hit(
            href=one.href,
            name=marked(one.experiment.name, words),
            detail=" · ".join(filter(None, [one.stage.value.capitalize(), one.says])),
        )
        for one in shown
    ]
    more = f"{reverse('experiment_list', args=[project.slug])}" if len(hits) > SHOWN else ""
    return Group(title="Experiments", hits=hits[:SHOWN], more=more)


def _named(
    found: "QuerySet[Flag] | QuerySet[Segment]", title: str, page: str, project: Project, words: list[str]
) -> Group:
    hits = [
        Hit(href=reverse(page, args=[project.slug, one.key]), name=marked(one.name, words), detail=one.key)
        for one in _having(found, words, ("name", "key", "description"))
    ]
    return Group(title=title, hits=hits)


def _listed(
    found: "QuerySet[Metric] | QuerySet[ModelVersion] | QuerySet[Layer]",
    title: str,
    page: str,
    project: Project,
    words: list[str],
    fields: tuple[str, ...] = ("name", "key", "description"),
) -> Group:
    where = reverse(page, args=[project.slug])
    hits = [
        Hit(href=where, name=marked(str(one), words), detail=getattr(one, fields[-1]))
        for one in _having(found, words, fields)
    ]
    return Group(title=title, hits=hits)


def _having(found: "QuerySet[Any]", words: list[str], fields: tuple[str, ...]) -> "QuerySet[Any]":
    for word in words:
        somewhere = Q()
        for field in fields:
            somewhere |= Q(**{f"{field}__icontains": word})
        found = found.filter(somewhere)
    return found[:SHOWN]
