"""The adapter between granian and a WSGI application, without either."""

import asyncio
import logging

import pytest

from config.rsgi import MOST_BODY_BYTES, MOST_DRAINED_BYTES, WsgiBridge, environ


class Headers:
    def __init__(self, *items: tuple[str, str]) -> None:
        self._items = list(items)

    def items(self):
        return self._items

    def get(self, key, default=None):
        return next((value for name, value in self._items if name == key), default)


class Scope:
    def __init__(self, *headers: tuple[str, str], **fields) -> None:
        self.proto = "http"
        self.http_version = "1.1"
        self.server = "127.0.0.1:8000"
        self.client = "192.0.2.7:50123"
        self.scheme = "http"
        self.method = "GET"
        self.path = "/"
        self.query_string = ""
        self.authority = None
        self.headers = Headers(*headers)
        vars(self).update(fields)


class Exchange:
    """Remembers what was answered; ``chunks`` is the body of the request."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.read = 0
        self.sent: tuple = ()

    async def __call__(self):
        self.read += len(self.chunks)
        return b"".join(self.chunks)

    async def __aiter__(self):
        for chunk in self.chunks:
            self.read += 1
            yield chunk

    def response_bytes(self, status, headers, body):
        assert not self.sent
        self.sent = (status, headers, body)


def answer(application, scope=None, *chunks: bytes) -> Exchange:
    exchange = Exchange(*chunks)
    bridge = WsgiBridge(application, threads=1)
    try:
        asyncio.run(bridge.answer(scope or Scope(), exchange, "id-1"))
    finally:
        bridge.stop()
    return exchange


def echo(made, start_response):
    start_response("201 Created", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [made["REQUEST_METHOD"].encode(), b" ", made["wsgi.input"].read()]


def test_answer__keeps_repeated_headers_and_adds_the_request_id():
    status, headers, body = answer(echo).sent
    assert (status, body) == (201, b"GET ")
    assert headers == [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-request-id", "id-1")]


def test_environ__repeated_headers_are_joined_and_cookies_by_semicolon():
    made = environ(Scope(("cookie", "a=1"), ("cookie", "b=2"), ("accept", "x"), ("accept", "y")), b"", "id-1")
    assert (made["HTTP_COOKIE"], made["HTTP_ACCEPT"]) == ("a=1; b=2", "x, y")


def test_environ__text_beyond_ascii__is_bytes_read_as_latin_1():
    made = environ(Scope(("x-name", "é"), path="/p/é", query_string="q=é"), b"", "id-1")
    assert made["PATH_INFO"].encode("latin-1").decode() == "/p/é"
    assert made["QUERY_STRING"].encode("latin-1").decode() == "q=é"
    assert made["HTTP_X_NAME"].encode("latin-1").decode() == "é"


def test_environ__headers_that_forge_others__are_left_out():
    made = environ(Scope(("x_forwarded_for", "1.2.3.4"), ("proxy", "evil"), ("x-request-id", "theirs")), b"", "id-1")
    assert not {"HTTP_X_FORWARDED_FOR", "HTTP_PROXY"} & made.keys()
    assert made["HTTP_X_REQUEST_ID"] == "id-1"


def test_environ__length_is_that_of_the_body_and_not_what_was_claimed():
    made = environ(Scope(("content-length", "99"), ("content-type", "text/plain")), b"four", "id-1")
    assert (made["CONTENT_LENGTH"], made["CONTENT_TYPE"]) == ("4", "text/plain")
    assert "HTTP_CONTENT_LENGTH" not in made


@pytest.mark.parametrize(
    ("server", "client", "expected"),
    [
        ("127.0.0.1:8000", "192.0.2.7:50123", ("127.0.0.1", "8000", "192.0.2.7")),
        ("[::1]:8000", "[2001:db8::1]:50123", ("::1", "8000", "2001:db8::1")),
        ("unix:/run/x.sock", "unix:", ("127.0.0.1", "80", "127.0.0.1")),
    ],
)
def test_environ__addresses(server, client, expected):
    made = environ(Scope(server=server, client=client), b"", "id-1")
    assert (made["SERVER_NAME"], made["SERVER_PORT"], made["REMOTE_ADDR"]) == expected


def test_environ__http_2__takes_the_host_from_the_authority():
    assert environ(Scope(authority="shop.example"), b"", "id-1")["HTTP_HOST"] == "shop.example"


def test_body__in_chunks__arrives_whole():
    scope = Scope(("transfer-encoding", "chunked"), method="POST")
    assert answer(echo, scope, b"one", b"two").sent[2] == b"POST onetwo"


def test_body__too_large__is_read_to_its_end_so_that_plain_clients_see_the_refusal():
    for told in (("content-length", str(MOST_BODY_BYTES + 1)), ("transfer-encoding", "chunked")):
        exchange = answer(echo, Scope(told, method="POST"), bytes(MOST_BODY_BYTES), b"x", b"y")
        assert (exchange.sent[0], exchange.read) == (413, 3)


def test_body__far_too_large_by_its_own_claim__is_refused_unread():
    claim = str(MOST_BODY_BYTES + MOST_DRAINED_BYTES + 1)
    exchange = answer(echo, Scope(("content-length", claim), method="POST"), b"x")
    assert (exchange.sent[0], exchange.read) == (413, 0)


def test_body__too_large_from_who_asks_first__is_refused_unread():
    asks = Scope(("content-length", str(MOST_BODY_BYTES + 1)), ("expect", "100-continue"), method="POST")
    exchange = answer(echo, asks, b"x")
    assert (exchange.sent[0], exchange.read) == (413, 0)


def test_body__far_too_large_without_saying_so__is_left_at_some_point():
    million = bytes(1024 * 1024)
    exchange = answer(echo, Scope(("transfer-encoding", "chunked"), method="POST"), *[million] * 50)
    assert (exchange.sent[0], exchange.read) == (413, 27)


def test_body__too_large_and_endless__is_not_waited_for(monkeypatch):
    monkeypatch.setattr("config.rsgi.DRAIN_SECONDS", 0.01)

    class Endless(Exchange):
        async def __aiter__(self):
            yield bytes(MOST_BODY_BYTES + 1)
            await asyncio.sleep(3600)

    bridge, exchange = WsgiBridge(echo, threads=1), Endless()
    asyncio.run(bridge.answer(Scope(("transfer-encoding", "chunked"), method="POST"), exchange, "id-1"))
    bridge.stop()
    assert exchange.sent[0] == 413


def test_application__fails__is_a_500_and_is_logged_with_its_request(caplog):
    def fails(made, start_response):
        raise RuntimeError("no such luck")

    with caplog.at_level(logging.ERROR):
        status, headers, body = answer(fails, Scope(path="/x")).sent
    assert (status, b"logged" in body, ("x-request-id", "id-1") in headers) == (500, True, True)
    assert "GET /x (request id-1)" in caplog.text
    assert "no such luck" in caplog.text


class Closing(list):
    closed = 0

    def close(self):
        self.closed += 1


class Failing(Closing):
    def __iter__(self):
        yield b"half"
        raise RuntimeError("midway")


def returning(result):
    return lambda _, start_response: (start_response("200 OK", []), result)[1]


def test_result__in_pieces__is_sent_whole_and_closed_once():
    result = Closing([b"one", b"two"])
    status, _, body = answer(returning(result)).sent
    assert (status, body, result.closed) == (200, b"onetwo", 1)


def test_result__that_fails_midway__is_a_500_and_no_half_answer():
    result = Failing()
    status, _, body = answer(returning(result)).sent
    assert (status, b"half" in body, result.closed) == (500, False, 1)
