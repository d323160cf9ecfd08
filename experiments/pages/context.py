"""What every page needs to draw its frame."""

from django.http import HttpRequest

from experiments.pages import kept, opened


def navigation(request: HttpRequest) -> dict[str, object]:
    """Return the projects that the visitor can open, and what was typed for a form that the page does not have."""
    if not request.user.is_authenticated:
        return {}
    memberships = request.user.memberships.select_related("project").order_by("project__name")
    return {
        "my_memberships": list(memberships),
        "left_over": kept.left_over(request),
        "changed_meanwhile": opened.changes(request),
    }
