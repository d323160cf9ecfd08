"""Every part of the pages in one place, for people who build them and for the browser tests."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show every part with sample words and numbers."""
    return render(request, "styleguide.html")
