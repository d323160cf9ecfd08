"""What every lean door's answers share: cross-origin headers, the request's id, bounds, errors in the door's shape."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from config.rsgi import BodyTooLargeError, Exchange, Headers, Scope, read_body

logger = logging.getLogger(__name__)

Answer = tuple[int, Headers, bytes]
Handle = Callable[[str, str, Mapping[str, str], str, bytes], Awaitable[Answer]]
MOST_DOOR_BYTES = 1024 * 1024
ALLOW_ORIGIN = "access-control-allow-origin"
CORS: Headers = [
    (ALLOW_ORIGIN, "*"),
    (
        "access-control-expose-headers",
        "ETag, Retry-After, X-Request-Id, X-SSE-Support, X-Unrecoverable",
    ),
]
PREFLIGHT: Headers = [
    *CORS,
    ("access-control-allow-methods", "GET, HEAD, POST, OPTIONS"),
    (
        "access-control-allow-headers",
        "content-type, authorization, x-api-key, if-none-match, content-encoding, x-retry-count, x-request-id, "
        "last-event-id, cache-control, x-truelift-exposure",
    ),
    ("access-control-max-age", "86400"),
]


class Door(Struct, frozen=True, kw_only=True):
    """One lean door: its name in metrics, who answers, and its errors' shape.

    ``address_is_secret`` where a key stands in the path: no log line names it.
    """

    name: str
    handle: Handle
    error: Callable[[int, str, str], Answer]
    most_bytes: int = MOST_DOOR_BYTES
    address_is_secret: bool = False


async def answer(
    door: Door, scope: Scope, exchange: Exchange, path: str, named: Mapping[str, str], request_id: str
) -> int:
    """Answer one request of a door, its headers by name; return the status."""
    method = scope.method
    if method == "OPTIONS":
        exchange.response_bytes(204, [*PREFLIGHT, ("x-request-id", request_id)], b"")
        return 204
    try:
        body = await read_body(scope, named, exchange, door.most_bytes)
        status, headers, content = await door.handle(method, path, named, scope.query_string, body)
    except BodyTooLargeError:
        status, headers, content = door.error(
            413, "body_too_large", f"The body is larger than {door.most_bytes} bytes."
        )
    except Exception:
        shown = f"a request of {door.name}" if door.address_is_secret else f"{method} {path}"
        logger.exception("%s failed (request %s)", shown, request_id)
        message = f"Something failed here, and it has been logged as request {request_id}."
        status, headers, content = door.error(500, "internal_error", message)
    exchange.response_bytes(status, [*headers, *cors(headers), ("x-request-id", request_id)], content)
    return status


def cors(headers: Headers) -> Headers:
    """Return what lets any origin read the answer, unless the door has said so itself."""
    for name, _ in headers:
        if name == ALLOW_ORIGIN:
            return []
    return CORS


REQUEST_ID = re.compile(r"^[A-Za-z0-9._:-]{1,100}$")
