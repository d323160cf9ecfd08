"""How fast events become durable: over HTTP through the real server, beside a bare COPY into the same table.

    .venv/bin/python -m benchmarks.ingest [--seconds 5] [--connections 16]

Takes a minute and a half and leaves nothing behind. Single events are also sent to a server that commits each of them
alone, on as many connections to the database as the product's and on one. The load generator shares the machine with
the server and the database, and the machine may do other things too: read the ratios.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

BATCH = 200
COPY_ROWS = 20_000
PLACE = b"@@@@@@@@"
WHO = b"######"
VISITORS = 2_000
"""Every so many requests the same visitors come again, where a request says whose it is by ``WHO``."""
MAKE_KEY = """
import django; django.setup()
from experiments.domain.access import Scope
from experiments.keys import issue_key
from experiments.models import Project
print(issue_key(Project.objects.create(slug="shop", name="Shop"), "app", [Scope.INGEST], None)[1])
"""


def message(number: int) -> dict[str, Any]:
    """Return a message of some 330 bytes, as a shop's server would send it."""
    now = datetime.now(UTC).isoformat()
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": f"user-{PLACE.decode()}-{number % 50}",
        "properties": {"order_id": f"o-{number}", "revenue": 49.5, "currency": "EUR", "country": "DE"},
        "timestamp": now,
        "messageId": f"{PLACE.decode()}-{number}",
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
        "integrations": {},
    }


