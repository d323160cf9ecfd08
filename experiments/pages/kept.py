"""Nothing typed is lost when a session has ended: it travels with the sign-in form and comes back filled in.

A form that is sent after the end of the session is answered with the sign-in page, which carries what was typed along;
once signed in, the form's page is shown again with it, and nothing was done. Only then is it kept on the server, in the
session of whoever has signed in, until that page is shown. Views ask ``typed`` for what a form is to show.
"""

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.csrf import csrf_failure as plain_refusal

FIELD = "kept"
MOST_CHARACTERS = 300_000
"""What a form may hold to be kept: more than any of ours, and little enough for a session's row."""
_SESSION_KEY = "kept_form"
_NOT_KEPT = {"csrfmiddlewaretoken", "once", "password"}
_MARKS = {"opened", "seen", "mark", "revision"}
"""What a form was opened on: the page says what was changed since, and its form begins anew from there."""
SIGNED_OUT = "You were signed out in between. What you typed is in the form again; it is not saved yet."
SIGNED_IN_ANEW = "You have signed in anew in another tab. What you typed is in the form again; it is not saved yet."


class KeepTypedMiddleware:
    """Answer a form that is sent after the end of its session with the sign-in page and what was typed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Change nothing but a redirect to the sign-in that would lose a form."""
        response = self.get_response(request)
        if request.method != "POST" or not _leads_to_sign_in(response):
            return response
        if "HX-Request" in request.headers:
            return HttpResponse(status=204)  # a piece of a page leaves the page as it is; the form itself will say it
        if not (kept := _written(request)):
            return response
        return render(request, "sign_in.html", {"next": _page_of(request), FIELD: kept, "form": None})


def remember(request: HttpRequest, kept: str, note: str = SIGNED_OUT) -> None:
    """Keep what came along with the sign-in until its page is shown."""
    if kept and len(kept) <= MOST_CHARACTERS and _read(kept) is not None:
        request.session[_SESSION_KEY] = kept
        messages.warning(request, note)


def typed(request: HttpRequest, action: str = "") -> QueryDict | None:
    """Return what a form is to show: what was posted now, or what was kept for it; None for an untouched form.

    ``action`` is the address that the form sends to, where that is not the page itself. What is kept is only shown:
    a view acts where the method is POST.
    """
    if request.method == "POST":
        return request.POST
    found = _read(request.session.get(_SESSION_KEY, ""))
    if found is None or found[0] != (action or request.path):
        return None
    del request.session[_SESSION_KEY]
    return _without_marks(request, found[1])


def is_form(request: HttpRequest) -> bool:
    """Say whether a signed-in visitor sent a form; what comes with an API key has no cookie and is left alone."""
    has_cookie = settings.SESSION_COOKIE_NAME in request.COOKIES
    return request.method == "POST" and has_cookie and request.user.is_authenticated


def left_over(request: HttpRequest) -> list[tuple[str, str]]:
    """Return what was kept for this page and is in none of its forms, so that it can be copied from the page."""
    raw = request.session.get(_SESSION_KEY, "")
    found = _read(raw)
    if found is None or request.method != "GET" or json.loads(raw)["page"].partition("?")[0] != request.path:
        return []
    del request.session[_SESSION_KEY]
    fields = _without_marks(request, found[1])
    return [(name, str(value)) for name, values in fields.lists() for value in values if value]


def shown(request: HttpRequest) -> dict[str, str]:
    """Return what the form that the page shows again was opened on."""
    found: dict[str, str] = request.__dict__.get("marks_of_kept", {})
    return found


def _without_marks(request: HttpRequest, fields: QueryDict) -> QueryDict:
    marks = {name: str(fields[name]) for name in _MARKS if name in fields}
    request.__dict__["marks_of_kept"] = marks
    for name in marks:
        del fields[name]
    return fields


def sent_back(request: HttpRequest, note: str) -> HttpResponse:
    """Lead back to the form's page, which shows what was typed."""
    remember(request, _written(request), note)
    return redirect(_page_of(request))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Bring a form back filled in where its token is of an earlier session of the same browser; refuse all else."""
    own = f"{request.scheme}://{request.get_host()}"
    if request.headers.get("Origin") == own and request.user.is_authenticated and _written(request):
        return sent_back(request, SIGNED_IN_ANEW)
    return plain_refusal(request, reason, template_name="403_csrf.html")


def _leads_to_sign_in(response: HttpResponse) -> bool:
    if response.status_code != 302:
        return False
    to = urlsplit(response["Location"])
    return to.path == resolve_url("sign_in") and "next=" in to.query  # from where somebody has to be signed in


def _written(request: HttpRequest) -> str:
    """Return a form as one text, or nothing where there is nothing worth keeping or too much."""
    fields = [(n, v) for n, values in request.POST.lists() if n not in _NOT_KEPT for v in values]
    if not any(value for _, value in fields):
        return ""
    text = json.dumps({"page": _page_of(request), "action": request.path, "fields": fields}, ensure_ascii=False)
    return text if len(text) <= MOST_CHARACTERS else ""


def _read(kept: str) -> tuple[str, QueryDict] | None:
    """Return where a kept form was sent and its fields; None for anything else than what ``_written`` writes."""
    try:
        found = json.loads(kept)
        fields = [(str(name), str(value)) for name, value in found["fields"]]
        action, _page = str(found["action"]), str(found["page"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    made = QueryDict(mutable=True)
    for name, value in fields:
        made.appendlist(name, value)
    return action, made


def _page_of(request: HttpRequest) -> str:
    """Return the page that holds the form: where it was sent from, or where it was sent to."""
    address = request.headers.get("Referer", "")
    hosts = {request.get_host()}
    own = url_has_allowed_host_and_scheme(address, allowed_hosts=hosts, require_https=request.is_secure())
    parts = urlsplit(address)
    if not own or not parts.netloc:
        return request.path
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
