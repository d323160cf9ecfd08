"""Read what a client sends into typed values, or say what is wrong with it and where."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from django.http import HttpRequest

from experiments.api.answers import ApiError, bad_value

LARGEST_BODY = 2_000_000
LARGEST_FILE = 10_000_000
AT_ONCE = 65_536
MOST_DISCARDED = 8_000_000
"""A refused body is read to its end up to here, so that a plain client sees the answer and no broken connection."""

T = TypeVar("T")
_AT = re.compile(r" - at `(?:key in )?\$\.?(?P<path>.*)`$")
_NAMED = re.compile(r"(?:unknown|required) field `(?P<name>.*?)`")


def read_body(request: HttpRequest, largest: int = LARGEST_BODY) -> bytes:
    """Return the request's body, empty where none was sent.

    Raises
    ------
    ApiError
        413 when it is too long.
    """
    body, discarded = bytearray(), 0
    while discarded < MOST_DISCARDED and (part := request.read(AT_ONCE)):
        if len(body) <= largest:
            body += part
        else:
            discarded += len(part)
    if len(body) > largest:
        message = f"The body is longer than {largest:,} bytes."
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", message)
    return bytes(body)


def refuse_other_type(request: HttpRequest) -> None:
    """Refuse with 415 a body that says that it is something else than JSON."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if kind == "application/json" and encoding in ("identity", ""):
        return
    shown = kind if encoding in ("identity", "") else f"{kind} encoded with {encoding}"
    message = f"The body is {shown[:80] or 'of no named type'}; send it with 'Content-Type: application/json'."
    raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", message)


def decoded(body: bytes, takes: type[T]) -> T:
    """Return the JSON as ``takes``; nothing at all stands for an empty object.

    Raises
    ------
    ApiError
        400 when it is no JSON, 422 when it does not fit.
    """
    try:
        value = msgspec.json.decode(body or b"{}", type=takes)
        _refuse_nul(msgspec.json.decode(body or b"{}"))
    except msgspec.ValidationError as error:
        raise misfit(error) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        message = f"The body is no JSON that can be read: {str(error)[:200]}."
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_json", message) from error
    return value


def converted(given: dict[str, str], takes: type[T]) -> T:
    """Return the parameters of an address as ``takes``."""
    try:
        value = msgspec.convert(given, takes, strict=False)
        _refuse_nul(given)
    except msgspec.ValidationError as error:
        raise misfit(error) from error
    return value


def misfit(error: msgspec.ValidationError) -> ApiError:
    """Return the refusal of a value of the wrong kind, with the field that it is about."""
    text = str(error)
    at, named = _AT.search(text), _NAMED.search(text)
    parts = [at["path"] if at else "", named["name"] if named else ""]
    field = ".".join(part for part in parts if part)
    message = _AT.sub("", text)
    return bad_value(f"{field}: {message}." if field else f"{message}.", field[:200] or None)


def _refuse_nul(value: Any) -> None:
    if any("\0" in text for text in _texts(value)):
        raise bad_value("Text cannot hold the character NUL.")


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
