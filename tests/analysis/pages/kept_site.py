"""Pages that were fetched before, served on loopback: a browser may keep their static files, as with no route."""

import mimetypes
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.http import HttpResponse

from config.paths import REPOSITORY

GUIDE = REPOSITORY / "docs" / "user-guide" / "images"
STATIC = REPOSITORY / "templates" / "static"
PART = re.compile(r'<[^>]*\shx-(?P<method>get|post)="(?P<address>[^"]+)"[^>]*>')
TAG = re.compile(r"<([a-z][\w-]*)(?:[^>]*?\sclass=\"([^\"]*)\")?")


def is_whole(page: HttpResponse) -> bool:
    """Say whether this is a page: parts of pages are drawn where they belong."""
    return b"<html" in page.content


def drawn_with(page: HttpResponse) -> frozenset[tuple[str, str]]:
    """Return the kinds of elements that a page has: two pages of one address that have the same look the same."""
    return frozenset(TAG.findall(page.content.decode()))


def without_sandbox(header: str) -> str:
    """Return a policy in which scripts of the tests run: e-mails are shown where none may, and axe is one."""
    return re.sub(r"; sandbox[^;]*", "", header)


def parts_of(pages: Iterable[HttpResponse]) -> set[tuple[str, str]]:
    """Return the methods and addresses of what pages fetch as soon as they are open."""
    whole = "".join(page.content.decode() for page in pages)
    return {(tag["method"], unescape(tag["address"])) for tag in PART.finditer(whole) if "load" in tag[0]}


@contextmanager
def served(pages: Mapping[str, HttpResponse], parts: Mapping[str, HttpResponse], *, late: float = 0) -> Iterator[str]:
    """Serve these pages, the parts they fetch (as many seconds late) and the static files; yield the address."""
    answer = type("Found", (Answer,), {"pages": pages, "parts": parts, "late": late})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Answer(BaseHTTPRequestHandler):
    """A page that was found, a static file, or nothing for what a page asks for beside itself."""

    protocol_version = "HTTP/1.1"
    pages: Mapping[str, HttpResponse]
    parts: Mapping[str, HttpResponse]
    late: float

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        is_part = "HX-Request" in self.headers
        page = (self.parts if is_part else self.pages).get(self.path)
        if is_part:
            time.sleep(self.late)
        if page is not None:
            headers = {name: without_sandbox(value) for name, value in page.items()}
            self.give(page.content, headers, page.status_code)
        elif path.startswith("/guide/images/"):
            self.keep((GUIDE / f"{path.split('/')[3]}.webp").read_bytes(), "image/webp")
        elif path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            self.keep(file.read_bytes(), mimetypes.guess_type(file.name)[0] or "text/plain")
        else:
            self.send_response(204)
            self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()  # a live check of what was typed

    def keep(self, body: bytes, kind: str) -> None:
        self.give(body, {"Content-Type": kind, "Cache-Control": "max-age=3600"})

    def give(self, body: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output to themselves."""
