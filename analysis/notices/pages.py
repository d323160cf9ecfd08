"""Settings of notifications: one's own, and who hears of what."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from analysis.mail import tasks
from analysis.mail.schedule import zone_names
from analysis.models import Digest, Follow, Recipient, Webhook
from analysis.notices import preferences, testing
from analysis.notices.addressing import owner_of, recipient_for
from analysis.notices.forms import FollowForm, PreferencesForm, initial_of
from experiments.access import SignedInRequest, get_experiment, get_project, may
from experiments.domain.access import Role
from experiments.forms.errors import summary
from experiments.models import Project
from experiments.pages.paging import page_of


@login_required
@require_http_methods(["GET", "POST"])
def mine(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Show and change how the visitor hears of things in this project."""
    project, role = get_project(request.user, project_slug)
    posts = request.method == "POST"
    kept = Recipient.objects.filter(project=project, email=request.user.email).first()
    shown = kept or Recipient(project=project, email=request.user.email)
    form = PreferencesForm(request.POST if posts else None, webhooks=hooks_of(project), initial=initial_of(shown))
    if posts and form.is_valid():
        recipient = kept or recipient_for(project, request.user.email)
        changed = preferences.wish(recipient, form.wishes(), request.user)
        messages.success(request, "Saved." if changed else "Nothing was changed.")
        return redirect("notifications", project.slug)
    context = {
        "project": project,
        "settings_page": "notifications",
        "notices_page": "mine",
        "recipient": shown,
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "zones": zone_names(),
        "follows": list(shown.follows.select_related("experiment")) if kept else [],
        "digests": Digest.objects.filter(project=project, email=shown.email, unsubscribed_at=None).count(),
        "may_test": may(role, Role.VIEWER),
    }
    return render(request, "notices/mine.html", context, status=400 if form.is_bound else 200)


@login_required
@require_POST
def test_mail(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """Send the visitor a test by e-mail."""
    project, _ = get_project(request.user, project_slug)
    message = testing.mail(recipient_for(project, request.user.email), timezone.now())
    tasks.deliver_soon()
    messages.success(request, f"A test to {message.recipient} is on its way. Deliveries says what became of it.")
    return redirect("notifications", project.slug)


@login_required
@require_http_methods(["GET", "POST"])
def people(request: SignedInRequest, project_slug: str) -> HttpResponse:
    """List who hears of what in the project, and add an address that hears of everything."""
    posts = request.method == "POST"
    project, role = get_project(request.user, project_slug, Role.ANALYST if posts else Role.VIEWER)
    form = FollowForm(request.POST if posts else None)
    if posts and form.is_valid():
        made = preferences.follow(project, form.cleaned_data["email"], None, request.user)
        messages.success(request, f"{made.recipient.email} hears of everything in {project.name}.")
        return redirect("notification_people", project.slug)
    shown = page_of(request, Recipient.objects.filter(project=project))
    follows = Follow.objects.filter(recipient__in=list(shown)).select_related("experiment").order_by("pk")
    follows = follows.only("recipient", "is_muted", "experiment__key", "experiment__name")
    context = {
        "project": project,
        "settings_page": "notifications",
        "notices_page": "people",
        "shown": shown,
        "rows": _rows(list(shown), list(follows)),
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "may_edit": may(role, Role.ANALYST),
    }
    return render(request, "notices/people.html", context, status=400 if form.is_bound else 200)


@login_required
@require_POST
def unfollow(request: SignedInRequest, project_slug: str, follow_id: int) -> HttpResponse:
    """End that an address hears of something: one's own for everybody, another's for analysts."""
    project, role = get_project(request.user, project_slug)
    mine_too = Q() if may(role, Role.ANALYST) else Q(recipient__email=request.user.email)
    rows = Follow.objects.filter(mine_too, recipient__project=project).select_related(
        "recipient__project", "experiment"
    )
    found = get_object_or_404(rows, pk=follow_id)
    if preferences.unfollow(found, request.user):
        messages.success(request, f"{found.recipient.email} hears no more of {found.experiment or 'everything'}.")
    return redirect(_back(request, project))


@login_required
@require_POST
def enable(request: SignedInRequest, project_slug: str, recipient_id: int) -> HttpResponse:
    """Send to an address again that had refused messages."""
    project, _ = get_project(request.user, project_slug, Role.ANALYST)
    recipient = get_object_or_404(Recipient.objects.select_related("project"), project=project, pk=recipient_id)
    if preferences.enable(recipient, request.user):
        messages.success(request, f"E-mails go to {recipient.email} again.")
    return redirect("notification_people", project.slug)


@login_required
@require_http_methods(["GET", "POST"])
def hearers(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """Show who hears of one experiment, as a piece of its pages; let the visitor follow, mute, or add an address."""
    experiment, role = get_experiment(request.user, project_slug, key)
    if request.method == "POST":
        return _answer(request, project_slug, key)
    project = experiment.project
    about = Q(experiment=experiment) | Q(experiment__isnull=True)
    follows = Follow.objects.filter(about, recipient__project=project).select_related("recipient", "experiment")
    owner = owner_of(experiment)
    own = next((one for one in follows if one.recipient.email == request.user.email and one.experiment_id), None)
    context = {
        "project": project,
        "experiment": experiment,
        "owner": owner,
        "follows": sorted(follows, key=lambda one: one.recipient.email),
        "own": own,
        "hears": own is not None and not own.is_muted,
        "form": FollowForm(),
        "may_edit": may(role, Role.ANALYST),
    }
    return render(request, "notices/hearers.html", context)


def hooks_of(project: Project) -> list[Webhook]:
    """Return the webhooks that people can choose for themselves."""
    return list(Webhook.objects.filter(project=project, removed_at=None, disabled_at=None, is_personal=True))


def _answer(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    wanted = request.POST.get("do", "")
    role = Role.ANALYST if wanted == "add" else Role.VIEWER
    experiment, _ = get_experiment(request.user, project_slug, key, role)
    project, back = experiment.project, redirect("experiment_hearers", project_slug, key)
    if wanted == "add":
        form = FollowForm(request.POST)
        if not form.is_valid():
            messages.error(request, f"{form.data.get('email', '')!r} is no e-mail address; nobody was added.")
            return back
        preferences.follow(project, form.cleaned_data["email"], experiment, request.user)
        messages.success(request, f"{form.cleaned_data['email']} hears of {experiment.name}.")
    elif wanted == "follow":
        preferences.follow(project, request.user.email, experiment, request.user)
        messages.success(request, f"You hear of {experiment.name}.")
    elif wanted == "mute":
        preferences.mute(project, request.user.email, experiment, request.user)
        messages.success(request, f"You hear nothing of {experiment.name} any more.")
    return back


def _rows(recipients: list[Recipient], follows: list[Follow]) -> list[dict[str, object]]:
    by_recipient: dict[int, list[Follow]] = {}
    for one in follows:
        by_recipient.setdefault(one.recipient_id, []).append(one)
    return [{"recipient": one, "follows": by_recipient.get(one.pk, [])} for one in recipients]


def _back(request: SignedInRequest, project: Project) -> str:
    here = "notifications" if request.POST.get("back") == "mine" else "notification_people"
    return reverse(here, args=[project.slug])
