"""The SDK payload door: the whole definition of an environment, for clients that evaluate by themselves."""

import asyncio
import re
from collections.abc import Mapping
from functools import partial

from msgspec import Struct

from assignment.doors.connections import UNRECOVERABLE, Connect, Connection, RefusedError, need_method
from assignment.doors.packing import Packed, pack
from assignment.wire import JSON, Answer, Headers, etag_matches, key_of
from experiments.domain.kinds import Delivery

PATH = "/api/features/"
MAX_AGE_SECONDS = 30
REMEMBERED = 256
_SMALL_BYTES = 64 * 1024
_NO_GZIP = re.compile(r"(?:gzip|\*)\s*;\s*q=0(?:\.0*)?\s*(?:,|$)")


class _Kept(Struct, frozen=True, eq=False):
    source: bytes
    packed: "asyncio.Future[Packed]"


NOT_SHARED = "private, no-cache"
"""Where the key is in a header, the address is everyone's, and no cache between may give one's answer to another."""


class Payloads:
    """The packed payloads of this process: each made once a change, large ones beside the event loop."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str, str], _Kept] = {}

    async def of(self, connection: Connection) -> Packed:
        """Return the connection's payload as it is served now.

        Raises
        ------
        RefusedError
            The connection is for remote evaluation, or its encryption key is none.
        """
        if connection.delivery is Delivery.REMOTE:
            raise RefusedError(
                400, "This key is for remote evaluation: ask POST /api/eval/<key>, or use another key.", UNRECOVERABLE
            )
        key = connection.encryption_key if connection.delivery is Delivery.ENCRYPTED else ""
        if connection.delivery is Delivery.ENCRYPTED and not key:
            raise RefusedError(
                400, "This key asks for encryption but has no encryption key; make another.", UNRECOVERABLE
            )
        name = (connection.project_id, connection.environment.value, key)
        kept = self._kept.get(name)
        if kept is None or kept.source is not connection.served.payload:
            kept = self._begin(name, connection.served.payload, key)
        try:
            # A client that leaves must not take the work away from those who wait for the same.
            return await asyncio.shield(kept.packed)
        except ValueError as error:
            raise RefusedError(400, str(error), UNRECOVERABLE) from error

    def _begin(self, name: tuple[int, str, str], source: bytes, key: str) -> _Kept:
        loop = asyncio.get_running_loop()
        if len(self._kept) >= REMEMBERED:
            self._kept.clear()
        packed: asyncio.Future[Packed]
        if len(source) > _SMALL_BYTES:
            packed = asyncio.ensure_future(loop.run_in_executor(None, partial(pack, source, key)))
        else:
            packed = loop.create_future()
            try:
                packed.set_result(pack(source, key))
            except ValueError as error:
                packed.set_exception(error)
        kept = self._kept[name] = _Kept(source, packed)
        return kept


class PayloadDoor:
    """Answers ``GET /api/features/{key}``, or ``GET /api/features/`` with the key in a header.

    A bad key is 400 and not 401: clients and their caches know that answer, with ``x-unrecoverable``, as final. The
    key stands in the address, so no address of this door may be logged.
    """

    def __init__(self, connect: Connect, payloads: Payloads, max_age: int = MAX_AGE_SECONDS) -> None:
        self._connect = connect
        self._payloads = payloads
        self._cache_control = f"public, max-age={max_age}, stale-while-revalidate=3600, stale-if-error=36000"

    async def handle(self, method: str, path: str, headers: Mapping[str, str], query: str, body: bytes) -> Answer:
        """Answer one request; ``path`` begins with ``PATH``."""
        del query, body
        try:
            need_method(method, "GET", "HEAD")
            packed = await self._payloads.of(self._connect(key_of(path, PATH, headers)))
        except RefusedError as refusal:
            return refusal.answer()
        gzipped = _takes_gzip(headers.get("accept-encoding", ""))
        status, answered, content = _conditional(packed, gzipped, headers.get("if-none-match", ""))
        answered.append(("cache-control", self._cache_control if path.rstrip("/") != PATH.rstrip("/") else NOT_SHARED))
        if method == "HEAD" and status == 200:
            return status, [*answered, ("content-length", str(len(content)))], b""
        return status, answered, content


def _conditional(packed: Packed, gzipped: bool, if_none_match: str) -> Answer:
    """Return the body in the client's coding, or 304 where it has it in either one."""
    etags = {False: f'"{packed.etag}"', True: f'"{packed.etag}-gzip"'}
    headers: Headers = [
        ("vary", "accept-encoding"),
        ("x-sse-support", "enabled"),
    ]
    for etag in etags.values():
        if if_none_match and etag_matches(if_none_match, etag):
            return 304, [("etag", etag), *headers], b""
    headers = [JSON, ("etag", etags[gzipped]), *headers]
    return (200, [*headers, ("content-encoding", "gzip")], packed.gzipped) if gzipped else (200, headers, packed.plain)


def _takes_gzip(accept_encoding: str) -> bool:
    offered = accept_encoding.lower()
    return ("gzip" in offered or offered.strip() == "*") and not _NO_GZIP.search(offered)
