"""What every page needs to draw its frame."""

from django.http import HttpRequest

from experiments.pages import guide, kept, opened


def navigation(request: HttpRequest) -> dict[str, object]:
    """Return the projects that the visitor can open, and what was typed for a form that the page does not have."""
    match = request.resolver_match
    help_at = guide.help_for(match.url_name or "" if match else "")
    if not request.user.is_authenticated:
        return {"help_at": help_at}
    memberships = request.user.memberships.select_related("project").order_by("project__name")
    return {
        "help_at": help_at,
        "my_memberships": list(memberships),
        "left_over": kept.left_over(request),
        "changed_meanwhile": opened.changes(request),
    }
