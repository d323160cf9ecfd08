"""Keep the definition fresh: by the server's stream where it can be had, else by asking now and then."""

import contextlib
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx

from assignment.client.definition import ClientError, Definition, Fetcher, read_definition

logger = logging.getLogger("truelift.client")

SILENCE_SECONDS = 75.0
"""The server pings every half minute; two missed pings and a stream counts as lost."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0


class Watcher:
    """A thread that hands every new definition to ``install``."""

    def __init__(
        self,
        fetcher: Fetcher,
        stream: "Stream | None",
        poll_seconds: float,
        install: Callable[[Definition], None],
    ) -> None:
        self._fetcher = fetcher
        self._stream = stream
        self._poll_seconds = poll_seconds
        self._install = install
        self._stopping = threading.Event()
        self._wait = FIRST_WAIT
        self._thread = threading.Thread(target=self._run, name="truelift-definition", daemon=True)

    def start(self) -> None:
        """Begin; the first fetch is made at once."""
        self._thread.start()

    def stop(self, seconds: float = 2.0) -> None:
        """End, also while a stream is open."""
        self._stopping.set()
        if self._stream is not None:
            self._stream.close()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._refresh()
                self._wait = FIRST_WAIT
                if self._stream is None:
                    self._pause(self._poll_seconds)
                else:
                    self._follow(self._stream)
            except ClientError as error:
                if self._stopping.is_set():
                    return
                logger.warning("The definition was not refreshed, the last one stays in use. %s", error)
                self._pause(self._wait)
                self._wait = min(self._wait * 2, LONGEST_WAIT)

    def _refresh(self) -> None:
        found = self._fetcher.fetch()
        if found is not None:
            self._install(found)

    def _follow(self, stream: "Stream") -> None:
        began = time.monotonic()
        for definition in stream.definitions():
            if self._stopping.is_set():
                return
            self._install(definition)
        # A stream that ends is the server's habit; one that ends at once is a server that has none.
        if time.monotonic() - began < 1:
            self._pause(self._poll_seconds)

    def _pause(self, seconds: float) -> None:
        # Apart from each other, so that a thousand processes do not all ask in the same second.
        self._stopping.wait(seconds * random.uniform(0.8, 1.2))  # noqa: S311  (nothing secret)


class Stream:
    """The server's stream of definitions (server-sent events)."""

    def __init__(self, url: str, key: str, decryption_key: str, http: httpx.Client) -> None:
        self._address = f"{url.rstrip('/')}/sub/"
        self._headers = {"authorization": f"Bearer {key}"}
        self._decryption_key = decryption_key
        self._http = http
        self._socket: socket.socket | None = None
        self._closed = False

    def close(self) -> None:
        """End a stream that another thread is reading or about to read."""
        self._closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def definitions(self) -> Iterator[Definition]:
        """Yield each definition as it comes, until the server ends the stream.

        Raises
        ------
        ClientError
            When the stream is refused, breaks or falls silent.
        """
        timeout = httpx.Timeout(10, read=SILENCE_SECONDS)
        try:
            with self._http.stream("GET", self._address, headers=self._headers, timeout=timeout) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise ClientError(f"The stream was refused with {answer.status_code}.")
                self._socket = answer.extensions["network_stream"].get_extra_info("socket")
                if self._closed:
                    return
                for event, data in events(answer.iter_lines()):
                    if event == "features" and data:
                        yield read_definition(data.encode(), self._decryption_key)
        except (httpx.HTTPError, httpx.StreamError, OSError, RuntimeError) as error:
            raise ClientError(f"The stream broke: {error or type(error).__name__}.") from error


def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and data of each server-sent event (WHATWG HTML, section 9.2)."""
    name = "message"
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
