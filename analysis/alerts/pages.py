"""The page of alerts, and what people can do with one."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from analysis.alerts import answering
from analysis.alerts.forms import DAYS, MuteForm, WhyForm
from analysis.alerts.listing import asking, listed
from analysis.models import Alert
from experiments.access import SignedInRequest, get_experiment, get_project, may
from experiments.domain.access import Role

MOST_IN_A_PART = 10


@login_required
@require_GET
def alert_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List what is wrong: what asks for somebody first, then what is taken on, muted, or lately over."""
    project, role = get_project(request.user, project_slug)
    context = {
        "project": project,
        "alerts": listed(project, timezone.now()),
        "may_answer": may(role, Role.ANALYST),
        "mutes": DAYS,
        "notices_page": "alerts",
        "settings_page": "notifications",
    }
    return render(request, "alerts/list.html", context)


@login_required
@require_GET
def asking_part(request: SignedInRequest, project_slug: str, key: str | None = None) -> HttpResponse:
    """Return the alerts that ask for somebody as a piece of another page: the project's, or one experiment's."""
    if key is None:
        project, experiment = get_project(request.user, project_slug)[0], None
    else:
        experiment, _ = get_experiment(request.user, project_slug, key)
        project = experiment.project
    found = list(asking(project, timezone.now(), experiment)[: MOST_IN_A_PART + 1])
    context = {
        "project": project,
        "experiment": experiment,
        "alerts": found[:MOST_IN_A_PART],
        "more": len(found) > MOST_IN_A_PART,
    }
    return render(request, "alerts/_asking.html", context)


@login_required
@require_POST
def acknowledge(request: SignedInRequest, project_slug: str, alert_id: int) -> HttpResponse:
    """Take an alert on."""
    alert = _alert(request, project_slug, alert_id)
    form = WhyForm(request.POST)
    why = form.cleaned_data["why"] if form.is_valid() else ""
    if answering.acknowledge(alert, request.user, why, timezone.now()):
        messages.success(request, "You have taken it on; nobody else is asked.")
    else:
        messages.warning(request, "It is over, or somebody has taken it on already.")
    return redirect("alert_list", project_slug)


@login_required
@require_POST
def hand_back(request: SignedInRequest, project_slug: str, alert_id: int) -> HttpResponse:
    """Give an alert back to everyone."""
    if answering.hand_back(_alert(request, project_slug, alert_id), request.user, ""):
        messages.success(request, "The alert asks for somebody again.")
    return redirect("alert_list", project_slug)


@login_required
@require_POST
def mute(request: SignedInRequest, project_slug: str, alert_id: int) -> HttpResponse:
    """Hear nothing of an alert for a while, or at all."""
    alert = _alert(request, project_slug, alert_id)
    form = MuteForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was muted: choose for how long.")
        return redirect("alert_list", project_slug)
    now = timezone.now()
    answering.mute(alert, request.user, form.until(now), form.cleaned_data["why"], now)
    messages.success(request, f"Muted {DAYS[form.cleaned_data['days']]}. It stays in the list below.")
    return redirect("alert_list", project_slug)


@login_required
@require_POST
def unmute(request: SignedInRequest, project_slug: str, alert_id: int) -> HttpResponse:
    """Hear of an alert again."""
    if answering.unmute(_alert(request, project_slug, alert_id), request.user):
        messages.success(request, "The alert is heard again.")
    return redirect("alert_list", project_slug)


def _alert(request: SignedInRequest, slug: str, alert_id: int) -> Alert:
    project, _ = get_project(request.user, slug, Role.ANALYST)
    return get_object_or_404(Alert.objects.select_related("project", "experiment"), project=project, pk=alert_id)
