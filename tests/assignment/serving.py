"""A real server process for the tests of assignment, on any database and home."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from config import paths
from config.stack import processes

START_SECONDS = 40


class Server:
    """A granian process and its address."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def stop(self) -> None:
        processes.stop(self.process, signal.SIGTERM, 20)

    def readiness(self) -> dict[str, Any]:
        state: dict[str, Any] = httpx.get(f"{self.url}/readyz", timeout=5).json()
        return state


def start_server(home: Path, database_url: str, **settings: str) -> Server:
    """Start a server and return it once it is ready."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = home / "server.log"
    command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--no-ws", "--workers", "1", "--host",
               "127.0.0.1", "--port", str(port), "config.server:app"]  # fmt: skip
    environment = {**os.environ, "TRUELIFT_HOME": str(home), "DATABASE_URL": database_url, **settings}
    server = Server(
        processes.spawn(command, log, env=environment, cwd=paths.REPOSITORY), f"http://127.0.0.1:{port}", log
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if httpx.get(f"{server.url}/readyz", timeout=2).status_code == httpx.codes.OK:
                return server
        except httpx.TransportError:
            time.sleep(0.05)
    server.stop()
    raise AssertionError(f"The server did not become ready:\n{log.read_text()[-3000:]}")
