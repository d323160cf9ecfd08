"""What disturbs what? Pairs of experiments that run at the same time."""

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.programme import interactions as reading
from analysis.programme.interaction_words import strongest
from analysis.programme.schema import Interactions, InteractionTest, PairFact
from experiments.access import SignedInRequest, get_project
from experiments.pages.formats import bounds, lift, p_value

MOST_ROWS = 100
"""Those that disturb each other come first; the API has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pair; its strongest test, where there is one."""

    pair: PairFact
    test: InteractionTest | None
    alone: str
    together: str
    value: str
    span: str
    p_value: str
    mark: Mark | None
    label: str


@login_required
@require_GET
def interactions(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show which experiments disturb each other, and which pairs cannot be told."""
    project, _ = get_project(request.user, project_slug)
    found = reading.read(project, timezone.now())
    scale = _scale(found)
    tested, untested = ([one for one in found.pairs if bool(one.reason) is unread] for unread in (False, True))
    context = {
        "project": project,
        "found": found,
        "rows": [_row(one, scale) for one in tested[:MOST_ROWS]],
        "all_tested": len(tested),
        "untested": untested[:MOST_ROWS],
        "all_untested": len(untested),
        "scale": scale,
        "ticks": [(one.x, lift(one.value) if one.value else "0") for one in scale.ticks] if scale else [],
        "fewest": reading.FEWEST,
        "evidence_tab": "interactions",
    }
    return render(request, "evidence/interactions.html", context)


def _scale(found: Interactions) -> Scale | None:
    tests = [strongest(one) for one in found.pairs if one.tests]
    return scale_for([one.interval for one in tests], [one.value for one in tests]) if tests else None


def _row(pair: PairFact, scale: Scale | None) -> Row:
    test = strongest(pair)
    return Row(
        pair=pair,
        test=test,
        alone=lift(test.alone),
        together=lift(test.together),
        value=lift(test.value),
        span=bounds(test.interval),
        p_value=p_value(min(pair.adjusted)),
        mark=mark(scale, test.interval, test.value) if scale is not None else None,
        label=f"{pair.first_name} and {pair.second_name}: {lift(test.value)}, 95% interval {bounds(test.interval)}",
    )
