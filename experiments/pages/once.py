"""Forms that must act once: a hidden token remembers in the session what was sent already, and what came of it."""

import secrets

from django.http import HttpRequest

KEPT = 20
_SESSION_KEY = "sent_forms"


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
