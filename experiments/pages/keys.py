"""The API keys of a project: made here, shown once, revoked here."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role, Scope
from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery
from experiments.forms.errors import summary
from experiments.forms.keys import DELIVERIES, KeyForm
from experiments.keys import issue_key, revoke
from experiments.models import Project
from experiments.pages import once
from experiments.pages.kept import typed

_NEW_KEY = "new_key"


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def key_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the keys. A new one is shown on the page that follows the form, and on no later one."""
    user = request.user
    posts = request.method == "POST"
    project, role = get_project(user, project_slug, Role.EDITOR if posts else Role.VIEWER)
    form = KeyForm(typed(request), is_admin=may(role, Role.ADMIN))
    if posts and form.is_valid():
        if not once.was_sent(request):
            _issue(request, project, form)
        return redirect("key_list", project.slug)
    may_edit = may(role, Role.EDITOR)
    context = {
        "project": project,
        "settings_page": "keys",
        "keys": project.api_keys.order_by("revoked_at", "-created_at").select_related("created_by"),
        "deliveries": DELIVERIES,
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "plain": _shown_once(request, project) if may_edit else "",
        "may_edit": may_edit,
        "once": once.new_token(),
    }
    return render(request, "settings/key_list.html", context, status=400 if request.method == "POST" else 200)


def _issue(request: SignedInRequest, project: Project, form: KeyForm) -> None:
    chosen = form.cleaned_data
    _, plain = issue_key(
        project,
        chosen["name"],
        [Scope(scope) for scope in chosen["scopes"]],
        request.user,
        environment=Environment(chosen["environment"]),
        delivery=Delivery(chosen["delivery"]),
    )
    request.session[_NEW_KEY] = {"project": project.pk, "plain": plain}


def _shown_once(request: SignedInRequest, project: Project) -> str:
    """Take the new key out of the session: the session's row holds it only from the form to the page after it."""
    kept = request.session.get(_NEW_KEY)
    if not kept or kept["project"] != project.pk:
        return ""
    del request.session[_NEW_KEY]
    return str(kept["plain"])


@login_required
@require_POST
def key_revoke(request: SignedInRequest, project_slug: str, key_id: int) -> HttpResponse:
    """Close a key for good."""
    user = request.user
    project, _ = get_project(user, project_slug, Role.EDITOR)
    key = project.api_keys.filter(pk=key_id).first()
    if key is None:
        raise Http404(f"Project {project_slug!r} has no key {key_id}.")
    if revoke(key, user):
        messages.success(request, f"The key {key.name} opens nothing any more.")
    return redirect("key_list", project.slug)