def request(path: str, key: str, body: bytes) -> bytes:
    """Return a whole HTTP request whose ``PLACE`` and ``WHO`` are still to be filled; its length stays as it is."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def load(
    port: int, template: bytes, connections: int, seconds: float, repeat: bool, first: int
) -> dict[str, float]:
    """Keep one request in flight on each connection; with ``repeat`` every request is sent twice, as a retry.

    Requests are numbered from ``first`` on: those of the same number have the same messages.
    """
    times: list[float] = []
    refused = 0
    serial = itertools.count(first)
    until = time.perf_counter() + seconds

    async def one_connection() -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            number = next(serial)
            filled = template.replace(PLACE, b"%08d" % number).replace(WHO, b"%06d" % (number % VISITORS))
            for _ in range(2 if repeat else 1):
                began = time.perf_counter()
                writer.write(filled)
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
                times.append(time.perf_counter() - began)
                refused += not head.startswith(b"HTTP/1.1 200")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one_connection() for _ in range(connections)))
    elapsed = time.perf_counter() - began
    times.sort()
    return {
        "requests": len(times),
        "per_second": len(times) / elapsed,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
        "refused": refused,
    }


@contextmanager
def running(app: str = "config.server:app") -> Iterator[tuple[str, int, str, int]]:
    """Start a database and a server of their own.

    Yields the database's address, the server's port, a key, and the id of the server's process.
    """
    from config import paths
    from config.stack import embedded

    with tempfile.TemporaryDirectory(prefix="tl-bench-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o755)
        address = paths.embedded_database_url(home)
        postgres = embedded.start_postgres(home, paths.socket_directory(home))
        environment = {**os.environ, "TRUELIFT_HOME": name, "DATABASE_URL": address, "TRUELIFT_LOG_LEVEL": "WARNING"}
        (home / "static").mkdir()
        server = None
        try:
            for command in (["manage.py", "migrate", "-v0"], ["-c", MAKE_KEY]):
                done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, check=True)
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                port = listener.getsockname()[1]
            command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws", "--no-log"]
            server = subprocess.Popen([*command, "--port", str(port), app], env=environment)
            wait_until_ready(port, server)
            yield address, port, done.stdout.decode().strip(), server.pid
        finally:
            if server is not None:
                server.terminate()
                server.wait(30)
            postgres.send_signal(signal.SIGINT)
            postgres.wait(30)


def wait_until_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
            break
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                raise SystemExit("The server did not start.") from None
            time.sleep(0.1)


def wait_for_partitions(address: str) -> None:
    """Wait until the server has made what it makes beside its first requests."""
    from events.partitions import DAYS_AHEAD, partition_name

    last = partition_name(datetime.now(UTC).date() + timedelta(days=DAYS_AHEAD))
    with psycopg.connect(address, autocommit=True) as connection:
        while connection.execute("SELECT to_regclass(%s)", [last]).fetchone() == (None,):
            time.sleep(0.1)


def emptied(address: str) -> int:
    """Empty the log between measurements; return how many rows it held."""
    with psycopg.connect(address, autocommit=True) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM events_log").fetchone() or (0,)
        connection.execute("TRUNCATE events_log")
        connection.execute("CHECKPOINT")
    return int(rows)


def copied(address: str, seconds: float) -> float:
    """Return rows a second of one connection that copies encoded rows, each COPY durable before the next."""
    from events import log
    from events.intake.fields import Arrival
    from events.row import encode
    from events.segment.message import accept

    arrival = Arrival(project_id=1, received_at=datetime.now(UTC))
    raw = [json.dumps(message(number)).encode() for number in range(COPY_ROWS)]
    spent = 0.0
    rows = 0
    with log.connect(address) as connection:
        turn = 0
        while spent < seconds:
            turn += 1
            filled = [one.replace(PLACE, b"%08d" % turn) for one in raw]
            encoded = [encode(accept(one, arrival)) for one in filled]
            began = time.perf_counter()
            log.store(connection, encoded, [], again=False)
            spent += time.perf_counter() - began
            rows += len(encoded)
    return rows / spent


def over_http(
    port: int, template: bytes, connections: int, seconds: float, *, repeat: bool = False, first: int = 1
) -> dict[str, Any]:
    """Run the load in a process of its own, so that it does not share an interpreter with anything measured."""
    job = {"port": port, "template": template.decode(), "connections": connections, "seconds": seconds}
    command = [sys.executable, "-m", "benchmarks.ingest", "--load"]
    done = subprocess.run(
        command, input=json.dumps({**job, "repeat": repeat, "first": first}).encode(), capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def report(name: str, found: dict[str, Any], batch: int, bare: float, stored: int, sent: float) -> None:
    rate = found["per_second"] * batch
    exact = "exact" if stored == sent * batch else f"STORED {stored} OF {sent * batch:.0f}"
    print(
        f"{name:<36}{rate:>9,.0f} events/s {rate / bare:>6.2f} of COPY   p50 {found['p50_ms']:>6.1f} ms   "
        f"p99 {found['p99_ms']:>6.1f} ms   refused {found['refused']}   {exact}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--connections", type=int, default=16)
    options.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.load:
        job = json.load(sys.stdin)
        print(json.dumps(asyncio.run(load(**{**job, "template": job["template"].encode()}))))
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with running() as (address, port, key, _):
        os.environ["DATABASE_URL"] = address
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}")
        wait_for_partitions(address)
        bare = copied(address, given.seconds)
        emptied(address)
        print(f"{'bare COPY, one connection':<36}{bare:>9,.0f} events/s")
        empty = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        idle = over_http(port, empty, given.connections * 4, given.seconds)["per_second"]
        print(f"{'an answer without an event':<36}{idle:>9,.0f} requests/s")
        batch = request("/v1/batch", key, json.dumps({"batch": [message(n) for n in range(BATCH)]}).encode())
        single = request("/v1/track", key, json.dumps(message(0)).encode())
        for name, template, size, connections, repeat in (
            (f"batches of {BATCH}", batch, BATCH, given.connections, False),
            (f"batches of {BATCH}, each sent twice", batch, BATCH, given.connections, True),
            ("single events", single, 1, given.connections * 4, False),
            ("single events, one connection", single, 1, 1, False),
        ):
            found = over_http(port, template, connections, given.seconds, repeat=repeat)
            sent = (found["requests"] - found["refused"]) / (2 if repeat else 1)
            report(name, found, size, bare, emptied(address), sent)
    for writers, name in ((2, "on as many"), (1, "on one")):
        os.environ["UNGROUPED_WRITERS"] = str(writers)
        with running("benchmarks.ungrouped:app") as (address, port, key, _):
            wait_for_partitions(address)
            single = request("/v1/track", key, json.dumps(message(0)).encode())
            found = over_http(port, single, given.connections * 4, given.seconds)
            sent = found["requests"] - found["refused"]
            report(f"each committed alone, {name}", found, 1, bare, emptied(address), sent)


if __name__ == "__main__":
    main()
