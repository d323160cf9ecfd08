"""Pages about digests: who gets them, add, remove, send one now."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from analysis.mail import digests, queueing, tasks
from analysis.mail.forms import DigestForm
from analysis.mail.schedule import zone_names
from analysis.models import Digest
from experiments.access import SignedInRequest, get_experiment, get_project, may
from experiments.domain.access import Role
from experiments.forms.errors import summary
from experiments.models import Experiment, Project, User


@login_required
@require_http_methods(["GET", "POST"])
def digest_list(request: SignedInRequest, project_slug: str, key: str | None = None) -> HttpResponse:
    """List who gets the results of an experiment or the whole project, and add a recipient."""
    user = request.user
    role = Role.ANALYST if request.method == "POST" else Role.VIEWER
    project, experiment, held = _open(user, project_slug, key, role)
    form = DigestForm(request.POST if request.method == "POST" else None, initial=_defaults(user, experiment))
    if form.is_bound and form.is_valid():
        digest = digests.subscribe(project, experiment, form.cleaned_data["email"], form.rhythm(), user, timezone.now())
        messages.success(request, f"{digest.email} gets the results {digests.describe(digests.rhythm_of(digest))}.")
        return redirect(request.path)
    context = {
        "project": project,
        "experiment": experiment,
        "rows": [_row(digest) for digest in digests.active(project, experiment).prefetch_related("messages")],
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "zones": zone_names(),
        "keeps": settings.DEVELOPMENT and not settings.EMAIL_URL,
        "may_edit": may(held, Role.ANALYST),
    }
    return render(request, "digests/list.html", context, status=400 if form.is_bound else 200)


@login_required
@require_POST
def remove(request: SignedInRequest, project_slug: str, digest_id: int) -> HttpResponse:
    """End a digest."""
    digest = get_digest(request.user, project_slug, digest_id, Role.ANALYST)
    digests.stop(digest, request.user, "Removed on the digests page.", timezone.now())
    messages.success(request, f"{digest.email} gets no more of these e-mails.")
    return redirect(list_address(digest))


@login_required
@require_POST
def send_now(request: SignedInRequest, project_slug: str, digest_id: int) -> HttpResponse:
    """Send what the digest would say now, outside its schedule."""
    digest = get_digest(request.user, project_slug, digest_id, Role.ANALYST)
    queueing.queue_now(digest, timezone.now())
    tasks.deliver_soon()
    where = "on its way" if settings.EMAIL_URL else "in the outbox; no mail server is set (EMAIL_URL)"
    messages.success(request, f"An e-mail to {digest.email} is {where}.")
    return redirect(list_address(digest))


def get_digest(user: User, project_slug: str, digest_id: int, role: Role) -> Digest:
    """Return an active digest of a project that the user may open."""
    project, _ = get_project(user, project_slug, role)
    active = Digest.objects.select_related("project", "experiment__project").filter(unsubscribed_at__isnull=True)
    return get_object_or_404(active, project=project, pk=digest_id)


def list_address(digest: Digest) -> str:
    """Return the page that lists this digest."""
    if digest.experiment is None:
        return reverse("project_digests", args=[digest.project.slug])
    return reverse("experiment_digests", args=[digest.project.slug, digest.experiment.key])


def _open(user: User, slug: str, key: str | None, role: Role) -> tuple[Project, Experiment | None, Role]:
    if key is None:
        project, held = get_project(user, slug, role)
        return project, None, held
    experiment, held = get_experiment(user, slug, key, role)
    return experiment.project, experiment, held


def _defaults(user: User, experiment: Experiment | None) -> dict[str, object]:
    return {"email": user.email, "cadence": "daily" if experiment else "weekly", "hour": 8, "time_zone": "UTC"}


def _row(digest: Digest) -> dict[str, object]:
    newest = max(digest.messages.all(), key=lambda message: message.pk, default=None)
    return {"digest": digest, "schedule": digests.describe(digests.rhythm_of(digest)), "last": newest}
