"""Read an evaluation request: its context, and the unit that an experiment needs from it."""

from typing import Any

import msgspec
from msgspec import Struct

from assignment.table import Flag
from assignment.wire import Headers

EXAMPLE = '{"context": {"targetingKey": "user-1"}}'
TARGETING_KEY = "targetingKey"


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


def read_context(body: bytes) -> dict[str, Any]:
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


def unit_of(flag: Flag, context: dict[str, Any]) -> str | None:
    """Return the id of the flag's unit: the context's ``<unit type>_id``, else its ``targetingKey``, or None.

    An app that names the user in ``targetingKey`` can so take part in an experiment on sessions by adding
    ``session_id``. A whole number stands for its decimal digits.

    Raises
    ------
    RequestError
        INVALID_CONTEXT when the id is neither a string nor a whole number.
    """
    for name in (flag.unit_property, TARGETING_KEY):
        unit = context.get(name)
        if unit is None or (type(unit) is str and not unit.strip()):
            continue  # blanks name nobody, as at the doors for events
        if type(unit) is str:
            return unit
        if type(unit) is int:
            return str(unit)
        found = msgspec.json.encode(unit).decode()
        raise RequestError(
            "INVALID_CONTEXT",
            f"{name} is {found:.60}; it must be a string or a whole number that names a {flag.unit_type}.",
        )
    return None


def required_unit(flag: Flag, context: dict[str, Any]) -> str | None:
    """Return the unit that the flag needs, or None when it needs none.

    Raises
    ------
    RequestError
        TARGETING_KEY_MISSING when the flag needs a unit and the context names none.
    """
    if not flag.needs_unit:
        return None
    unit = unit_of(flag, context)
    if unit is None:
        raise RequestError(
            "TARGETING_KEY_MISSING",
            f"{flag.key!r} is an experiment on units of type {flag.unit_type}; "
            f"name one in context.{TARGETING_KEY} or context.{flag.unit_property}.",
        )
    return unit
