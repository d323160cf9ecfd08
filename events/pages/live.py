"""The event debugger: what arrives in a project right now, what was refused and why, and how to send a first event."""

import hashlib
import json
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from events import stream
from experiments.access import SignedInRequest, get_project
from experiments.models import Project

CHART_HEIGHT = 40
BAR_WIDTH = 6


@login_required
@never_cache
@require_safe
def live(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the page; with script it brings itself up to date, without there is a link to do so."""
    project, _ = get_project(request.user, project_slug)
    context = {**_arrivals(request, project), "tab": "live", "first_event": first_event(settings.BASE_URL)}
    return render(request, "events/live.html", context)


@login_required
@never_cache
@require_safe
def arrivals(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Return the part of the page that changes, or nothing when it is still as ``state`` says."""
    project, _ = get_project(request.user, project_slug)
    context = _arrivals(request, project)
    if context["state"] == request.GET.get("state"):
        return HttpResponse(status=204)
    return render(request, "events/arrivals.html", context)


def first_event(base_url: str) -> str:
    """Return a shell command that sends one event to this installation."""
    body = json.dumps({"event": "Order Completed", "userId": "user-1", "properties": {"revenue": 19.9}})
    return (
        f"curl {base_url}/v1/track \\\n  -u YOUR_API_KEY: \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
    )


def _arrivals(request: SignedInRequest, project: Project) -> dict[str, object]:
    name, unit = request.GET.get("name", "").strip(), request.GET.get("unit", "").strip()
    paused = request.GET.get("paused") == "1"
    now = timezone.now()
    accepted = stream.accepted(project.pk, now, name=_keepable(name), unit=_keepable(unit))
    valkey = stream.arrivals(project.pk, now)
    refused = valkey.refused if valkey else []
    rates = valkey.rates if valkey else None
    shown = [event.id for event in accepted], [str(each.at) for each in refused], rates and rates.per_minute[:-1]
    state = hashlib.md5(repr(shown).encode(), usedforsecurity=False).hexdigest()
    filters = {key: value for key, value in (("name", name), ("unit", unit)) if value}
    return {
        "project": project,
        "accepted": accepted,
        "refused": refused,
        "rates": rates,
        "bars": _bars(rates.per_minute[:-1]) if rates else [],
        "days": stream.DAYS_SHOWN,
        "minutes": stream.RATE_MINUTES,
        "name": name,
        "unit": unit,
        "filtered": bool(filters),
        "paused": paused,
        "state": state,
        "poll": f"{reverse('event_arrivals', args=[project.slug])}?{urlencode({**filters, 'state': state})}",
        "pause": f"?{urlencode({**filters, 'paused': '1'})}",
        "resume": f"?{urlencode(filters)}",
        "here": f"?{urlencode({**filters, **({'paused': '1'} if paused else {})})}",
    }


def _keepable(text: str) -> str:
    """Return a filter as the database can compare it: no event holds NUL, so one that does finds nothing."""
    return text.replace("\x00", "\ufffd")[: stream.LONGEST_FILTER]


def _bars(per_minute: list[int]) -> list[dict[str, float]]:
    """Return a bar for each minute, scaled to the busiest."""
    most = max(per_minute, default=0) or 1
    heights = [round(CHART_HEIGHT * count / most, 1) if count else 0.0 for count in per_minute]
    return [
        {"x": index * BAR_WIDTH, "y": CHART_HEIGHT - height, "height": height, "width": BAR_WIDTH - 1}
        for index, height in enumerate(heights)
    ]
