"""The server process: lean doors for assignment and events, Django for everything else.

Start it with ``granian --interface rsgi --no-ws --workers 1 config.server:app``.
"""

import asyncio
import importlib
import itertools
import logging
import re
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec
from django.conf import settings

from config import paths
from config.rsgi import BodyTooLargeError, Exchange, Headers, Scope, WsgiBridge, read_body
from config.wsgi import application

# After config.wsgi, which loads Django's settings and models.
from assignment.edge import Edge  # isort: skip
from assignment.ofrep import OfrepDoor  # isort: skip
from events import log, partitions  # isort: skip
from events.doors import EventDoors  # isort: skip
from events.sink import LogUnavailableError, Sink  # isort: skip
from events.watch import Watch  # isort: skip
from experiments.domain.access import KeyGrant  # isort: skip

logger = logging.getLogger(__name__)

Answer = tuple[int, Headers, bytes]
Handle = Callable[[str, str, Mapping[str, str], str, bytes], Awaitable[Answer]]

JSON = ("content-type", "application/json")
MOST_DOOR_BYTES = 1024 * 1024
# A base address may have a path of its own before the protocol's (PROTOCOLS: ``/{env}/ofrep/v1/…``).
_OFREP = re.compile(r"^(?:/[^/]+)?(/ofrep/v1/.*)$", re.DOTALL)
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._:-]{1,100}$")
CORS: Headers = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "ETag, Retry-After, X-Request-Id"),
]
PREFLIGHT: Headers = [
    *CORS,
    ("access-control-allow-methods", "POST, OPTIONS"),
    (
        "access-control-allow-headers",
        "content-type, authorization, x-api-key, if-none-match, content-encoding, x-retry-count, x-request-id",
    ),
    ("access-control-max-age", "86400"),
]


class Server:
    """One server process: what it holds open, and who answers which address."""

    def __init__(self) -> None:
        address = log.conninfo()
        self._edge = Edge(address, paths.home() / "snapshot.json")
        self._sink = Sink(address)
        self._watch = Watch(settings.REDIS_URL)
        self._events = EventDoors(self._grant, self._sink, watch=self._watch)
        self._ofrep = OfrepDoor(self._edge)
        self._django = WsgiBridge(application)
        self._ids = itertools.count(1)
        self._id_prefix = secrets.token_hex(4)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open what the doors need; granian calls this once a worker, before its loop runs."""
        self._edge.start()
        self._sink.start(loop)
        self._watch.start(loop)
        threading.Thread(target=_settle_in, name="settle-in", daemon=True).start()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Finish what was begun; granian calls this after the last answer."""
        loop.run_until_complete(self._sink.stop())
        loop.run_until_complete(self._watch.stop())
        self._django.stop()
        self._edge.stop()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request."""
        if scope.proto != "http":
            return
        path = scope.path
        request_id = self._request_id(scope)
        if self._events.takes(path):
            error, most = partial(self._events.error, path), self._events.most_bytes(path)
            await self._answer(scope, exchange, request_id, path, self._events.handle, error, most)
        elif (match := _OFREP.match(path)) is not None:
            await self._answer(scope, exchange, request_id, match[1], self._ofrep.handle, _ofrep_error)
        elif path in ("/healthz", "/readyz"):
            status, state = (200, {"status": "ok"}) if path == "/healthz" else self._readiness()
            headers = [JSON, ("cache-control", "no-store"), ("x-request-id", request_id)]
            exchange.response_bytes(status, headers, msgspec.json.encode(state))
        else:
            await self._django.answer(scope, exchange, request_id)

    async def _answer(
        self,
        scope: Scope,
        exchange: Exchange,
        request_id: str,
        path: str,
        handle: Handle,
        error: Callable[[int, str, str], Answer],
        most_bytes: int = MOST_DOOR_BYTES,
    ) -> None:
        """Answer one request of a door, and add what every door's answers carry."""
        if scope.method == "OPTIONS":
            exchange.response_bytes(204, [*PREFLIGHT, ("x-request-id", request_id)], b"")
            return
        try:
            body = await read_body(scope, exchange, most_bytes)
            named = dict(scope.headers.items())
            status, headers, answer = await handle(scope.method, path, named, scope.query_string, body)
        except BodyTooLargeError:
            message = f"The body is larger than {most_bytes} bytes."
            status, headers, answer = error(413, "body_too_large", message)
        except Exception:
            logger.exception("%s %s failed (request %s)", scope.method, path, request_id)
            message = f"Something failed here, and it has been logged as request {request_id}."
            status, headers, answer = error(500, "internal_error", message)
        cors = [] if any(name == CORS[0][0] for name, _ in headers) else CORS
        exchange.response_bytes(status, [*headers, *cors, ("x-request-id", request_id)], answer)

    def _grant(self, key: str) -> KeyGrant | None:
        """Return what a key opens; without a snapshot nobody can say, and the client should come back."""
        if self._edge.snapshot is None:
            raise LogUnavailableError("This server does not know the API keys yet.", 1)
        return self._edge.grant(key)

    def _readiness(self) -> tuple[int, dict[str, object]]:
        ready = self._edge.snapshot is not None
        state: dict[str, object] = {
            "status": "ready" if ready else "waiting for the first snapshot",
            "snapshot": {"version": self._edge.version, "age_seconds": self._edge.age},
            "database": "connected" if self._edge.connected else "not connected",
            "event_log": "available" if self._sink.available else "not available",
        }
        return (200 if ready else 503), state

    def _request_id(self, scope: Scope) -> str:
        """Return the caller's id for this request if it is fit for a log, or a new one."""
        given = scope.headers.get("x-request-id")
        if given is not None and _REQUEST_ID.match(given):
            return str(given)
        return f"{self._id_prefix}-{next(self._ids):x}"


def _settle_in() -> None:
    """Do beside the first requests what they need not wait for."""
    importlib.import_module(settings.ROOT_URLCONF)  # pages and statistics: seconds that the first visitor would wait
    partitions.keep_quietly()


def _ofrep_error(status: int, code: str, message: str) -> Answer:
    del code  # OFREP has one code for whatever is not about the flag
    return status, [JSON], msgspec.json.encode({"errorCode": "GENERAL", "errorDetails": message})


app = Server()
