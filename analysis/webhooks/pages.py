"""The pages of webhooks: made here, tested, rotated and removed here."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from analysis.mail import tasks
from analysis.models import Webhook
from analysis.notices import testing
from analysis.webhooks import keeping
from analysis.webhooks.forms import WebhookForm
from analysis.webhooks.keeping import WebhookError
from experiments.access import SignedInRequest, get_project, may
from experiments.domain.access import Role
from experiments.forms.errors import summary
from experiments.models import Experiment, Project
from experiments.pages import once
from experiments.pages.kept import typed

_NEW_SECRET = "new_webhook_secret"  # noqa: S105  (a key of the session)
MOST_EXPERIMENTS = 200


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def webhook_list(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List webhooks and make one. A new secret is shown on the page that follows the form, and on no later one."""
    posts = request.method == "POST"
    project, role = get_project(request.user, project_slug, Role.EDITOR if posts else Role.VIEWER)
    form = WebhookForm(request.POST if posts else None, experiments=_choosable(project))
    if posts and form.is_valid() and (once.was_sent(request) or _make(request, project, form)):
        return redirect("webhook_list", project.slug)
    may_edit = may(role, Role.EDITOR)
    context = {
        **_frame(project),
        "webhooks": project.webhooks.filter(removed_at=None).select_related("experiment", "created_by"),
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "secret": _shown_once(request, project) if may_edit else None,
        "may_edit": may_edit,
        "once": once.new_token(),
    }
    return render(request, "webhooks/list.html", context, status=400 if form.is_bound else 200)


@login_required
@require_http_methods(["GET", "POST"])
def webhook_edit(request: SignedInRequest, project_slug: str, webhook_id: int) -> HttpResponse:
    """Change a webhook."""
    hook = get_webhook(request, project_slug, webhook_id)
    start = {
        "name": hook.name,
        "kinds": hook.kinds,
        "experiment": hook.experiment.key if hook.experiment else "",
        "is_personal": hook.is_personal,
    }
    form = WebhookForm(typed(request), experiments=_choosable(hook.project), kept=True, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            changed = keeping.change(hook, form.wanted(), request.user)
        except WebhookError as error:
            form.add_error("name" if "already used" in str(error) else "url", str(error))
        else:
            messages.success(request, f"{hook.name} was changed." if changed else "Nothing was changed.")
            return redirect("webhook_list", project_slug)
    errors = summary([form]) if form.is_bound else []
    context = {**_frame(hook.project), "webhook": hook, "form": form, "errors": errors}
    return render(request, "webhooks/edit.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_POST
def webhook_test(request: SignedInRequest, project_slug: str, webhook_id: int) -> HttpResponse:
    """Send a test to a webhook."""
    hook = get_webhook(request, project_slug, webhook_id)
    testing.post(hook, timezone.now())
    tasks.deliver_soon()
    messages.success(request, f"A test to {hook.name} is on its way. Deliveries says what became of it.")
    return redirect("webhook_list", project_slug)


@login_required
@require_POST
def webhook_rotate(request: SignedInRequest, project_slug: str, webhook_id: int) -> HttpResponse:
    """Give a webhook a new secret."""
    hook = get_webhook(request, project_slug, webhook_id)
    try:
        secret = keeping.rotate(hook, request.user, timezone.now())
    except WebhookError as error:
        messages.error(request, str(error))
    else:
        _show_once(request, hook, secret)
    return redirect("webhook_list", project_slug)


@login_required
@require_POST
def webhook_enable(request: SignedInRequest, project_slug: str, webhook_id: int) -> HttpResponse:
    """Send to a webhook again."""
    hook = get_webhook(request, project_slug, webhook_id)
    if keeping.enable(hook, request.user):
        messages.success(request, f"Messages go to {hook.name} again.")
    return redirect("webhook_list", project_slug)


@login_required
@require_POST
def webhook_remove(request: SignedInRequest, project_slug: str, webhook_id: int) -> HttpResponse:
    """End a webhook for good."""
    hook = get_webhook(request, project_slug, webhook_id)
    if keeping.remove(hook, request.user, timezone.now()):
        messages.success(request, f"{hook.name} gets no more messages.")
    return redirect("webhook_list", project_slug)


def get_webhook(request: SignedInRequest, slug: str, webhook_id: int) -> Webhook:
    """Return a webhook in force of a project that the visitor may edit."""
    project, _ = get_project(request.user, slug, Role.EDITOR)
    rows = Webhook.objects.select_related("project", "experiment").filter(removed_at=None)
    return get_object_or_404(rows, project=project, pk=webhook_id)


def _make(request: SignedInRequest, project: Project, form: WebhookForm) -> bool:
    try:
        kind = Webhook.Kind(form.cleaned_data["kind"])
        hook, secret = keeping.make(project, kind, form.wanted(), request.user)
    except WebhookError as error:
        form.add_error("name" if "already used" in str(error) else "url", str(error))
        return False
    messages.success(request, f"{hook.name} gets messages from now on. Send a test to see them arrive.")
    if secret:
        _show_once(request, hook, secret)
    return True


def _show_once(request: SignedInRequest, hook: Webhook, secret: str) -> None:
    request.session[_NEW_SECRET] = {"project": hook.project_id, "name": hook.name, "secret": secret}


def _shown_once(request: SignedInRequest, project: Project) -> dict[str, Any] | None:
    """Take the new secret out of the session: its row holds it only from the form to the page after it."""
    kept: dict[str, Any] | None = request.session.get(_NEW_SECRET)
    if not kept or kept["project"] != project.pk:
        return None
    del request.session[_NEW_SECRET]
    return kept


def _choosable(project: Project) -> list[Experiment]:
    newest = Experiment.objects.filter(project=project, archived_at=None).order_by("-created_at")[:MOST_EXPERIMENTS]
    return sorted(newest, key=lambda one: one.name.lower())


def _frame(project: Project) -> dict[str, Any]:
    return {"project": project, "settings_page": "notifications", "notices_page": "webhooks"}
