"""What every page needs to draw its frame."""

from django.http import HttpRequest


def navigation(request: HttpRequest) -> dict[str, object]:
    """Return the projects that the visitor can open."""
    if not request.user.is_authenticated:
        return {}
    return {"my_memberships": list(request.user.memberships.select_related("project").order_by("project__name"))}
