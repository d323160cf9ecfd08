"""A small HTTP load: some connections, one request in flight on each, every answer's time kept.

Run by ``benchmarks/evaluate.py`` as a process of its own, so that it does not share the interpreter with what it
measures. It prints one JSON object.
"""

import asyncio
import json
import sys
import time
from itertools import cycle
from typing import Any


class Connection(asyncio.Protocol):
    """Sends a request, waits for the whole answer, sends the next."""

    def __init__(self, requests: list[bytes], until: float, times: list[float], done: asyncio.Future[None]) -> None:
        self.requests = cycle(requests)
        self.until = until
        self.times = times
        self.done = done
        self.refused = 0
        self.left = 0
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        # A long body is counted and not gathered: the load must not cost what it measures.
        if self.left:
            self.left -= len(data)
        else:
            self.received += data
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.received[:end].lower()
            self.refused += not head.startswith(b"http/1.1 200")
            length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            self.left = length - (len(self.received) - end - 4)
            self.received = b""
        if not self.left:
            self.answered()

    def answered(self) -> None:
        now = time.perf_counter()
        self.times.append(now - self.began)
        if now < self.until:
            self.send()
        else:
            self.transport.close()
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed the connection"))


async def run(job: dict[str, Any]) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    requests = [request.encode("latin-1") for request in job["requests"]]
    times: list[float] = []
    began = time.perf_counter()
    connections, waiting = [], []
    for number in range(job["connections"]):
        done: asyncio.Future[None] = loop.create_future()
        start = number * len(requests) // job["connections"]
        mine = requests[start:] + requests[:start]
        _, connection = await loop.create_connection(
            lambda mine=mine, done=done: Connection(mine, began + job["seconds"], times, done),
            "127.0.0.1",
            job["port"],
        )
        connections.append(connection)
        waiting.append(done)
    await asyncio.gather(*waiting)
    elapsed = time.perf_counter() - began
    times.sort()
    return {
        "per_second": len(times) / elapsed,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "refused": sum(connection.refused for connection in connections),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.load(sys.stdin)))))
