"""Forms act once, however often they are sent: a double click, a reload, an impatient second try.

Each rendering of a page masks its forms' token anew, so that the same words under the same token are the same form sent
again. The second is led to where the first was led, and waits for it where it is still being done. ``was_sent`` guards
the few forms whose answer is no other page, with a token of their own that the session remembers.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from redis.exceptions import RedisError

from experiments.pages import kept

KEPT = 20
_SESSION_KEY = "sent_forms"
REMEMBERED_SECONDS = 600
"""Longer than anybody goes on clicking; going back to the form that late is meant."""
WAIT_SECONDS = 20.0
LOOK_EVERY_SECONDS = 0.05
_AT_WORK = "at work"
STILL_AT_WORK = "This was sent already and is still being done. Look again in a moment before you send it anew."


def new_token() -> str:
    """Return a token for a form's hidden field."""
    return secrets.token_urlsafe(12)


def was_sent(request: HttpRequest) -> bool:
    """Say whether the posted form was sent before, and remember it. A form without a token counts as new."""
    token = request.POST.get("once", "")[:40]
    sent: list[str] = request.session.get(_SESSION_KEY, [])
    if token and token in sent:
        return True
    if token:
        request.session[_SESSION_KEY] = [*sent, token][-KEPT:]
    return False


class ActOnceMiddleware:
    """Answer a form that was sent before as it was answered then. Without the cache every form is a new one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Let the first through and remember where it led; refused forms are never remembered."""
        if not (name := _name(request)):
            return self.get_response(request)
        try:
            if not cache.add(name, _AT_WORK, REMEMBERED_SECONDS) and (answer := _answer_of_first(request, name)):
                return answer
        except RedisError:
            return self.get_response(request)
        response = self.get_response(request)
        _remember(name, response)
        return response


def _name(request: HttpRequest) -> str:
    """Return one name for all sendings of a form, or nothing for what is no form of a signed-in visitor."""
    if not kept.is_form(request) or "HX-Request" in request.headers or "csrfmiddlewaretoken" not in request.POST:
        return ""
    fields = sorted((name, values) for name, values in request.POST.lists())
    files = sorted((name, [_content(one) for one in found]) for name, found in request.FILES.lists())
    text = repr((request.session.session_key, request.get_full_path(), fields, files))
    return f"sent:{hashlib.sha256(text.encode()).hexdigest()}"


def _content(file: "UploadedFile[Any]") -> tuple[str | None, str]:
    """Return what makes a file another one: a corrected file often has the name and the size of the first."""
    found = hashlib.sha256()
    for part in file.chunks():
        found.update(part)
    file.seek(0)
    return file.name, found.hexdigest()


def _answer_of_first(request: HttpRequest, name: str) -> HttpResponse | None:
    """Wait for the first; None where it came to nothing, so that this one is done."""
    until = time.monotonic() + WAIT_SECONDS
    while (found := cache.get(name)) == _AT_WORK and time.monotonic() < until:
        time.sleep(LOOK_EVERY_SECONDS)
    if found == _AT_WORK:
        return kept.sent_back(request, STILL_AT_WORK)
    return redirect(found) if found else None


def _remember(name: str, response: HttpResponse) -> None:
    try:
        if response.status_code in (301, 302, 303):
            cache.set(name, response["Location"], REMEMBERED_SECONDS)
        else:
            cache.delete(name)
    except RedisError:
        return
