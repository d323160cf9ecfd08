"""The demo's HTTP client against a small server of the test's own that misbehaves on command."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from config.demo.client import AppClient, RefusedError, UnreachableError, batches, for_each
from config.demo.connection import Address

Script = Callable[[int, str, dict[str, str], bytes], bytes | None]
OK = b'{"success":true,"accepted":1,"refused":[]}'


def http(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def with_server(script: Script, use: Callable[[str], Awaitable[None]]) -> None:
    """Serve what ``script(number, request line, headers, body)`` returns; None hangs up without an answer."""
    numbers = iter(range(1_000))
    talks = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                answer = script(next(numbers), lines[0], headers, body)
                if answer is None:
                    break
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        await use(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await asyncio.gather(*talks)


def run(script: Script, use: Callable[[AppClient], Awaitable[None]], patience: float = 10.0) -> None:
    async def connected(url: str) -> None:
        async with AppClient(url, "tl_key", connections=2, patience=patience) as client:
            await use(client)

    asyncio.run(with_server(script, connected))


def test_send__after_a_503__sends_the_same_events_again_with_a_later_sent_at():
    bodies = []

    def script(number: int, line: str, headers: dict[str, str], body: bytes) -> bytes:
        bodies.append((json.loads(gzip.decompress(body)), headers))
        return http(503, b'{"code":"busy","message":"Busy."}') if number == 0 else http(200, OK)

    async def use(client: AppClient) -> None:
        assert (await client.send([{"event": "A", "messageId": "m"}])).accepted == 1

    run(script, use)
    (first, _), (second, headers) = bodies
    assert first["batch"] == second["batch"] == [{"event": "A", "messageId": "m"}]
    assert datetime.fromisoformat(first["sentAt"]) < datetime.fromisoformat(second["sentAt"])
    assert datetime.now(UTC) - datetime.fromisoformat(second["sentAt"]) < timedelta(minutes=1)
    assert headers["x-retry-count"] == "1"


def test_send__when_the_server_hangs_up__tries_again():
    asked: list[int] = []

    def script(number: int, *_: object) -> bytes | None:
        asked.append(number)
        return None if number < 2 else http(200, OK)

    async def use(client: AppClient) -> None:
        await client.send([{"event": "A"}])

    run(script, use)
    assert asked == [0, 1, 2]


def test_send__carries_the_key_as_segments_libraries_do():
    seen = {}

    def script(number: int, line: str, headers: dict[str, str], body: bytes) -> bytes:
        seen.update(headers, line=line)
        return http(200, OK)

    async def use(client: AppClient) -> None:
        await client.send([{"event": "A"}])

    run(script, use)
    assert seen["line"] == "POST /v1/batch HTTP/1.1"
    assert seen["authorization"] == "Basic dGxfa2V5Og=="
    assert seen["content-encoding"] == "gzip"


def test_evaluate__asks_for_one_flag_with_the_unit_as_targeting_key():
    def script(number: int, line: str, headers: dict[str, str], body: bytes) -> bytes:
        assert line == "POST /ofrep/v1/evaluate/flags/new-ranker HTTP/1.1"
        assert headers["authorization"] == "Bearer tl_key"
        assert json.loads(body) == {"context": {"targetingKey": "u1", "country": "SE"}}
        return http(200, b'{"key":"new-ranker","value":"b","variant":"b","reason":"SPLIT","metadata":{}}')

    async def use(client: AppClient) -> None:
        found = await client.evaluate("new-ranker", "u1", {"country": "SE"})
        assert (found.variant, found.reason) == ("b", "SPLIT")

    run(script, use)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"code":"invalid_key","message":"No such key."}', r"refused with 401: No such key\. Check --api-key"),
        (403, b'{"error":{"code":"scope","message":"Only read."}}', r"403: Only read\. The key needs the scopes"),
        (404, b'{"key":"f","errorCode":"FLAG_NOT_FOUND","errorDetails":"No flag f."}', r"404: No flag f\. Is there"),
        (413, b"<html>too large</html>", "413: <html>too large</html>"),
    ],
)
def test_refusal__is_not_repeated_and_says_why_in_one_line(status: int, body: bytes, words: str):
    asked = []

    def script(number: int, *_: object) -> bytes:
        asked.append(number)
        return http(status, body)

    async def use(client: AppClient) -> None:
        with pytest.raises(RefusedError, match=words) as refused:
            await client.evaluate("f", "u")
        assert refused.value.status == status
        assert "\n" not in str(refused.value)

    run(script, use)
    assert asked == [0]


def test_server_that_stays_busy__is_given_up_with_the_last_trouble_named():
    async def use(client: AppClient) -> None:
        with pytest.raises(
            UnreachableError, match=r"no usable answer for 1 s \(last: 503 Busy\)\. Is the server running"
        ):
            await client.get("/api/v1/x")

    run(lambda *_: http(503, b'{"message":"Busy."}'), use, patience=1.0)


def test_nobody_listening__is_told_after_seconds():
    async def use() -> None:
        async with AppClient("http://127.0.0.1:1", "k", patience=60) as client:
            with pytest.raises(UnreachableError, match="ConnectionRefusedError"):
                await client.meet(0.5)

    asyncio.run(use())


def test_retry_after__is_honoured():
    times = []

    def script(number: int, *_: object) -> bytes:
        times.append(asyncio.get_running_loop().time())
        return http(429, b"{}", "retry-after: 1") if number == 0 else http(200, b"{}")

    async def use(client: AppClient) -> None:
        await client.get("/x")

    run(script, use)
    assert times[1] - times[0] >= 1


def test_chunked_answer__is_read_whole_and_the_connection_is_used_again():
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    async def use(client: AppClient) -> None:
        assert [await client.get("/x"), await client.get("/x")] == [b"abcde", b"abcde"]

    run(lambda *_: chunked, use)


def test_for_each__one_failure__ends_the_others_and_is_the_error():
    begun = []

    async def work(item: int) -> None:
        begun.append(item)
        await asyncio.sleep(0.01)
        if item == 3:
            raise KeyError(item)

    with pytest.raises(KeyError):
        asyncio.run(for_each(range(1_000), 2, work))
    assert len(begun) < 10


def test_batches__cut_a_stream_without_losing_the_rest():
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://shop", "http://", "http://shop:99999"])
def test_address__that_is_none__is_named_with_an_example_or_reason(url: str):
    with pytest.raises(ValueError, match=r"base URL .*(must look like http://127|no usable port)"):
        Address.from_url(url)


@pytest.mark.parametrize(
    ("url", "authority", "prefix"),
    [
        ("http://127.0.0.1:8000/", "127.0.0.1:8000", ""),
        ("https://shop.example/t/", "shop.example", "/t"),
        ("http://[::1]:81", "[::1]:81", ""),
    ],
)
def test_address__names_host_port_and_prefix(url: str, authority: str, prefix: str):
    address = Address.from_url(url)
    assert (address.authority, address.prefix) == (authority, prefix)
