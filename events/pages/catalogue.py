"""The catalogue's page, and its names as suggestions for forms of other areas."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from events import catalogue
from experiments.access import SignedInRequest, get_project
from experiments.pages.paging import page_of

DAYS = 14
CHART_HEIGHT = 24
BAR_WIDTH = 6


@login_required
@never_cache
@require_safe
def event_catalogue(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the events that the project has sent, with their volume and properties."""
    project, _ = get_project(request.user, project_slug)
    today = timezone.now().date()
    shown = page_of(request, catalogue.events_of(project.pk))
    events = list(shown)
    catalogue.describe(events, today, DAYS)
    rows = [
        {
            "event": event,
            "today": event.volume[-1],
            "yesterday": event.volume[-2],
            "bars": _bars(event.volume),
            "properties": [
                {
                    "key": key,
                    "types": " or ".join(each.type for each in found),
                    "example": found[0].example,
                }
                for key, found in event.kinds.items()
            ],
        }
        for event in events
    ]
    context = {
        "project": project,
        "tab": "catalogue",
        "shown": shown,
        "rows": rows,
        "days": DAYS,
        "chart_width": DAYS * BAR_WIDTH,
    }
    return render(request, "events/catalogue.html", context)


@login_required
@never_cache
@require_safe
def event_names(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Return the names of the project's events as the options of a list of suggestions."""
    project, _ = get_project(request.user, project_slug)
    return render(request, "events/options.html", {"options": [(name, "") for name in catalogue.names(project.pk)]})


@login_required
@never_cache
@require_safe
def event_properties(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Return the properties of the event named ``event`` as the options of a list of suggestions."""
    project, _ = get_project(request.user, project_slug)
    name = request.GET.get("event", "").strip().replace("\x00", "\ufffd")
    kinds = {each.key: each.type for each in catalogue.properties(project.pk, name)}
    return render(request, "events/options.html", {"options": list(kinds.items())})


def _bars(volume: list[int]) -> SafeString:
    """Draw the days' bars: a page has thousands, which would be a template's most work."""
    most = max(volume, default=0) or 1
    heights = [round(CHART_HEIGHT * count / most, 1) if count else 0.0 for count in volume]
    bars = (
        f'<rect x="{index * BAR_WIDTH}" y="{CHART_HEIGHT - height}" width="{BAR_WIDTH - 1}" height="{height}"/>'
        for index, height in enumerate(heights)
    )
    return mark_safe("".join(bars))  # noqa: S308  (numbers alone)
