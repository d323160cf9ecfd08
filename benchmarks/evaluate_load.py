"""A small HTTP load: some connections, one request in flight on each, every answer's time kept.

Run by ``benchmarks/evaluate.py`` as a process of its own, so that it does not share the interpreter with what it
measures. It reads one JSON object and prints one. No event loop and no copies: the load must not cost what it measures,
and what it does cost is printed as well.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from typing import Any

LARGEST_READ = 1 << 20
END = b"\r\n\r\n"
_buffer = bytearray(LARGEST_READ)
_view = memoryview(_buffer)


class Connection:
    """Sends a request, waits for the whole answer, sends the next."""

    def __init__(self, address: tuple[str, int], requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = requests
        self.refused = 0
        self.bytes = 0
        self._head = b""
        self._left = 0

    def send(self) -> None:
        self.began = time.perf_counter()
        self.socket.sendall(next(self.requests))

    def received(self) -> bool:
        """Read what has come; say whether the answer is complete. A body is counted and not gathered."""
        count = self.socket.recv_into(_view)
        if not count:
            raise ConnectionError("the server closed the connection")
        self.bytes += count
        if self._left:
            self._left -= count
            return not self._left
        end = -1 if self._head else _buffer.find(END, 0, count)
        if end < 0:  # a head in several pieces
            self._head += _view[:count]
            end, count = self._head.find(END), len(self._head)
            if end < 0:
                return False
        head = bytes(_view[:end]) if not self._head else self._head[:end]
        self._head = b""
        self._left = self._length(head.lower()) - (count - end - len(END))
        return not self._left

    def _length(self, head: bytes) -> int:
        self.refused += not head.startswith(b"http/1.1 200")
        return int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])


def run(job: dict[str, Any]) -> dict[str, float]:
    requests = [request.encode("latin-1") for request in job["requests"]]
    times: list[float] = []
    with ExitStack() as opened:
        selector = opened.enter_context(selectors.DefaultSelector())
        connections = []
        for number in range(job["connections"]):
            start = number * len(requests) // job["connections"]
            connection = Connection(("127.0.0.1", job["port"]), cycle(requests[start:] + requests[:start]))
            opened.callback(connection.socket.close)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connections.append(connection)
        began, spent = time.perf_counter(), time.process_time()
        until = began + job["seconds"]
        for connection in connections:
            connection.send()
        open_still = len(connections)
        while open_still:
            for key, _ in selector.select():
                connection = key.data
                if not connection.received():
                    continue
                now = time.perf_counter()
                times.append(now - connection.began)
                if now < until:
                    connection.send()
                else:
                    open_still -= 1
        elapsed, spent = time.perf_counter() - began, time.process_time() - spent
    times.sort()
    return {
        "answered": len(times),
        "per_second": len(times) / elapsed,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "refused": sum(connection.refused for connection in connections),
        "bytes": sum(connection.bytes for connection in connections) / len(times),
        "load_us": spent / len(times) * 1e6,
    }


if __name__ == "__main__":
    print(json.dumps(run(json.load(sys.stdin))))
