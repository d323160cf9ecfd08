"""The page of data quality: whether events arrive as they should, what is wrong first."""

from collections.abc import Sequence

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from analysis import people
from analysis.alerts import arrivals, arriving, volume
from analysis.alerts.kinds import AlertKind
from analysis.models import Alert
from analysis.stats.volume import Volume
from experiments.access import SignedInRequest, get_project
from experiments.domain.lifecycle import LIVE
from experiments.models import Experiment
from experiments.pages.formats import day, number

MOST_LISTED = 50
MOST_BY_DAY = 20
_DAY = (
    '<tr><th scope="row">{}</th><td data-label="Door">{}</td><td data-label="Day">{}</td>'
    '<td class="n" data-label="Events">{}</td><td class="n" data-label="Came again">{}</td>'
    '<td class="n" data-label="Late">{}</td><td class="n" data-label="Wrong clock">{}</td>'
    '<td class="n" data-label="Worst clock, s">{}</td><td class="n" data-label="Missing">{}</td></tr>'
)


@login_required
@never_cache
@require_safe
def event_quality(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Say which events come in unusual numbers, late, from wrong clocks, or in vain."""
    project, _ = get_project(request.user, project_slug)
    now = timezone.now()
    readings, ways = volume.readings(project, now), arriving.ways(project, now)
    refused, strays = arrivals.refusals(project, now), arrivals.strays(project, now)
    ringing = [one for one in readings if one.rings]
    others = list(
        Alert.objects.filter(project=project, kind=AlertKind.DATA_QUALITY, closed_at__isnull=True)
        .exclude(key__startswith=volume.PREFIX)
        .select_related("experiment")
        .only("project", "severity", "sentence", "what_to_do", "experiment__key")[:MOST_LISTED]
    )
    context = {
        "project": project,
        "tab": "quality",
        "ringing": ringing,
        "rows": [{"reading": one, "known": isinstance(one.found, Volume)} for one in readings],
        "running": Experiment.objects.filter(project=project, status__in=[status.value for status in LIVE], design={})
        .only("key", "name")
        .order_by("name")[:MOST_LISTED],
        "ways": ways,
        "by_day": _by_day(ways[:MOST_BY_DAY]),
        "punctual": arrivals.punctuality(project, now),
        "refused": refused,
        "strays": strays,
        "known": people.known(project),
        "others": others,
        "quiet": not (ringing or refused or strays or others) and refused is not None,
        "judged": any(isinstance(one.found, Volume) for one in readings),
    }
    return render(request, "events/quality.html", context)


def _by_day(ways: Sequence[arriving.Way]) -> SafeString:
    """Write the rows of the table by day, of which there are a hundred and more."""
    rows = (
        (way.name, way.door_name, day(on), *map(number, (one.events, one.again, one.late, one.corrected)),
         number(one.farthest), number(one.missing))
        for way in ways
        for on, one in way.days
    )  # fmt: skip
    return format_html_join("", _DAY, rows)
