"""The API's answers: JSON that no shared cache keeps, with an ETag, and errors of one shape."""

import hashlib
from http import HTTPStatus

import msgspec
from django.http import HttpResponse
from msgspec import Struct


class ErrorDetail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is the matter: a word for programs, a sentence for people, and the request's field where there is one."""

    code: str
    message: str
    field: str | None = None


class ErrorAnswer(Struct, frozen=True, kw_only=True):
    """What every refusal looks like."""

    error: ErrorDetail


class ApiError(Exception):
    """A request cannot be answered; becomes ``{"error": {"code", "message", "field"?}}``."""

    def __init__(self, status: HTTPStatus, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field


def bad_value(message: str, field: str | None = None) -> ApiError:
    """Return the refusal of a value that can never be right."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "bad_value", message, field)


def conflict(message: str, code: str = "refused", field: str | None = None) -> ApiError:
    """Return the refusal of what does not fit what is there."""
    return ApiError(HTTPStatus.CONFLICT, code, message, field)


def answer(body: object, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    """Return ``body`` as JSON."""
    return json_answer(msgspec.json.encode(body), status)


def json_answer(body: bytes, status: int = HTTPStatus.OK) -> HttpResponse:
    """Return JSON that is encoded already."""
    response = HttpResponse(body, content_type="application/json", status=status)
    response["Cache-Control"] = "private, no-cache"
    return response


def etag_of(body: bytes) -> str:
    """Return the strong ETag of an encoded answer."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def refusal(error: ApiError) -> HttpResponse:
    """Return an error as JSON, with the headers that its status asks for."""
    detail = ErrorDetail(code=error.code, message=error.message, field=error.field)
    response = answer(ErrorAnswer(error=detail), error.status)
    if error.status is HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="Truelift"'
    return response
