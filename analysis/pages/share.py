"""Links to results for people without an account: made, listed and revoked here, opened by anyone who has one."""

from collections.abc import Mapping

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from analysis import sharing
from analysis.designed.pages import block_of
from analysis.models import ResultSnapshot, ShareLink
from analysis.pages.results import results_page
from experiments.access import SignedInRequest, get_experiment
from experiments.domain.access import Role
from experiments.domain.lifecycle import day_of
from experiments.forms.errors import summary
from experiments.models import Experiment
from experiments.pages import once

DAYS = [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "A year")]
_NEW_LINK = "new_share_link"


class ShareForm(forms.Form):
    """Who a link is for, what it shows and how long."""

    purpose = forms.CharField(
        label="Who it is for",
        max_length=120,
        help_text="Shown on the page and kept in the history: the board, a partner.",
    )
    shows = forms.ChoiceField(
        label="What it shows",
        choices=[("newest", "The newest results, whenever it is opened"), ("this", "The results as they are now")],
        widget=forms.RadioSelect,
        initial="newest",
    )
    days = forms.TypedChoiceField(label="It ends after", choices=DAYS, coerce=int, initial=30)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def share_links(request: SignedInRequest, project_slug: str, key: str) -> HttpResponse:
    """List an experiment's links, or make one, which is shown on the page that follows and on no later one."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    form = ShareForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        if not once.was_sent(request):
            _make(request, experiment, form)
        return redirect("results_share", project_slug, key)
    now = timezone.now()
    links = ShareLink.objects.filter(experiment=experiment).select_related("created_by")
    context = {
        "project": experiment.project,
        "experiment": experiment,
        "form": form,
        "errors": summary([form]) if form.is_bound else [],
        "address": _shown_once(request, experiment),
        "links": [(link, sharing.is_open(link, now)) for link in links],
        "once": once.new_token(),
    }
    return render(request, "results/share.html", context, status=400 if form.is_bound else 200)


def _make(request: SignedInRequest, experiment: Experiment, form: ShareForm) -> None:
    chosen = form.cleaned_data
    snapshot = ResultSnapshot.objects.filter(experiment=experiment).first() if chosen["shows"] == "this" else None
    _, token = sharing.share(
        experiment, request.user, chosen["purpose"], chosen["days"], timezone.now(), snapshot=snapshot
    )
    request.session[_NEW_LINK] = {"experiment": experiment.pk, "address": address_of(token)}


def address_of(token: str) -> str:
    """Return the address that shows what the token's link shows."""
    return f"{settings.BASE_URL}{reverse('shared_results', args=[token])}"


def _shown_once(request: SignedInRequest, experiment: Experiment) -> str:
    kept = request.session.get(_NEW_LINK)
    if not kept or kept["experiment"] != experiment.pk:
        return ""
    del request.session[_NEW_LINK]
    return str(kept["address"])


@login_required
@require_POST
def unshare(request: SignedInRequest, project_slug: str, key: str, link_id: int) -> HttpResponse:
    """End a link at once."""
    experiment, _ = get_experiment(request.user, project_slug, key, Role.EDITOR)
    link = ShareLink.objects.filter(experiment=experiment, pk=link_id).first()
    if link is None:
        raise Http404(f"Experiment {key!r} has no link {link_id}.")
    link.experiment = experiment
    if sharing.revoke(link, request.user, timezone.now()):
        messages.success(request, f"The link for {link.purpose} opens nothing any more.")
    return redirect("results_share", project_slug, key)


@never_cache
@require_GET
def shared_results(request: HttpRequest, token: str) -> HttpResponse:
    """Show the results that a link opens, to anyone who has it and to no search engine."""
    link = sharing.found(token)
    now = timezone.now()
    if link is None:
        raise Http404("There is no such link.")
    if not sharing.is_open(link, now):
        response = render(request, "shared/ended.html", {"link": link}, status=410)
    else:
        sharing.note_opening(link, now)
        response = render(request, "shared/results.html", _shared(link, request.GET))
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response["Referrer-Policy"] = "no-referrer"
    return response


def _shared(link: ShareLink, query: Mapping[str, str]) -> dict[str, object]:
    experiment = link.experiment
    snapshot = link.snapshot or ResultSnapshot.objects.filter(experiment=experiment).first()
    page = None if snapshot is None else results_page(experiment, snapshot, query, is_exact=True, is_shared=True)
    own = None if page is None else block_of(page.results)
    return {
        "link": link,
        "experiment": experiment,
        "page": page,
        "own": own,
        "day": day_of(experiment.counts_from, experiment.stopped_at, timezone.now()),
        "draws": page is not None and bool(page.effect or page.exposures or (own is not None and own.draws)),
    }
