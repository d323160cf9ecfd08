"""A tab that is older than a change says what was changed and by whom, and keeps what was typed.

``{% opened subject fields %}`` in a form remembers the newest change of what the form edits. A form that is sent after
a newer one does nothing: its page comes back with what was typed and those changes above it, and may be sent again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import template
from django.http import HttpRequest, HttpResponse
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from experiments.models import Project
from experiments.pages import kept, meanwhile
from experiments.pages.history import Entry

FIELD = "opened"
WORDS = "This was changed after you opened it. What you typed is in the form again; it is not saved yet."
register = template.Library()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a form edits, which of its fields where not all, and the newest change when it was opened."""

    subject: str
    fields: tuple[str, ...]
    newest: str

    def since(self, project: Project) -> list[Entry]:
        """Return what was changed after that."""
        return meanwhile.since(project, self.subject, self.newest, self.fields)


def read(text: str) -> Opened | None:
    """Read a form's field; None for anything else than what ``opened`` writes."""
    parts = text.split("|")
    if len(parts) != 3 or not parts[2].isdecimal():
        return None
    return Opened(subject=parts[0], fields=tuple(filter(None, parts[1].split(","))), newest=parts[2])


@register.simple_tag(takes_context=True)
def opened(context: Context, subject: str, fields: str = "") -> SafeString:
    """Return the hidden field of a form that edits ``subject``, as ``flag:checkout``; of its ``fields`` or all."""
    newest = context.render_context.setdefault(FIELD, None)
    if newest is None:  # asked once a page: a list may hold a form in each of its rows
        newest = context.render_context[FIELD] = meanwhile.newest(context["project"])
    return format_html('<input type="hidden" name="{}" value="{}|{}|{}">', FIELD, subject, fields, newest)


class OlderTabMiddleware:
    """Bring a form back, with what was typed, where what it edits was changed after it was opened."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Change nothing here: which project a form is of is known only with its view."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: Callable[..., Any], _args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Answer instead of the view where there are changes that the visitor has not seen."""
        # What a page asks while one types changes nothing; led back here, it would take what is kept for the form.
        if "HX-Request" in request.headers or not kept.is_form(request) or FIELD not in request.POST:
            return None
        found = read(request.POST[FIELD])
        project = project_of(request, kwargs.get("project_slug", ""))
        if found is None or project is None or not found.since(project):
            return None
        return kept.sent_back(request, WORDS)


def project_of(request: HttpRequest, slug: str) -> Project | None:
    """Return the project of an address, if the visitor may see it."""
    if not request.user.is_authenticated:
        return None
    return Project.objects.filter(slug=slug, memberships__user=request.user).first()


def changes(request: HttpRequest) -> list[Entry]:
    """Return what was changed after the form that the page shows again was opened."""
    found, match = read(kept.shown(request).get(FIELD, "")), request.resolver_match
    project = project_of(request, match.kwargs.get("project_slug", "")) if found and match else None
    return found.since(project) if found and project else []
