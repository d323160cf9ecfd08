"""Flags: the list, one flag with its rules, and the forms that make and change it."""

from dataclasses import dataclass

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from experiments.access import SignedInRequest, get_flag, get_project, may
from experiments.domain.access import Role
from experiments.domain.environments import Environment
from experiments.domain.kinds import ValueType
from experiments.flags import FlagPlan, archive_flag, create_flag, edit_flag, set_flag_environment, subject_of
from experiments.forms.errors import summary
from experiments.forms.flags import FlagForm, NeedForm, NewFlagForm
from experiments.forms.values import TYPES
from experiments.models import Flag, Project
from experiments.pages.history import history
from experiments.pages.kept import typed
from experiments.pages.rules import shown_rules
from experiments.pages.snippets import snippets
from experiments.prerequisites import set_prerequisites
from experiments.refusals import RefusedError

LONGEST_LIST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Whether a flag is on in one environment."""

    name: str
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One flag of the list; ``cells`` say where it is on, an environment each."""

    flag: Flag
    serves: str
    cells: SafeString


_CELL = '<td data-label="{}"><span class="tag {}"><span aria-hidden="true">{}</span>{}</span></td>'
_CELLS = {
    (one.value, is_on): format_html(_CELL, one.value.capitalize(), *how)
    for one in Environment
    for is_on, how in ((True, ("good", "✓", "On")), (False, ("flat", "–", "Off")))
}


def _states(flag: Flag) -> list[State]:
    on = {row.environment for row in flag.in_environments.all() if row.enabled}
    return [State(name=one.value, on=one.value in on) for one in Environment]


def _cells(flag: Flag) -> SafeString:
    return mark_safe("".join(_CELLS[one.name, one.on] for one in _states(flag)))  # noqa: S308  (cells of ours)


@login_required
@require_GET
def flag_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the flags in use or the archived ones, of which a search finds some."""
    project, role = get_project(request.user, project_slug)
    query, archived = request.GET.get("q", "").strip()[:80], request.GET.get("archived") == "1"
    found = project.flags.filter(archived_at__isnull=not archived).prefetch_related("in_environments")
    if query:
        found = found.filter(Q(name__icontains=query) | Q(key__icontains=query))
    flags = list(found.annotate(rule_count=Count("rules"))[: LONGEST_LIST + 1])
    context = {
        "project": project,
        "rows": [
            Row(flag=flag, serves=TYPES[ValueType(flag.value_type)], cells=_cells(flag))
            for flag in flags[:LONGEST_LIST]
        ],
        "more": len(flags) > LONGEST_LIST,
        "environments": [one.value for one in Environment],
        "query": query,
        "archived": archived,
        "archived_count": 0 if archived else project.flags.filter(archived_at__isnull=False).count(),
        "may_edit": may(role, Role.EDITOR),
    }
    return render(request, "flags/list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def flag_new(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show the form, or make the flag and show it."""
    project, _ = get_project(request.user, project_slug, Role.EDITOR)
    form = NewFlagForm(typed(request))
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        plan = FlagPlan(
            key=chosen["key"],
            name=chosen["name"],
            description=chosen["description"],
            value_type=ValueType(chosen["value_type"]),
            default_value=chosen["default"],
        )
        try:
            flag = create_flag(project, request.user, plan)
        except RefusedError as error:
            form.add_error("key" if "key" in str(error) else None, str(error))
        else:
            return redirect("flag_detail", project.slug, flag.key)
    return _form_page(request, project, form, "flags/new.html")


@login_required
@require_http_methods(["GET", "POST"])
def flag_edit(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show what may change of a flag, or change it. A form that was opened before another change is refused."""
    flag, _ = get_flag(request.user, project_slug, key, Role.EDITOR)
    form = FlagForm(typed(request), flag=flag)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        try:
            edit_flag(
                flag,
                request.user,
                name=chosen["name"],
                description=chosen["description"],
                default_value=chosen["default"],
                revision=chosen["revision"],
            )
        except RefusedError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Saved.")
            return redirect("flag_detail", project_slug, key)
    return _form_page(request, flag.project, form, "flags/edit.html", flag=flag)


def _form_page(
    request: SignedInRequest, project: Project, form: forms.Form, template: str, **more: object
) -> HttpResponse:
    context = {"project": project, "form": form, "errors": summary([form]) if form.is_bound else [], **more}
    return render(request, template, context, status=400 if request.method == "POST" else 200)


@login_required
@require_GET
def flag_detail(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show one flag: where it is on, its rules in order, how to ask for it and what happened to it."""
    flag, role = get_flag(request.user, project_slug, key)
    return _detail(request, flag, role, NeedForm())


def _detail(request: SignedInRequest, flag: Flag, role: Role, need_form: NeedForm) -> HttpResponse:
    may_edit = may(role, Role.EDITOR)
    context = {
        "project": flag.project,
        "flag": flag,
        "states": _states(flag),
        "rules": shown_rules(flag),
        "needs": list(flag.prerequisites.all()),
        "need_form": need_form,
        "need_errors": summary([need_form]) if need_form.is_bound else [],
        "snippets": snippets(settings.BASE_URL, flag),
        "history": history(flag.project, subject_of(flag)),
        "may_edit": may_edit,
        "may_change": may_edit and flag.archived_at is None,
    }
    return render(request, "flags/detail.html", context, status=400 if need_form.is_bound else 200)


@login_required
@require_POST
def flag_switch(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Switch a flag on or off in one environment; the form says which, so that a double click switches once."""
    flag, _ = get_flag(request.user, project_slug, key, Role.EDITOR)
    where, wanted = request.POST.get("environment", ""), request.POST.get("enabled", "")
    if where not in {one.value for one in Environment} or wanted not in ("yes", "no"):
        messages.error(request, f"Say on or off for one of {', '.join(Environment)}. Nothing was changed.")
        return redirect("flag_detail", project_slug, key)
    try:
        if set_flag_environment(flag, Environment(where), wanted == "yes", request.user):
            messages.success(request, f"{flag.name} is {'on' if wanted == 'yes' else 'off'} in {where}.")
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("flag_detail", project_slug, key)


@login_required
@require_POST
def flag_needs(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Add or remove one prerequisite."""
    flag, role = get_flag(request.user, project_slug, key, Role.EDITOR)
    wanted = {need.parent_key: need.value for need in flag.prerequisites.all()}
    form = NeedForm(request.POST)
    removed = request.POST.get("remove", "")
    if removed:
        wanted.pop(removed, None)
    elif form.is_valid():
        wanted[form.cleaned_data["parent_key"]] = form.cleaned_data["value"]
    else:
        return _detail(request, flag, role, form)
    try:
        set_prerequisites(flag, request.user, wanted)
    except RefusedError as error:
        if removed:
            messages.error(request, str(error))
        else:
            form.add_error(None, str(error))
            return _detail(request, flag, role, form)
    return redirect("flag_detail", project_slug, key)


@login_required
@require_POST
def flag_archive(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Take a flag out of service for good."""
    flag, _ = get_flag(request.user, project_slug, key, Role.EDITOR)
    try:
        if archive_flag(flag, request.user, request.POST.get("why", "").strip()[:500]):
            messages.success(request, f"{flag.name} is archived.")
    except RefusedError as error:
        messages.error(request, str(error))
        return redirect("flag_detail", project_slug, key)
    return redirect("flag_list", project_slug)
