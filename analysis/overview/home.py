"""A project's first page: what needs somebody today, what runs, and what was decided lately."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from analysis.overview.today import today
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role

WHOSE = {"me": True, "all": False}


@login_required
@require_GET
def project_home(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Say what needs the person who looks; ``?whose=all`` what needs anybody, ``?whose=me`` what is theirs."""
    project, role = get_project(request.user, project_slug)
    may_edit = may(role, Role.EDITOR)
    mine = WHOSE.get(request.GET.get("whose", ""))
    shown = today(project, request.user, timezone.now(), mine=mine, may_review=may_edit)
    return render(request, "overview/home.html", {"project": project, "today": shown, "may_edit": may_edit})
