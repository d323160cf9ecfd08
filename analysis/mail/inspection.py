"""Look at e-mails in the browser: a digest's preview, and in development everything in the outbox."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from analysis.mail import pages
from analysis.mail.parts import Rendered
from analysis.mail.rendering import Drawn
from analysis.mail.rendering import render as render_mail
from analysis.models import Digest, OutboxMessage
from experiments.access import SignedInRequest
from experiments.domain.access import Role

# E-mails style themselves inline, which the site's own policy forbids: they get a policy of their own, in a sandbox.
BODY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'self'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)

MOST_DRAWN = 16
_drawn: Drawn = {}
"""The pictures of the results that were looked at last; a result never changes, and drawing it takes half a second."""


@login_required
@require_GET
def preview(request: SignedInRequest, project_slug: str, digest_id: int) -> HttpResponse:
    """Show what a digest would say now. Its pictures are drawn for the frame alone: that takes half a second."""
    digest, mail = _rendered(request, project_slug, digest_id, with_pictures=False)
    context = {"project": digest.project, "digest": digest, "mail": mail, "back": pages.list_address(digest)}
    return render(request, "digests/preview.html", context)


@login_required
@require_GET
@xframe_options_sameorigin
def preview_body(request: SignedInRequest, project_slug: str, digest_id: int) -> HttpResponse:
    """Return the HTML of a preview, to be framed."""
    _, mail = _rendered(request, project_slug, digest_id)
    return body_response(mail.html, mail.encoded_pictures)


@login_required
@require_GET
def outbox_list(request: SignedInRequest) -> HttpResponse:
    """List the newest e-mails to the visitor's projects, whatever became of them."""
    return render(request, "digests/outbox.html", {"sent": _visible(request)[:200]})


@login_required
@require_GET
def outbox_detail(request: SignedInRequest, message_id: int) -> HttpResponse:
    """Show one stored e-mail."""
    return render(request, "digests/message.html", {"mail": get_object_or_404(_visible(request), pk=message_id)})


@login_required
@require_GET
@xframe_options_sameorigin
def outbox_body(request: SignedInRequest, message_id: int) -> HttpResponse:
    """Return the HTML of one stored e-mail, to be framed."""
    message = get_object_or_404(_visible(request), pk=message_id)
    return body_response(message.html, message.pictures)


def body_response(html: str, pictures: dict[str, str]) -> HttpResponse:
    """Return an e-mail's HTML for a browser: pictures (base64 by content id) as data, links in a new tab."""
    for name, png in pictures.items():
        html = html.replace(f"cid:{name}", f"data:image/png;base64,{png}")
    response = HttpResponse(html.replace("<head>", '<head><base target="_blank">', 1))
    response.headers["Content-Security-Policy"] = BODY_POLICY
    return response


def _rendered(
    request: SignedInRequest, project_slug: str, digest_id: int, *, with_pictures: bool = True
) -> tuple[Digest, Rendered]:
    digest = pages.get_digest(request.user, project_slug, digest_id, Role.VIEWER)
    mail = render_mail(digest, timezone.now(), _drawn, with_pictures=with_pictures)
    for oldest in list(_drawn)[:-MOST_DRAWN]:
        _drawn.pop(oldest, None)
    return digest, mail


def _visible(request: SignedInRequest) -> QuerySet[OutboxMessage]:
    if not settings.DEVELOPMENT:
        raise Http404("The outbox can be read in development alone (TRUELIFT_ENV=development).")
    mine = OutboxMessage.objects.filter(project__memberships__user=request.user)
    return mine.select_related("project")
