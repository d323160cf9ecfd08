"""The section on drift of a results page, and the same on a page of its own."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from analysis.drifting import figure
from analysis.drifting.reading import Day, OfVariant, Reading, read
from analysis.drifting.sheet import as_csv
from analysis.drifting.wording import SIZE_WORDS, TONES, Finding, finding, score
from analysis.stats.drift import Drift
from analysis.stats.unavailable import NotComputable
from experiments.access import SignedInRequest, get_experiment
from experiments.pages.formats import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A variant as the table writes it."""

    name: str
    model: str
    launch_mean: str
    newest: Day | None
    newest_mean: str
    index: float | None
    distance: float | None
    words: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftBlock:
    """Everything that the section shows; ``nothing`` says why there is nothing to show."""

    finding: Finding | None
    nothing: str = ""
    rows: tuple[Row, ...] = ()
    figure: dict[str, Any] | None = None
    days: tuple[tuple[OfVariant, Day], ...] = ()
    spreads: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


@login_required
@never_cache
@require_safe
def drift(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Say whether what the models predict still spreads as in the launch week."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "drift": block(read(experiment, timezone.now())),
    }
    template = "results/_drift.html" if "HX-Request" in request.headers else "results/drift.html"
    return render(request, template, context)


@login_required
@never_cache
@require_safe
def drift_csv(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Return every day's scores against the launch week's, as a file."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    found = read(experiment, timezone.now())
    if isinstance(found, NotComputable):
        raise Http404(f"There are no scores of {experiment.key!r}: {found.reason}.")
    response = HttpResponse(as_csv(experiment.key, found), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{experiment.key}-drift.csv"'
    return response


def block(found: Reading | NotComputable) -> DriftBlock:
    """Return the section of a reading."""
    if isinstance(found, NotComputable):
        return DriftBlock(finding=None, nothing=found.reason)
    with_scores = [one for one in found.variants if one.launch_units]
    computed = any(isinstance(day.found, Drift) for one in with_scores for day in one.days)
    return DriftBlock(
        finding=finding(found),
        rows=tuple(_row(one) for one in with_scores),
        figure=figure.by_day(with_scores) if computed else None,
        days=tuple((one, day) for one in with_scores for day in reversed(one.days)),
        spreads=tuple((one.variant.name, _spread(one.newest)) for one in with_scores if one.newest),
    )


def _row(one: OfVariant) -> Row:
    newest, moved = one.last, one.newest
    return Row(
        name=one.variant.name,
        model=one.model,
        launch_mean="–" if one.launch_mean is None else score(one.launch_mean),
        newest=newest,
        newest_mean="–" if newest is None else score(newest.mean),
        index=moved.psi if moved else None,
        distance=moved.ks if moved else None,
        words=SIZE_WORDS[moved.size].capitalize() if moved else _why_not(newest),
        tone=TONES[moved.size] if moved else "flat",
    )


def _why_not(newest: Day | None) -> str:
    if newest is None or isinstance(newest.found, Drift):
        return "No day since the launch week"
    return newest.found.reason.capitalize()


def _spread(newest: Drift) -> tuple[tuple[str, str], ...]:
    """Return each group's share in the launch week and on the newest day, lowest scores first."""
    both = zip(newest.reference_shares, newest.shares, strict=True)
    return tuple((percent(then, 0), percent(now, 0)) for then, now in both)
