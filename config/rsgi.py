"""Run Django's WSGI application behind granian's RSGI server, in a pool of threads.

The lean doors and Django share one process this way; a page that waits for the database holds a thread and never the
event loop. Django manages its own database connections by its request signals, one a thread.
"""

import asyncio
import io
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

logger = logging.getLogger(__name__)

Headers = list[tuple[str, str]]
Environ = dict[str, Any]
WsgiApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

MOST_BODY_BYTES = 10 * 1024 * 1024
MOST_DRAINED_BYTES = 16 * 1024 * 1024
"""How much of a refused body is read all the same. A connection that closes on unread bytes is reset, and plain
clients, which write everything before they read, then report the reset and never see the 413."""
DRAIN_SECONDS = 10.0
THREADS = 8
# ``Proxy`` would become HTTP_PROXY, which many HTTP clients obey ("httpoxy", CVE-2016-5385).
_NEVER_PASSED_ON = frozenset({"proxy", "content-length", "content-type", "host", "x-request-id"})
_SEPARATORS = {"cookie": "; "}


class BodyTooLargeError(Exception):
    """The client sends more than this address takes."""


class HeaderItems(Protocol):
    """Granian's request headers: lower-case names, repeated headers repeated."""

    def items(self) -> list[tuple[str, str]]: ...  # noqa: D102
    def get(self, key: str, default: Any = None) -> Any: ...  # noqa: D102


class Scope(Protocol):
    """What granian says about one request; ``path`` is already percent-decoded."""

    proto: str
    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None
    headers: HeaderItems


class Exchange(Protocol):
    """Granian's side of one request: its body and the way to answer."""

    async def __call__(self) -> bytes: ...  # noqa: D102
    def __aiter__(self) -> Any: ...
    async def client_disconnect(self) -> None: ...  # noqa: D102
    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...  # noqa: D102
    def response_stream(self, status: int, headers: Headers) -> Any: ...  # noqa: D102


async def read_body(scope: Scope, headers: Mapping[str, str], exchange: Exchange, limit: int) -> bytes:
    """Read the body, but never keep more than ``limit`` bytes of it; ``headers`` are the request's.

    Raises
    ------
    BodyTooLargeError
        When there is more; the rest has then been read and forgotten, within ``MOST_DRAINED_BYTES``.
    """
    stated = headers.get("content-length")
    if stated == "0" or (
        stated is None and headers.get("transfer-encoding") is None and not scope.http_version.startswith("2")
    ):
        return b""
    if stated is None or not stated.isdecimal() or int(stated) > limit:
        return await _read_bounded(headers, exchange, limit, int(stated) if stated and stated.isdecimal() else 0)
    return await exchange()  # the server reads no more than was stated


async def _read_bounded(headers: Mapping[str, str], exchange: Exchange, limit: int, stated: int) -> bytes:
    """Read a body that may be too large; granian lets it be iterated once, so the rest is drained in the same loop."""
    # Who asks first ("Expect: 100-continue") has sent nothing yet and reads the refusal: there is nothing to drain.
    if stated > limit and (stated > limit + MOST_DRAINED_BYTES or headers.get("expect") is not None):
        raise BodyTooLargeError
    chunks: list[bytes] = []
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as patience:
            async for chunk in exchange:
                size += len(chunk)
                if size <= limit:
                    chunks.append(chunk)
                    continue
                if size > limit + MOST_DRAINED_BYTES:
                    break
                if chunks or patience.when() is None:
                    chunks.clear()
                    patience.reschedule(asyncio.get_running_loop().time() + DRAIN_SECONDS)
    if size > limit:
        raise BodyTooLargeError
    return b"".join(chunks)


class WsgiBridge:
    """One WSGI application and the threads that run it."""

    def __init__(self, application: WsgiApplication, threads: int = THREADS) -> None:
        self._application = application
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="django")

    async def answer(self, scope: Scope, exchange: Exchange, request_id: str) -> int:
        """Run the application for one request, send what it answers and return its status."""
        identity = ("x-request-id", request_id)
        try:
            body = await read_body(scope, dict(scope.headers.items()), exchange, MOST_BODY_BYTES)
        except BodyTooLargeError:
            text = f"The request is larger than {MOST_BODY_BYTES} bytes.\n".encode()
            exchange.response_bytes(413, [("content-type", "text/plain; charset=utf-8"), identity], text)
            return 413
        call = partial(_run, self._application, environ(scope, body, request_id))
        try:
            status, headers, whole = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except Exception:
            logger.exception("Django could not answer %s %s (request %s)", scope.method, scope.path, request_id)
            status, headers, whole = 500, [("content-type", "text/plain; charset=utf-8")], _FAILURE
        exchange.response_bytes(status, [*headers, identity], whole)
        return status

    def stop(self) -> None:
        """Let the running requests finish and end the threads."""
        self._threads.shutdown()


_FAILURE = b"Something failed here, and it has been logged. Please try again.\n"


def _run(application: WsgiApplication, environ: Environ) -> tuple[int, Headers, bytes]:
    """Call the application and gather its whole answer, as one thread does it.

    A streamed body is gathered too: granian ends a stream that fails midway like one that is complete, and half a table
    must not pass for a whole one.
    """
    started: list[tuple[int, Headers]] = []

    def start_response(status: str, headers: Headers, error: object = None) -> None:
        del error  # nothing has been sent yet, so a later status simply replaces an earlier one
        started.append((int(status[:3]), [(name.lower(), value) for name, value in headers]))

    result = application(environ, start_response)
    try:
        body = b"".join(result)
    finally:
        # Django ends the request here: request_finished, which gives back its database connection.
        close = getattr(result, "close", None)
        if close is not None:
            close()
    status, headers = started[-1]
    return status, headers, body


def environ(scope: Scope, body: bytes, request_id: str) -> Environ:
    """Return the WSGI environment of a request (PEP 3333; text is bytes decoded as latin-1)."""
    host, port = _address(scope.server)
    made: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _native(scope.path),
        "QUERY_STRING": _native(scope.query_string),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": _address(scope.client)[0],
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": scope.headers.get("content-type", ""),
        "HTTP_HOST": scope.headers.get("host") or scope.authority or scope.server,
        "HTTP_X_REQUEST_ID": request_id,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        # X_Forwarded_For would become the same name as X-Forwarded-For, so a client could forge what a proxy sets.
        if name in _NEVER_PASSED_ON or "_" in name:
            continue
        key = "HTTP_" + name.upper().replace("-", "_")
        if key in made:
            made[key] += _SEPARATORS.get(name, ", ") + _native(value)
        else:
            made[key] = _native(value)
    return made


def _native(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def _address(text: str) -> tuple[str, str]:
    """Split ``host:port``; a Unix socket has neither and counts as this machine."""
    if text.startswith("unix:") or not text:
        return "127.0.0.1", "80"
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, "80"
    return host.strip("[]"), port
