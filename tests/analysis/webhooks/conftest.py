"""A real HTTP server on loopback that keeps what it gets."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.analysis.notices.conftest import (  # noqa: F401  (fixtures are found by their names here)
    alice,
    client_of_alice,
    client_of_bob,
    client_of_charlie,
    plain_static_files,
    ranker,
    shop,
)


class Receiver:
    """What arrived, and what to answer."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.hang_up = False
        self.url = ""


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    kept = Receiver()
    settings.WEBHOOK_PRIVATE = True

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.arrived.append((self.path, dict(self.headers), body))
            if kept.hang_up:
                self.connection.close()
                return
            status, headers, said = kept.answers.pop(0) if kept.answers else (200, {}, b"ok")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/in?token=secret"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()
