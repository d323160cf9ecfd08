"""Long lists by pages: newest first, each with the address of the next."""

from http import HTTPStatus
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from msgspec import Meta

from experiments.api.answers import ApiError
from experiments.api.fields import Taken
from experiments.api.operations import ROOT, Call, link

LONGEST_PAGE = 100
Row = TypeVar("Row", bound=Model)
Limit = Annotated[int, Meta(ge=1, le=LONGEST_PAGE)]


class Page(Taken, frozen=True, kw_only=True):
    """Which part of a list: take ``cursor`` from the address in ``next``."""

    limit: Limit = LONGEST_PAGE
    cursor: str = ""


class SearchPage(Page, frozen=True, kw_only=True):
    """Which part, and of those with a word in their key or name."""

    search: str = ""


def page(call: Call, found: "QuerySet[Row, Row]") -> tuple[list[Row], str | None]:
    """Return one page of what was found, newest first, and the address of the next."""
    wanted: Page = call.query
    found = found.order_by("-pk")
    if wanted.cursor:
        found = found.filter(pk__lt=number(wanted.cursor, "cursor"))
    rows = list(found[: wanted.limit + 1])
    if len(rows) <= wanted.limit:
        return rows, None
    shown = rows[: wanted.limit]
    return shown, _next(call, shown[-1].pk)


def _next(call: Call, last: int) -> str:
    kept = {name: value for name, value in call.request.GET.items() if name not in ("cursor", "before")}
    return f"{link('')}{call.request.path_info.removeprefix(ROOT)}?{urlencode({**kept, 'cursor': last})}"


def number(text: str, name: str) -> int:
    """Return a cursor's number, or refuse what is none."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        message = f"{name} is {text[:40]!r}; take the address from 'next' as it stands."
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_page", message, name)
    return int(text)
