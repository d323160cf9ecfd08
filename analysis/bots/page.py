"""The page of bots: units with implausible rates, and the rule that leaves them out of results."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from analysis.bots import excluding
from analysis.bots.excluding import Limits
from analysis.bots.flagging import MANY_A_DAY, MANY_A_MINUTE
from analysis.bots.forms import LimitsForm
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.forms.errors import summary
from experiments.models import Project
from experiments.pages.paging import page_of

EXPERIMENTS = 20
"""Running experiments on a page, those first of which most would be left out."""


@login_required
@never_cache
@require_safe
def bots(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show implausible rates, and what the rule does or would do with the limits that are tried."""
    project, role = get_project(request.user, project_slug)
    tried = LimitsForm(request.GET) if "most_a_day" in request.GET else None
    return _render(request, project, role, tried)


@login_required
@require_POST
def switch_on(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Leave units beyond the limits out of results."""
    project, role = get_project(request.user, project_slug, Role.EDITOR)
    form = LimitsForm(request.POST)
    if not form.is_valid():
        return _render(request, project, role, form)
    excluding.switch_on(project, request.user, form.limits(), timezone.now(), form.cleaned_data["why"])
    messages.success(request, f"Units with {form.limits()} are left out as soon as results are made anew.")
    return redirect("event_bots", project_slug)


@login_required
@require_POST
def switch_off(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Let all units count again."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    if excluding.switch_off(project, request.user):
        messages.success(request, "All units count again as soon as results are made anew.")
    return redirect("event_bots", project_slug)


def _render(request: SignedInRequest, project: Project, role: Role, tried: LimitsForm | None) -> HttpResponse:
    rule = excluding.rule_of(project)
    usual = Limits(most_a_day=MANY_A_DAY, most_a_minute=MANY_A_MINUTE)
    limits = excluding.limits_of(rule) if rule else usual
    form = tried or LimitsForm(initial={"most_a_day": limits.most_a_day, "most_a_minute": limits.most_a_minute})
    is_valid = tried is not None and tried.is_valid()
    shown = tried.limits() if tried is not None and is_valid else limits
    context = {
        "project": project,
        "tab": "quality",
        "rule": rule,
        "form": form,
        "errors": summary([form]) if tried is not None and not is_valid else [],
        "limits": shown,
        "is_tried": is_valid and (rule is None or shown != limits),
        "shown": page_of(
            request, sorted(excluding.preview(project, shown), key=lambda one: -one.left_out), EXPERIMENTS
        ),
        "found": [
            (one, one.events > shown.most_a_day or one.busiest > shown.most_a_minute)
            for one in excluding.evidence(project, timezone.now().date())
        ],
        "may_edit": may(role, Role.EDITOR),
    }
    return render(request, "events/bots.html", context, status=400 if context["errors"] else 200)
