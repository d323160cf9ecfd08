"""The page on how an experiment's exposures and events meet, and the piece of it that other pages show."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from analysis.joining.reading import read
from analysis.joining.wording import findings, in_general
from analysis.stats.unavailable import NotComputable
from experiments.access import SignedInRequest, get_experiment

EXAMPLES_SHOWN = 5


@login_required
@never_cache
@require_safe
def joining(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Say how exposures and events of an experiment meet, with examples of both sides' ids."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    found = read(experiment, timezone.now())
    context = {"project": experiment.project, "experiment": experiment, "tab": "quality"}
    if isinstance(found, NotComputable):
        context |= {"nothing": found.reason}
    else:
        context |= {
            "found": found,
            "findings": findings(found),
            "sentences": in_general(found),
            "exposure_ids": found.met.exposure_ids[:EXAMPLES_SHOWN],
            "event_ids": found.met.event_ids[:EXAMPLES_SHOWN],
        }
    return render(request, "events/joining.html", context)
