"""Long lists, page by page: ``?page=2``. Templates include ``parts/pages.html`` with what this returns as ``shown``."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

PAGE = 50


def page_of(request: HttpRequest, found: "QuerySet[Any] | Sequence[Any]", size: int = PAGE) -> "Page[Any]":
    """Return the page that is asked for; the first or the last one where there is no such page."""
    return Paginator(found, size).get_page(request.GET.get("page"))
