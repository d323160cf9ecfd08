"""The glossary: every term of art in plain words, on one page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from experiments.domain.glossary import TERMS, by_topic, matching

LONGEST_SEARCH = 100


@require_GET
def glossary(request: HttpRequest) -> HttpResponse:
    """Show the terms by chapter; ``?q=`` keeps those in which every word occurs. Nobody needs to sign in."""
    words = request.GET.get("q", "")[:LONGEST_SEARCH]
    chapters = by_topic(matching(words))
    return render(request, "glossary.html", {"chapters": chapters, "terms": TERMS, "words": words})
