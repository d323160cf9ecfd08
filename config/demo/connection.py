"""Kept-alive HTTP/1.1 connections, as thin as a load that shares its machine with the server needs.

A general client spends several times more processor time on a request than the server does on its answer; here the
tool must not be what is measured.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit


class BrokenConnectionError(Exception):
    """The server hung up, refused the connection or answered something that is not HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the headers by lower-case name, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens, taken from a base URL such as http://127.0.0.1:8000."""

    host: str
    port: int
    secure: bool
    prefix: str

    @classmethod
    def from_url(cls, url: str) -> "Address":
        """Read a base URL, or raise ``ValueError`` with one line about what is wrong with it."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"The base URL is {url!r}; it must look like http://127.0.0.1:8000.")
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise ValueError(f"The base URL {url!r} has no usable port: {error}.") from error
        return cls(parts.hostname, port, parts.scheme == "https", parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """Return what the Host header says."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.secure else 80) else f"{name}:{self.port}"


class Connection:
    """One connection; it opens itself on first use and again after the server has closed it."""

    def __init__(self, address: Address, seconds: float = 60.0) -> None:
        self._address = address
        self._seconds = seconds
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, headers: str, body: bytes = b"") -> Answer:
        """Send one request and read its answer; ``headers`` are ready lines, each ending in CRLF."""
        try:
            async with asyncio.timeout(self._seconds):
                reader, writer = self._streams or await self._open()
                head = (
                    f"{method} {self._address.prefix}{path} HTTP/1.1\r\nhost: {self._address.authority}\r\n"
                    f"{headers}content-length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode("latin-1") + body)
                answer = await _read_answer(reader)
        except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            self.close()
            raise BrokenConnectionError(f"{type(error).__name__}: {error}") from error
        except asyncio.CancelledError:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context() if self._address.secure else None
        self._streams = await asyncio.open_connection(self._address.host, self._address.port, ssl=context)
        return self._streams

    def close(self) -> None:
        """Drop the connection; the next request opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def aclose(self) -> None:
        """Drop the connection, and return when it is gone."""
        if self._streams is not None:
            writer = self._streams[1]
            self.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    return Answer(int(lines[0].split(" ", 2)[1]), headers, await _read_body(reader, headers))


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        pieces = []
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            pieces.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return b"".join(pieces)
    return await reader.readexactly(int(headers.get("content-length", "0")))
