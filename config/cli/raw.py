"""Any address of the API, for what has no command of its own."""

import json
import sys
from typing import Any

from rich.console import Console

from config.cli.asking import read_file
from config.cli.client import ApiClient
from config.cli.declaring import Asked, command

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def declare(words: Any) -> None:
    """Declare ``api``."""
    made = command(words, "api", ask, "ask any address of the REST API and print its answer as JSON")
    made.add_argument("method", metavar="METHOD", type=str.upper, choices=METHODS, help=", ".join(METHODS))
    made.add_argument("path", metavar="PATH", help="as /experiments?status=running, behind /api/v1")
    made.add_argument("--body", metavar="FILE", help="JSON or TOML to send; - is JSON on standard input")


def ask(client: ApiClient, asked: Asked, _: Console) -> None:
    """Send one request."""
    path = "/" + asked.path.removeprefix("/api/v1").lstrip("/")
    body = read_file(asked.body) if asked.body else None
    answer = client.send(asked.method, path, body)
    if answer is not None:
        json.dump(answer, sys.stdout, ensure_ascii=False, indent=2)
        print()
