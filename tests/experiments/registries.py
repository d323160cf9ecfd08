"""A registry that answers as MLflow's REST API does, over loopback."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Fake:
    """A registry with these versions and runs, a version a page where ``paged``."""

    def __init__(self, versions: Sequence[dict[str, Any]], runs: dict[str, Any]) -> None:
        self.versions, self.runs = list(versions), dict(runs)
        self.paged, self.status, self.body, self.token = False, 200, b"", ""
        self.asked: list[str] = []

    def answer(self, path: str, headers: Any) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, b'{"error_code": "UNAUTHENTICATED"}'
        if self.status != 200 or self.body:
            return self.status, self.body
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/api/2.0/mlflow/model-versions/search":
            return 200, json.dumps(self.page(query)).encode()
        if parts.path == "/api/2.0/mlflow/registered-models/get":
            return 200, json.dumps({"registered_model": {"name": query["name"], "aliases": self.aliases()}}).encode()
        found = self.runs.get(query.get("run_id", ""))
        return (
            (200, json.dumps({"run": found}).encode()) if found else (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}')
        )

    def aliases(self) -> list[dict[str, str]]:
        """Return them as the real one does: with the model, while a search of versions leaves them out."""
        return [
            {"alias": alias, "version": one["version"]} for one in self.versions for alias in one.get("aliases", [])
        ]

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        name = query["filter"].removeprefix("name='").removesuffix("'")
        found = [{k: v for k, v in one.items() if k != "aliases"} for one in self.versions if one["name"] == name]
        if not found:
            return {}
        if not self.paged:
            return {"model_versions": found}
        at = int(query.get("page_token", "0"))
        more = {"next_page_token": str(at + 1)} if at + 1 < len(found) else {}
        return {"model_versions": found[at : at + 1], **more}


@contextmanager
def serving(fake: Fake) -> Iterator[str]:
    """Answer at an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = fake.answer(self.path, self.headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def registry_of(*versions: dict[str, Any]) -> Iterator[str]:
    """Serve these versions, without runs."""
    with serving(Fake(versions, {})) as uri:
        yield uri
