"""The REST API as the command sees it: one request at a time, sent again where nobody can say whether it arrived."""

import time
import uuid
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlsplit

import httpx

ATTEMPTS = 3
PAUSE_SECONDS = 0.5
TEMPORARY = frozenset({502, 503, 504})


class CommandError(Exception):
    """The command cannot go on; the message is one line for people."""


class UsageError(CommandError):
    """It was asked wrongly: a file that cannot be read, a key that is missing."""


class RefusedError(CommandError):
    """The server understood and said no; ``body`` is its error."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(body.get("message", f"The server answered {status}.")))
        self.status, self.body = status, body


class ApiClient:
    """Asks one server with one key. Each change carries a key of its own, so that sending it again does it once."""

    def __init__(self, url: str, key: str, *, pause: float = PAUSE_SECONDS) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"The address {url!r} is none of a server; it looks like https://truelift.example.com.")
        if not key.isascii() or not key.isprintable():
            raise UsageError("The key holds characters that no key has; copy it again.")
        self.pause = pause
        self.url = url.rstrip("/")
        self.http = httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str, /, **query: Any) -> Any:
        """Return what is at ``path``."""
        return self._ask("GET", path, query={name: value for name, value in query.items() if value is not None})

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a change and return what is there now."""
        return self._ask(method, path, body=body)

    def upload(self, path: str, file: Path, **fields: str) -> Any:
        """Send a file in a form; that it is sent twice does nothing twice."""
        return self._ask("POST", path, form={"data": fields, "files": {"file": (file.name, file.read_bytes())}})

    def all(self, path: str, rows_of: str, /, **query: Any) -> list[Any]:
        """Return every row of a list, page by page; short lists have one."""
        rows: list[Any] = []
        cursor: str | None = None
        while True:
            page = self.get(path, **query, cursor=cursor)
            rows += page[rows_of]
            if not page.get("next"):
                return rows
            # The address in the answer may be another than the one that we reach the server by.
            cursor = parse_qs(urlsplit(page["next"]).query)["cursor"][0]

    def _ask(self, method: str, path: str, query: Any = None, body: Any = None, form: Any = None) -> Any:
        sent = form or {"json": body}
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                answer = self.http.request(method, f"{self.url}/api/v1{path}", params=query, headers=headers, **sent)
            except httpx.TransportError as error:
                if last:
                    raise CommandError(f"{self.url} cannot be reached: {error}.") from error
            else:
                if last or answer.status_code not in TEMPORARY:
                    return _read(answer)
            time.sleep(self.pause * 2**attempt)
        raise AssertionError("the last attempt returns or raises")


def _read(answer: httpx.Response) -> Any:
    try:
        body = answer.json() if answer.content else None
    except ValueError as error:
        message = f"{answer.url.host} answered {answer.status_code} and no JSON; is that a Truelift server?"
        raise CommandError(message) from error
    if answer.is_success:
        return body
    refused = body.get("error") if isinstance(body, dict) else None
    raise RefusedError(answer.status_code, refused if isinstance(refused, dict) else {})


def part(key: str) -> str:
    """Return a key as one part of an address."""
    return quote(key, safe="")
