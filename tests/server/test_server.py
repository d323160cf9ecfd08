"""One real server process: which address is answered by whom, and what every answer carries."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import httpx

from events.models import LoggedEvent
from tests.events.builders import track


def post(server, path: str, key: str, **options) -> httpx.Response:
    return httpx.post(server.url + path, headers={"x-api-key": key}, timeout=60, **options)


def get(server, path: str, **headers: str) -> httpx.Response:
    return httpx.get(server.url + path, headers=headers, timeout=60)  # the first page imports every page's code


def raw(server, request: bytes, *, closing: bool = False) -> bytes:
    """Send bytes as they are, and return what comes back until the server closes or falls silent."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(request)
        if closing:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
            if b"\r\n\r\n" in answer:
                break
    return answer


def test_server__each_door__answers_at_its_addresses(server, write_key):
    assert get(server, "/healthz").json() == {"status": "ok"}
    ready = get(server, "/readyz").json()
    assert (ready["status"], ready["event_log"]) == ("ready", "available")
    for prefix in ("", "/production"):
        answer = post(server, f"{prefix}/ofrep/v1/evaluate/flags/x", write_key, json={"context": {}})
        assert answer.json()["key"] == "x"
    for path in ("/v1/decide?unit=u1", "/v1/decide/"):
        assert get(server, path, **{"x-api-key": write_key}).json()["decisions"] == {}
    assert get(server, "/v1/decided", **{"x-api-key": write_key}).status_code == 404
    assert post(server, "/v1/batch", write_key, json={"batch": [track()]}).json()["accepted"] == 1
    assert post(server, "/v1/t", write_key, json=track()).json()["accepted"] == 1
    assert LoggedEvent.objects.count() == 2


def test_server__browser__may_ask_from_any_origin(server, write_key):
    for path in ("/v1/t", "/ofrep/v1/evaluate/flags", "/ofrep/v1/stream", "/api/features/x", "/api/eval/x", "/sub/x"):
        preflight = httpx.options(server.url + path, timeout=60, headers={"origin": "https://shop.example"})
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert {"GET", "POST"} <= set(preflight.headers["access-control-allow-methods"].split(", "))
        allowed = preflight.headers["access-control-allow-headers"].split(", ")
        assert {"content-type", "authorization", "x-api-key", "if-none-match"} <= set(allowed)
        for key in (write_key, "tl_unknown"):
            answer = post(server, path, key, json={})
            assert answer.headers.get_list("access-control-allow-origin") == ["*"]
            assert {"ETag", "Retry-After"} <= set(answer.headers["access-control-expose-headers"].split(", "))


def test_server__request_id__is_kept_if_fit_and_made_if_not(server):
    for path in ("/healthz", "/v1/nothing", "/ofrep/v1/nothing", "/static/css/none.css"):
        given = get(server, path, **{"x-request-id": "abc-1"})
        assert given.headers.get_list("x-request-id") == ["abc-1"]
        for unfit in ("a b", "<script>", "x" * 101):
            (made,) = get(server, path, **{"x-request-id": unfit}).headers.get_list("x-request-id")
            assert made != unfit


def test_server__body_too_large__is_413_in_each_doors_shape(server, write_key):
    body = b" " * (1024 * 1024 + 1)
    segment = post(server, "/v1/batch", write_key, content=body)
    assert (segment.status_code, segment.json()["code"]) == (413, "body_too_large")
    ofrep = post(server, "/ofrep/v1/evaluate/flags", write_key, content=body)
    assert (ofrep.status_code, ofrep.json()["errorCode"]) == (413, "GENERAL")
    decide = post(server, "/v1/decide", write_key, content=body)
    assert (decide.status_code, decide.json()["code"]) == (413, "body_too_large")
    sdk = post(server, f"/api/eval/{write_key}", write_key, content=body)
    assert (sdk.status_code, sdk.json()["status"]) == (413, 413)


def test_server__body_too_large__is_413_also_for_clients_that_write_all_before_they_read(server, write_key):
    address = urlsplit(server.url)
    for size in (1024 * 1024 + 1, 12 * 1024 * 1024):
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        connection.request("POST", "/v1/batch", b" " * size, {"x-api-key": write_key})
        assert connection.getresponse().status == 413
        connection.close()


def test_server__body_larger_than_the_product_takes__is_refused_before_it_is_sent(server):
    request = b"POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n\r\n"
    assert raw(server, request).startswith(b"HTTP/1.1 413")


def test_server__odd_addresses__are_answered_without_a_crash(server):
    for target in (b"/%ff%00", b"/p/%2e%2e/%2e%2e/etc", b"/?q=%ff\xc3\xa9", b"/v1/%ff", b"/ofrep/v1/%0a%ff"):
        answer = raw(server, b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 ")
        assert not answer.startswith(b"HTTP/1.1 5")
    assert "Traceback" not in server.log.read_text()


def test_server__unknown_page__is_djangos_404(server):
    answer = get(server, "/no-such-page/")
    assert answer.status_code == 404
    assert "content-security-policy" in answer.headers


def test_server__client_that_leaves_midway__harms_nobody(server, write_key):
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-API-Key: {write_key}\r\nContent-Length: 5000\r\n\r\n".encode()
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(head + b'{"batch":[')
    assert post(server, "/v1/batch", write_key, json={"batch": [track()]}).status_code == 200
    assert LoggedEvent.objects.count() == 1


def test_server__key_without_the_scope__is_403_in_segments_shape(server, read_key):
    answer = post(server, "/v1/batch", read_key, json={"batch": [track()]})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_server__stopped__has_written_all_it_acknowledged(own_server, write_key):
    acknowledged = 0
    with httpx.Client(timeout=60) as client:
        for _ in range(50):
            body = json.dumps({"batch": [track(), track()]})
            answer = client.post(f"{own_server.url}/v1/batch", content=body, headers={"x-api-key": write_key})
            acknowledged += answer.json()["accepted"]
    assert own_server.stop() == 0
    assert LoggedEvent.objects.count() == acknowledged == 100


def test_server__head__is_answered_without_a_body(server):
    request = b"HEAD /welcome/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    head, _, body = raw(server, request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""
