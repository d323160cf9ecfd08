"""The way out of every e-mail: a page with a button, and one POST for mail programs (RFC 8058)."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from analysis.mail import digests
from analysis.models import Digest


# No CSRF token: a mail program posts without a session, and the secret in the address is what proves the right.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show what would end; end it on POST alone, for mail scanners open every link they find."""
    digest = get_object_or_404(Digest.objects.select_related("project", "experiment"), token=token)
    if request.method == "POST":
        digests.stop(digest, None, "The recipient unsubscribed.", timezone.now())
        digest.refresh_from_db(fields=["unsubscribed_at"])
    context = {"digest": digest, "about": digest.experiment or digest.project}
    return render(request, "digests/unsubscribe.html", context)
