"""The server process: lean doors for assignment and events, Django for everything else.

Start it with ``granian --interface rsgi --no-ws --workers 1 config.server:app``.
"""

import asyncio
import gc
import hmac
import itertools
import re
import secrets
import signal
import threading
import time
from collections.abc import Mapping
from functools import partial

import msgspec
from django.conf import settings

from config import doorway, metrics, paths, settling
from config.doorway import REQUEST_ID, Answer, Door
from config.rsgi import Exchange, Headers, Scope, WsgiBridge
from config.wsgi import application

# After config.wsgi, which loads Django's settings and models.
from assignment import assignments, decide, interleave  # isort: skip
from assignment.doors import payload, refetch, remote, sub  # isort: skip
from assignment.doors.connections import EdgeConnections, RefusedError  # isort: skip
from assignment.doors.exposing import ExposureLog  # isort: skip
from assignment.doors.payload import PayloadDoor, Payloads  # isort: skip
from assignment.doors.refetch import RefetchDoor  # isort: skip
from assignment.doors.remote import RemoteDoor  # isort: skip
from assignment.doors.single import SingleDoor  # isort: skip
from assignment.doors.streams import Streams, Timing  # isort: skip
from assignment.doors.sub import SubDoor  # isort: skip
from assignment.edge import Edge  # isort: skip
from assignment.engine.native import NATIVE  # isort: skip
from assignment.ofrep import OfrepDoor  # isort: skip
from assignment.tokens import Tokens  # isort: skip
from config import metrics_sources as sources  # isort: skip
from events import log, partitions  # isort: skip
from events.doors import EventDoors  # isort: skip
from events.sink import LogUnavailableError, Sink  # isort: skip
from events.watch import Watch  # isort: skip
from experiments.domain.access import KeyGrant  # isort: skip

JSON = ("content-type", "application/json")
OFREP_PREFIX = "/ofrep/v1/"
NO_PAGES = "This server answers apps only (TRUELIFT_PAGES is off); pages and the REST API are on another one."
# A base address may have a path of its own before the protocol's (PROTOCOLS: ``/{env}/ofrep/v1/…``).
_ASSIGNMENT = re.compile(
    r"^(?:/[^/]+)?((/ofrep/v1/|/v1/decide|/v1/assignments|/v1/interleave|/api/features/|/api/eval/|/sub/).*)$",
    re.DOTALL,
)
_BEARER = "bearer "


