"""Serve a picture of a variant to members of its project: an image and nothing else, whatever a browser makes of it."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.views.decorators.http import require_GET

from experiments.access import SignedInRequest, get_experiment
from experiments.pictures import CONTENT_TYPE

POLICY = "default-src 'none'; sandbox"


@login_required
@require_GET
def screenshot(request: SignedInRequest, project_slug: str, key: str, picture_id: int) -> HttpResponse:
    """Return the picture, or that it is the one which the browser has."""
    experiment, _ = get_experiment(request.user, project_slug, key)
    found = experiment.screenshots.filter(pk=picture_id).first()
    if found is None:
        raise Http404(f"Experiment {key!r} has no picture {picture_id}.")
    etag = f'"{found.digest}"'
    response = HttpResponseNotModified() if _has(request, etag) else _image(bytes(found.content))
    response["ETag"] = etag
    # For this member alone, and asked for again each time: who has left the project sees it no more.
    response["Cache-Control"] = "private, no-cache"
    return response


def _image(content: bytes) -> HttpResponse:
    response = HttpResponse(content, content_type=CONTENT_TYPE)
    response["Content-Security-Policy"] = POLICY
    response["Content-Disposition"] = "inline"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _has(request: HttpRequest, etag: str) -> bool:
    return etag in request.headers.get("If-None-Match", "")
