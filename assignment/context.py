"""Read an evaluation request: its context, and the attributes that name its units."""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from assignment.engine.sdk.values import number_text
from assignment.wire import Headers

EXAMPLE = '{"context": {"targetingKey": "user-1"}}'
TARGETING_KEY = "targetingKey"
USER, USER_ID = "id", "user_id"
LONGEST_UNIT = 255
"""What the doors for events take: a unit that could be assigned and never analysed would be lost."""

Attributes = dict[str, Any]


class RequestError(Exception):
    """A request cannot be answered: OFREP's error code, words for whoever reads the log, and HTTP's status."""

    def __init__(self, code: str, details: str, *, status: int = 400, headers: Headers | None = None) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.status = status
        self.headers = headers or []


class _Body(Struct):
    context: Any = None


_decoder = msgspec.json.Decoder(_Body)


def plain_body(headers: Mapping[str, str], body: bytes, most: int) -> bytes:
    """Return the body as it was before ``Content-Encoding``.

    Raises
    ------
    RequestError
        413 when it is longer than ``most`` bytes, packed or not; 415 for an encoding other than gzip; 400 when it is no
        gzip stream.
    """
    if len(body) > most:
        raise RequestError("GENERAL", f"The body has {len(body)} bytes; a context may have {most}.", status=413)
    encoding = headers.get("content-encoding")
    if encoding is None or encoding.strip().lower() in ("", "identity"):
        return body
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise RequestError(
            "PARSE_ERROR", f"The body's encoding is {encoding[:40]!r}; send it plain or as gzip.", status=415
        )
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise RequestError("PARSE_ERROR", f"The body is no gzip stream ({error}), as its encoding says.") from error
    if len(plain) > most:
        raise RequestError("GENERAL", f"The unpacked body is larger than {most} bytes.", status=413)
    if not unpacker.eof:
        raise RequestError("PARSE_ERROR", "The body's gzip stream ends too early.")
    return plain


def read_context(body: bytes) -> Attributes:
    """Return the context of a request; clients without one send nothing, ``{}`` or a null.

    Raises
    ------
    RequestError
        PARSE_ERROR when the body is no JSON object, INVALID_CONTEXT when its context is no object.
    """
    if not body.strip():
        return {}
    try:
        context = _decoder.decode(body).context
    except msgspec.ValidationError as error:
        raise RequestError("PARSE_ERROR", f"The body must be a JSON object such as {EXAMPLE}; {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(
            "PARSE_ERROR", f"The body is not JSON ({error}). Send an object such as {EXAMPLE}."
        ) from error
    if context is None:
        return {}
    if not isinstance(context, dict):
        found = msgspec.json.encode(context).decode()
        raise RequestError("INVALID_CONTEXT", f"The context is {found:.60}; it must be an object such as {EXAMPLE}.")
    return context


def attributes_of(context: Attributes, names: Iterable[str]) -> tuple[Attributes, dict[str, RequestError]]:
    """Return the attributes of an evaluation, and what is wrong with those that should name a unit.

    Parameters
    ----------
    context
        The request's context; all its properties are attributes.
    names
        The attributes by which units are hashed. ``id`` is the context's ``id``, else its ``user_id``, else its
        ``targetingKey``; any other is the context's own, else its ``targetingKey``. So one context can serve
        experiments on users and on sessions.

    Returns
    -------
    tuple
        The attributes with each unit's id as text, a number as JavaScript writes it, an exact whole number with all its
        digits; and an INVALID_CONTEXT error for each attribute that cannot name a unit, which is then missing.
    """
    attributes = context.copy()
    problems: dict[str, RequestError] = {}
    for name in names:
        source = _source(context, name)
        if source is None:
            attributes.pop(name, None)
            continue
        unit = context[source]
        if type(unit) is not str:
            unit = _text(unit)
        if unit is not None and len(unit) <= LONGEST_UNIT and "\x00" not in unit:
            attributes[name] = unit
        else:
            attributes.pop(name, None)
            problems[name] = _invalid(source, context[source])
    return attributes, problems


def _source(context: Attributes, name: str) -> str | None:
    """Return the property that names the unit; blanks name nobody, as at the doors for events."""
    for candidate in (USER, USER_ID, TARGETING_KEY) if name == USER else (name, TARGETING_KEY):
        value = context.get(candidate)
        if value is not None and (type(value) is not str or value.strip()):
            return candidate
    return None


def _text(unit: Any) -> str | None:
    if type(unit) is int:
        return str(unit)
    if type(unit) is float and unit.is_integer():
        return number_text(unit)
    return None


def _invalid(name: str, value: Any) -> RequestError:
    if isinstance(value, str):
        found = f"has {len(value)} characters" if len(value) > LONGEST_UNIT else "holds the character NUL"
        details = f"{name} {found}; a unit's id may have up to {LONGEST_UNIT} characters and no NUL, as in events."
        return RequestError("INVALID_CONTEXT", details)
    found = msgspec.json.encode(value).decode()
    return RequestError(
        "INVALID_CONTEXT", f"{name} is {found:.60}; it must be a string or a whole number that names a unit."
    )
