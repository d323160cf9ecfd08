"""The API's answers: JSON that is never kept by a shared cache, and errors of one shape."""

from http import HTTPStatus

import msgspec
from django.http import HttpResponse


class ApiError(Exception):
    """A request cannot be answered; becomes ``{"error": {"code", "message"}}``."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def answer(body: object, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    """Return ``body`` as JSON."""
    response = HttpResponse(msgspec.json.encode(body), content_type="application/json", status=status)
    response["Cache-Control"] = "private, no-cache"
    return response


def refusal(error: ApiError) -> HttpResponse:
    """Return an error as JSON, with the headers that its status asks for."""
    response = answer({"error": {"code": error.code, "message": error.message}}, error.status)
    if error.status is HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="Truelift"'
    return response
