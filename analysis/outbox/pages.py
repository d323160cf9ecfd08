"""What became of each message: the list with reasons, one message, and sending it again."""

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST

from analysis.mail import tasks
from analysis.mail.inspection import body_response
from analysis.models import OutboxMessage
from analysis.outbox import repeating
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.models import Project

PAGE = 50
State = OutboxMessage.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which messages are shown; empty is all."""

    state: str = ""
    channel: str = ""
    to: str = ""

    @property
    def query(self) -> str:
        """Return it as an address has it, for the links to other pages of the list."""
        return urlencode({name: getattr(self, name) for name in ("state", "channel", "to") if getattr(self, name)})


@login_required
@require_GET
def delivery_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List a project's messages, newest first."""
    project, role = get_project(request.user, project_slug)
    chosen = _filter(request)
    found = _found(project, chosen).select_related("digest", "reader", "webhook", "snapshot__experiment")
    shown = Paginator(found.defer("text", "html", "pictures", "payload"), PAGE).get_page(request.GET.get("page"))
    counts = dict(project.outbox.order_by().values_list("state").annotate(Count("pk")))
    context = {
        "project": project,
        "settings_page": "notifications",
        "notices_page": "deliveries",
        "shown": shown,
        "filter": chosen,
        "states": [(state.value, state.label, counts.get(state.value, 0)) for state in State],
        "may_edit": may(role, Role.ANALYST),
    }
    return render(request, "outbox/list.html", context)


@login_required
@require_GET
def delivery(request: SignedInRequest, project_slug: str, message_id: int) -> HttpResponse:
    """Show one message and what became of it. What it says is for members, as the results are."""
    project, role = get_project(request.user, project_slug)
    message = _message(project, message_id)
    context = {
        "project": project,
        "settings_page": "notifications",
        "notices_page": "deliveries",
        "mail": message,
        "notices": message.notices.select_related("occurrence__experiment"),
        "repeats": message.repeats.all(),
        "may_edit": may(role, Role.ANALYST),
        "refusal": repeating.refusal(message),
        "posted": json.dumps(message.payload, indent=2, ensure_ascii=False),
    }
    return render(request, "outbox/message.html", context)


@login_required
@require_GET
@xframe_options_sameorigin
def delivery_body(request: SignedInRequest, project_slug: str, message_id: int) -> HttpResponse:
    """Return the HTML of one message, to be framed."""
    project, _ = get_project(request.user, project_slug)
    message = _message(project, message_id)
    return body_response(message.html, message.pictures)


@login_required
@require_POST
def send_again(request: SignedInRequest, project_slug: str, message_id: int) -> HttpResponse:
    """Send a message that failed once more, as a new one."""
    project, _ = get_project(request.user, project_slug, Role.ANALYST)
    message = _message(project, message_id)
    if why := repeating.refusal(message):
        messages.error(request, why)
        return redirect("delivery", project_slug, message_id)
    again = repeating.send_again(message, request.user, timezone.now())
    tasks.deliver_soon()
    messages.success(request, f"Sent again to {again.recipient}; this page says what became of it.")
    return redirect("delivery", project_slug, again.pk)


def _message(project: Project, message_id: int) -> OutboxMessage:
    rows = OutboxMessage.objects.select_related("digest", "reader", "webhook", "project", "sent_again")
    return get_object_or_404(rows, project=project, pk=message_id)


def _filter(request: SignedInRequest) -> Filter:
    asked = request.GET
    return Filter(
        state=asked.get("state", "") if asked.get("state", "") in State.values else "",
        channel=asked.get("channel", "") if asked.get("channel", "") in OutboxMessage.Channel.values else "",
        to=asked.get("to", "").strip()[:100],
    )


def _found(project: Project, chosen: Filter) -> "QuerySet[OutboxMessage, OutboxMessage]":
    found = project.outbox.all()
    if chosen.state:
        found = found.filter(state=chosen.state)
    if chosen.channel:
        found = found.filter(channel=chosen.channel)
    if chosen.to:
        found = found.filter(Q(recipient__icontains=chosen.to) | Q(subject__icontains=chosen.to))
    return found
