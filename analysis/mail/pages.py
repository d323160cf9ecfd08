"""Pages about digests: who gets them, add, remove, send one now."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from analysis.mail import digests, queueing, tasks
from analysis.mail.forms import DigestForm
from analysis.mail.schedule import zone_names
from analysis.models import Digest, OutboxMessage, Portfolio
from experiments.access import SignedInRequest, get_experiment, get_project, may
from experiments.domain.access import Role
from experiments.forms.errors import summary
from experiments.models import Experiment, Project, User
from experiments.pages.formats import moment
from experiments.pages.kept import typed


@login_required
@require_http_methods(["GET", "POST"])
def digest_list(
    request: SignedInRequest, project_slug: str, key: str | None = None, portfolio_id: int | None = None
) -> HttpResponse:
    """List who gets the results of an experiment, a portfolio or the whole project, and add a recipient."""
    user = request.user
    role = Role.ANALYST if request.method == "POST" else Role.VIEWER
    project, experiment, held = _open(user, project_slug, key, role)
    portfolio = None if portfolio_id is None else get_object_or_404(Portfolio, project=project, pk=portfolio_id)
    form = DigestForm(typed(request), initial=_defaults(user, experiment))
    if request.method == "POST" and form.is_valid():
        email, now = form.cleaned_data["email"], timezone.now()
        digest = digests.subscribe(project, experiment, email, form.rhythm(), user, now, portfolio)
        messages.success(request, f"{digest.email} gets the results {digests.describe(digests.rhythm_of(digest))}.")
        return redirect(request.path)
    context = {
        "project": project,
        "experiment": experiment,
        "portfolio": portfolio,
        "settings_page": "notifications" if experiment is None else "",
        "notices_page": "digests",
        "portfolios": _portfolios(project) if experiment is None and portfolio is None else [],
        "rows": _rows(digests.active(project, experiment, portfolio)),
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "zones": zone_names(),
        "keeps": settings.DEVELOPMENT and not settings.EMAIL_URL,
        "may_edit": may(held, Role.ANALYST),
    }
    return render(request, "digests/list.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_POST
def remove(request: SignedInRequest, project_slug: str, digest_id: int) -> HttpResponse:
    """End a digest; one that has ended meanwhile stays as it is."""
    digest = get_digest(request.user, project_slug, digest_id, Role.ANALYST, also_ended=True)
    digests.stop(digest, request.user, "Removed on the digests page.", timezone.now())
    messages.success(request, f"{digest.email} gets no more of these e-mails.")
    return redirect(list_address(digest))


@login_required
@require_POST
def send_now(request: SignedInRequest, project_slug: str, digest_id: int) -> HttpResponse:
    """Send what the digest would say now, outside its schedule."""
    digest = get_digest(request.user, project_slug, digest_id, Role.ANALYST, also_ended=True)
    if digest.unsubscribed_at is not None:
        messages.warning(
            request, f"{digest.email} gets no more of these e-mails since {moment(digest.unsubscribed_at)}."
        )
        return redirect(list_address(digest))
    queueing.queue_now(digest, timezone.now())
    tasks.deliver_soon()
    where = "on its way" if settings.EMAIL_URL else "in the outbox; no mail server is set (EMAIL_URL)"
    messages.success(request, f"An e-mail to {digest.email} is {where}.")
    return redirect(list_address(digest))


def get_digest(user: User, project_slug: str, digest_id: int, role: Role, *, also_ended: bool = False) -> Digest:
    """Return a digest of a project that the user may open; one that has ended only where that is asked for."""
    project, _ = get_project(user, project_slug, role)
    found = Digest.objects.select_related("project", "experiment__project", "portfolio")
    if not also_ended:
        found = found.filter(unsubscribed_at__isnull=True)
    return get_object_or_404(found, project=project, pk=digest_id)


def list_address(digest: Digest) -> str:
    """Return the page that lists this digest."""
    if digest.portfolio is not None:
        return reverse("portfolio_digests", args=[digest.project.slug, digest.portfolio.pk])
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


def _rows(active: "QuerySet[Digest, Digest]") -> list[dict[str, object]]:
    newest = OutboxMessage.objects.filter(digest=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    found = list(active.annotate(newest=Subquery(newest)))
    shown = OutboxMessage.objects.filter(pk__in=[digest.newest for digest in found if digest.newest])
    last = {message.pk: message for message in shown.defer("text", "html", "pictures", "payload")}
    return [
        {
            "digest": digest,
            "schedule": digests.describe(digests.rhythm_of(digest)),
            "last": last.get(digest.newest),
        }
        for digest in found
    ]


def _portfolios(project: Project) -> list[Portfolio]:
    active = Count("digests", filter=Q(digests__unsubscribed_at=None))
    return list(Portfolio.objects.filter(project=project).select_related("owner").annotate(active=active))
