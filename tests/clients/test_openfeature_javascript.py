"""OpenFeature's JavaScript SDKs with their OFREP providers: in Node, and in a browser."""

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.chromium import launched
from tests.clients.conftest import UNITS


def test_openfeature_node__ten_thousand_units__get_what_the_engine_says(world, node):
    answers = node.run("openfeature_server.mjs", url=world.server.url, key=world.key, flag="new-ranker", units=UNITS)
    expected = {
        unit: [world.variant(unit) or "control", world.variant(unit) or "control",
               "SPLIT" if world.variant(unit) else "STATIC", None]
        for unit in UNITS
    }  # fmt: skip
    assert answers == expected
    assert Counter(variant for _, variant, *_ in answers.values()).keys() == {"control", "treatment"}


def test_openfeature_node__an_unknown_flag_or_a_wrong_key__keeps_the_code_default(world, node):
    missing = node.run("openfeature_server.mjs", url=world.server.url, key=world.key, flag="missing", units=["u"])
    assert missing == {"u": ["code default", None, "ERROR", "FLAG_NOT_FOUND"]}
    wrong = node.run("openfeature_server.mjs", url=world.server.url, key="tl_wrong", flag="new-ranker", units=["u"])
    assert wrong["u"][0] == "code default"
    assert wrong["u"][2] == "ERROR"


class Shop(BaseHTTPRequestHandler):
    """A web shop's front page: another origin than the server's, so the browser enforces CORS."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Shop</title>")

    def log_message(self, *_: object) -> None:
        """Keep the tests' output quiet."""


@pytest.fixture(scope="module")
def page(world, node):
    """A page of the shop with the web SDK loaded."""
    # A real server on loopback: from a page without one, Chromium lets nobody reach a loopback address.
    shop = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    with launched() as browser:
        opened = browser.new_page()
        opened.goto(f"http://127.0.0.1:{shop.server_port}/")
        opened.add_script_tag(content=node.bundle("openfeature_web.mjs"))
        yield opened
    shop.shutdown()
    shop.server_close()


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_openfeature_web__thousands_of_units__get_what_the_engine_says(world, page, count):
    units = UNITS[-count:]
    page.evaluate("(options) => connect(options)", {"url": world.server.url, "key": world.key, "unit": "first"})
    answers = page.evaluate("([flag, units]) => askAll(flag, units)", ["new-ranker", units])
    assert {unit: variant for unit, (_, variant, *_) in answers.items()} == {
        unit: world.variant(unit) or "control" for unit in units
    }


def test_openfeature_web__an_unknown_flag__keeps_the_code_default_and_the_others_work(world, page):
    page.evaluate("(options) => connect(options)", {"url": world.server.url, "key": world.key, "unit": UNITS[0]})
    assert page.evaluate("() => ask('missing')") == ["code default", None, "ERROR", "FLAG_NOT_FOUND"]
    assert page.evaluate("() => ask('new-ranker')")[3] is None
