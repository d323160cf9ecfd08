"""What is answered where no view answers: pages for people, JSON for programs under ``/api/``."""

import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.views import defaults

from config.commandline import is_unreachable

API = "/api/"
WHAT_THERE_IS = "GET /api/v1/experiments, and all that GET /api/v1/openapi.json describes"


class OddRequestMiddleware:
    """Answer HEAD wherever GET is answered, and refuse or mend addresses that the database cannot even be asked for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Hand the request on; the server leaves the body of an answer to HEAD out."""
        if request.method == "HEAD":
            request.method = "GET"
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        """See to it that PostgreSQL can be asked: it has no NUL character in its texts.

        Programs are told what is wrong with what they send; a page takes the sign that stands for no letter instead.
        """
        if "\0" in request.path_info:
            return not_found(request, Http404())
        if not is_api(request):
            request.GET = _without_nul(request.GET)  # type: ignore[assignment]  # the stubs have a class of their own
            if request.method == "POST":
                request.POST = _without_nul(request.POST)  # type: ignore[assignment]
        return None


def _without_nul(sent: QueryDict) -> QueryDict:
    if not any("\0" in text for name, values in sent.lists() for text in (name, *values)):
        return sent
    mended = QueryDict(mutable=True)
    for name, values in sent.lists():
        mended.setlist(name.replace("\0", "\ufffd"), [text.replace("\0", "\ufffd") for text in values])
    mended._mutable = False  # as Django's own
    return mended


def is_api(request: HttpRequest) -> bool:
    """Say whether a program asks."""
    return f"{request.path_info}/".startswith(API)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say that there is nothing at this address."""
    if is_api(request):
        shown = request.path_info[:100].replace("\0", "%00")
        message = f"There is nothing at {shown!r}. There is: {WHAT_THERE_IS}; no address ends with a slash."
        return _refusal(HTTPStatus.NOT_FOUND, "not_found", message)
    return defaults.page_not_found(request, exception)


def failed(request: HttpRequest, *args: Any) -> HttpResponse:
    """Say that something broke here."""
    if is_api(request):
        return _api_failure(unreachable=_database_is_gone())
    response = defaults.server_error(request, *args)
    return _unavailable(response) if _database_is_gone() else response


def _api_failure(*, unreachable: bool) -> HttpResponse:
    if unreachable:
        message = "The database cannot be reached at the moment. Try again in some seconds."
        return _unavailable(_refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", message))
    message = "Something failed here, and it has been logged. Try again in a moment."
    return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", message)


def _database_is_gone() -> bool:
    """Say whether the exception being handled is that of a database out of reach."""
    error = sys.exc_info()[1]
    return isinstance(error, OperationalError) and is_unreachable(error)


def _unavailable(response: HttpResponse) -> HttpResponse:
    response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    response["Retry-After"] = "5"
    return response


def _refusal(status: HTTPStatus, code: str, message: str) -> HttpResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)
