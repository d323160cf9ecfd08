"""The API keys of a project: made here, shown once, revoked here."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role, Scope
from experiments.forms.catalogue import KeyForm
from experiments.forms.errors import summary
from experiments.keys import issue_key, revoke


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def key_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List the keys; a new one is shown in the answer to the form and never again."""
    user = request.user
    posts = request.method == "POST"
    project, role = get_project(user, project_slug, Role.EDITOR if posts else Role.VIEWER)
    form = KeyForm(request.POST if posts else None)
    plain = ""
    if posts and form.is_valid():
        scopes = [Scope(scope) for scope in form.cleaned_data["scopes"]]
        _, plain = issue_key(project, form.cleaned_data["name"], scopes, user)
        form = KeyForm()
    context = {
        "project": project,
        "keys": project.api_keys.order_by("revoked_at", "-created_at").select_related("created_by"),
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "plain": plain,
        "may_edit": may(role, Role.EDITOR),
    }
    return render(request, "experiments/key_list.html", context, status=400 if form.is_bound else 200)


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