class Server:
    """One server process: what it holds open, and who answers which address."""

    def __init__(self) -> None:
        address = log.conninfo()
        self._edge = Edge(address, paths.home() / "snapshot.json")
        self._sink = Sink(address)
        self._watch = Watch(settings.REDIS_URL)
        self._counting = sources.CountingWatch(self._watch)
        self._events = EventDoors(self._grant, self._sink, watch=self._counting)
        self._exposures = ExposureLog(self._sink)
        self._streams = Streams(
            Timing(
                most=settings.MOST_STREAMS,
                ping_seconds=settings.STREAM_PING_SECONDS,
                lifetime_seconds=settings.STREAM_SECONDS,
            )
        )
        self._doors = self._assignment_doors()
        self._django = WsgiBridge(application) if settings.PAGES else None
        self._traffic = metrics.Traffic()
        self._metrics = self._registry()
        self._ids = itertools.count(1)
        self._id_prefix = secrets.token_hex(4)

    def _assignment_doors(self) -> dict[str, Door]:
        """Return the doors for assignment by the beginnings of their addresses."""
        connect = EdgeConnections(self._edge).connect
        tokens = Tokens(settings.SECRET_KEY, time.time)
        packed = Payloads()
        self._sub = SubDoor(connect, packed, self._streams)
        self._refetch = RefetchDoor(self._environment, tokens, self._streams)
        single = SingleDoor(OfrepDoor(self._edge, tokens), self._edge, self._exposures)
        secret = partial(Door, error=_sdk_error, address_is_secret=True)
        return {
            OFREP_PREFIX: Door(name="ofrep", handle=single.handle, error=_ofrep_error),
            assignments.PATH: Door(
                name="assignments", handle=assignments.AssignmentsDoor(self._edge).handle, error=_plain_error
            ),
            interleave.PATH: Door(
                name="interleave", handle=interleave.InterleaveDoor(self._edge).handle, error=_plain_error
            ),
            decide.PATH: Door(name="decide", handle=decide.DecideDoor(self._edge).handle, error=_plain_error),
            payload.PATH: secret(
                name="sdk_features", handle=PayloadDoor(connect, packed, settings.PAYLOAD_MAX_AGE).handle
            ),
            remote.PATH: secret(name="sdk_eval", handle=RemoteDoor(connect).handle),
        }

    def _registry(self) -> metrics.Registry:
        registry = metrics.Registry()
        registry.register("requests", self._traffic.collect)
        registry.register("edge", sources.of_edge(self._edge))
        registry.register("events", self._counting.collect)
        registry.register("event_log", sources.of_sink(self._sink))
        registry.register("exposures", sources.of_exposures(self._exposures))
        registry.register("streams", sources.of_streams(self._streams))
        registry.register("process", sources.of_process)
        for name, collector in sources.DATABASE_COLLECTORS.items():
            registry.register(name, sources.while_connected(self._edge, collector))
        return registry

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open what the doors need; granian calls this once a worker, before its loop runs."""
        self._streams.start(loop)
        self._edge.on_change(self._streams.wake)
        self._edge.start()
        self._sink.start(loop)
        self._watch.start(loop)
        if threading.current_thread() is threading.main_thread():
            # The loop hears of signals by its own way, which stays; granian then waits for open answers to end.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self._streams.end())
        threading.Thread(target=_settle_in, name="settle-in", daemon=True).start()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Finish what was begun; granian calls this after the last answer."""
        loop.run_until_complete(self._sink.stop())
        loop.run_until_complete(self._watch.stop())
        if self._django is not None:
            self._django.stop()
        self._edge.stop()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request, and count it."""
        if scope.proto != "http":
            return
        began = time.perf_counter()
        path, named = scope.path, dict(scope.headers.items())
        request_id = self._request_id(named)
        if (match := _ASSIGNMENT.match(path)) is not None:
            if match[2] == sub.PATH or match[1] == refetch.PATH:
                await self._stream(scope, exchange, match[1], named, request_id)
                return
            door = self._doors[match[2]]
            status = await doorway.answer(door, scope, exchange, match[1], named, request_id)
            self._traffic.observe(door.name, status, time.perf_counter() - began)
        elif self._events.takes(path):
            error, most = partial(self._events.error, path), self._events.most_bytes(path)
            door = Door(name="events", handle=self._events.handle, error=error, most_bytes=most)
            status = await doorway.answer(door, scope, exchange, path, named, request_id)
            self._traffic.observe("events", status, time.perf_counter() - began)
        elif path in _OPERATIONS:
            status, headers, body = await self._operation(path, named)
            exchange.response_bytes(status, [*headers, ("x-request-id", request_id)], body)
            self._traffic.observe(path[1:], status, time.perf_counter() - began)
        elif self._django is not None:
            status = await self._django.answer(scope, exchange, request_id)
            self._traffic.observe("pages", status, time.perf_counter() - began)
        else:
            status, headers, body = _plain_error(404, "not_found", NO_PAGES)
            exchange.response_bytes(status, [*headers, ("x-request-id", request_id)], body)
            self._traffic.observe("pages", status, time.perf_counter() - began)

    async def _stream(
        self, scope: Scope, exchange: Exchange, path: str, named: Mapping[str, str], request_id: str
    ) -> None:
        """Open a stream, or say why not."""
        name = "ofrep_stream" if path == refetch.PATH else "sdk_stream"
        extra: Headers = [*doorway.CORS, ("x-request-id", request_id)]
        if scope.method == "OPTIONS":
            exchange.response_bytes(204, [*doorway.PREFLIGHT, ("x-request-id", request_id)], b"")
            return
        if path == refetch.PATH:
            refused = await self._refetch.stream(scope.method, scope.query_string, named, exchange, extra)
        else:
            refused = await self._sub.stream(scope.method, path, named, exchange, extra)
        if refused is not None:
            status, headers, body = refused
            exchange.response_bytes(status, [*headers, *extra], body)
        self._traffic.count(name, 200 if refused is None else refused[0])

    async def _operation(self, path: str, named: Mapping[str, str]) -> Answer:
        """Answer those who run the server: is it alive, is it ready, how is it doing?"""
        never_stored = ("cache-control", "no-store")
        if path == "/metrics":
            if not _may_read_metrics(named.get("authorization", "")):
                return (
                    401,
                    [("www-authenticate", "Bearer"), never_stored],
                    b"Send the token of TRUELIFT_METRICS_TOKEN.\n",
                )
            text = await asyncio.get_running_loop().run_in_executor(None, self._metrics.text)
            return 200, [("content-type", metrics.CONTENT_TYPE), never_stored], text
        status, state = (200, {"status": "ok"}) if path == "/healthz" else self._readiness()
        return status, [JSON, never_stored], msgspec.json.encode(state)

    def _environment(self, project_id: int, name: str) -> refetch.Changing | None:
        table = self._edge.table
        return None if table is None else table.environment(project_id, name)

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
            "engine": "in Python" if NATIVE is None else "compiled",
        }
        return (200 if ready else 503), state

    def _request_id(self, named: Mapping[str, str]) -> str:
        """Return the caller's id for this request if it is fit for a log, or a new one."""
        given = named.get("x-request-id")
        if given is not None and REQUEST_ID.match(given):
            return given
        return f"{self._id_prefix}-{next(self._ids):x}"


_OPERATIONS = frozenset(("/healthz", "/readyz", "/metrics"))


def _settle_in() -> None:
    """Do beside the first requests what they need not wait for."""
    if settings.PAGES:
        settling.import_pages()
    # What was imported stays. Left to the collector it is gone through again and again, 0.1 s each time for everyone.
    gc.collect()
    gc.freeze()
    # A page makes some hundred thousand objects and lets go of them by itself: looked through every 700 of them, as
    # Python does by default, it takes 6 % longer.
    gc.set_threshold(50_000, 20, 50)
    partitions.keep_quietly()


def _may_read_metrics(authorization: str) -> bool:
    """Say whether a scrape carries the token, where one is set."""
    if not settings.METRICS_TOKEN:
        return True
    scheme, token = authorization[: len(_BEARER)].lower(), authorization[len(_BEARER) :].strip()
    return scheme == _BEARER and hmac.compare_digest(token.encode(), settings.METRICS_TOKEN.encode())


def _plain_error(status: int, code: str, message: str) -> Answer:
    return status, [JSON], msgspec.json.encode({"code": code, "message": message})


def _ofrep_error(status: int, code: str, message: str) -> Answer:
    del code  # OFREP has one code for whatever is not about the flag
    return status, [JSON], msgspec.json.encode({"errorCode": "GENERAL", "errorDetails": message})


def _sdk_error(status: int, code: str, message: str) -> Answer:
    del code  # this protocol has none
    return RefusedError(status, message).answer()


app = Server()
