"""The way out of every message without signing in: what one gets and when, and the end of it all (RFC 8058)."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from analysis.mail import digests
from analysis.mail.schedule import zone_names
from analysis.models import Digest, Follow, Recipient
from analysis.notices import preferences
from analysis.notices.forms import PreferencesForm, initial_of
from experiments.forms.errors import summary

Row = TypeVar("Row", bound=Model)
BY_RECIPIENT = "The recipient did it by the link in a message."


# No CSRF token: the secret in the address is what proves the right, and no session is read.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def preferences_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a recipient gets and when; change it on POST."""
    recipient = get_object_or_404(Recipient.objects.select_related("project", "webhook"), token=token)
    own = [recipient.webhook] if recipient.webhook is not None else []
    posts = request.method == "POST"
    if posts and (done := _done(request, recipient)):
        return done
    form = PreferencesForm(request.POST if posts else None, webhooks=own, initial=initial_of(recipient))
    if posts and form.is_valid():
        preferences.wish(recipient, form.wishes(), None, BY_RECIPIENT)
        return redirect(f"{request.path}?saved=1")
    subscribed = Digest.objects.filter(project=recipient.project, email=recipient.email, unsubscribed_at=None)
    context = {
        "recipient": recipient,
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "zones": zone_names(),
        "digests": [(one, digests.describe(digests.rhythm_of(one))) for one in _with_subjects(subscribed)],
        "follows": list(recipient.follows.select_related("experiment")),
        "saved": request.GET.get("saved") == "1",
    }
    return render(request, "notices/by_token.html", context, status=400 if form.is_bound else 200)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def silence(request: HttpRequest, token: str) -> HttpResponse:
    """Show what would end; end it on POST alone, for mail scanners open every link they find."""
    recipient = get_object_or_404(Recipient.objects.select_related("project"), token=token)
    if request.method == "POST":
        preferences.silence(recipient, None, BY_RECIPIENT, timezone.now())
    return render(request, "notices/silence.html", {"recipient": recipient})


def _done(request: HttpRequest, recipient: Recipient) -> HttpResponse | None:
    """Do what one of the page's buttons asks for; None where the form itself was sent."""
    now = timezone.now()
    match request.POST.get("do", ""):
        case "hear":
            preferences.hear_again(recipient, None, BY_RECIPIENT)
        case "silence":
            preferences.silence(recipient, None, BY_RECIPIENT, now)
        case "digest":
            rows = Digest.objects.filter(project=recipient.project, email=recipient.email).select_related("project")
            digests.stop(_one(rows, request), None, BY_RECIPIENT, now)
        case "unfollow":
            rows_of = Follow.objects.filter(recipient=recipient).select_related("recipient__project", "experiment")
            preferences.unfollow(_one(rows_of, request), None, BY_RECIPIENT)
        case _:
            return None
    return redirect(f"{request.path}?saved=1")


def _one(rows: "QuerySet[Row, Row]", request: HttpRequest) -> Row:
    wanted = request.POST.get("id", "")
    return get_object_or_404(rows, pk=int(wanted) if wanted.isascii() and wanted.isdecimal() else 0)


def _with_subjects(subscribed: "QuerySet[Digest, Digest]") -> "QuerySet[Digest, Digest]":
    return subscribed.select_related("project", "experiment", "portfolio").order_by("pk")
