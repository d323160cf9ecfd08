import asyncio
import gzip
import json

import pytest

from assignment.doors import payload as door_module
from assignment.doors.payload import PATH, PayloadDoor, Payloads
from assignment.engine.sdk.decrypting import decrypt_payload
from tests.assignment.doors.fakes import ENCRYPTION_KEY, FakeServed, Keys, document, payload


class Asked:
    def __init__(self, answer):
        self.status, headers, self.body = answer
        self.headers = dict(headers)


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def ask(keys):
    door = PayloadDoor(keys.connect, Payloads())
    runner = asyncio.Runner()

    def asking(key: str, method: str = "GET", **headers: str) -> Asked:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Asked(runner.run(door.handle(method, PATH + key, named, "", b"")))

    yield asking
    runner.close()


def test_payload__plain__is_the_environments_own_document(ask):
    asked = ask("plain")
    assert (asked.status, json.loads(asked.body)) == (200, document())
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["cache-control"] == "public, max-age=30, stale-while-revalidate=3600, stale-if-error=36000"
    assert asked.headers["x-sse-support"] == "enabled"


def test_payload__the_key_in_a_header__is_the_same_and_for_no_shared_cache(ask):
    asked = ask("", authorization="Bearer plain")
    assert asked.body == ask("plain").body
    assert asked.headers["cache-control"] == "private, no-cache"
    assert ask("").status == 400


def test_payload__encrypted__opens_with_the_connections_key(ask):
    asked = ask("encrypted")
    assert decrypt_payload(json.loads(asked.body), ENCRYPTION_KEY) == document()


def test_payload__the_client_has_it__is_304_until_it_changes(ask, keys):
    etag = ask("plain").headers["etag"]
    assert etag.startswith('"')
    again = ask("plain", if_none_match=etag)
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", etag)
    assert "cache-control" in again.headers
    keys.change(features={})
    assert ask("plain", if_none_match=etag).status == 200


def test_payload__a_client_that_takes_gzip__gets_it_under_an_etag_of_its_own(ask):
    plain, packed = ask("plain"), ask("plain", accept_encoding="gzip, deflate")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["etag"] != plain.headers["etag"]
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"
    for etag in (plain.headers["etag"], packed.headers["etag"]):
        assert ask("plain", accept_encoding="gzip", if_none_match=etag).status == 304


@pytest.mark.parametrize("refusing", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0, br", "*;q=0"])
def test_payload__a_client_that_takes_no_gzip__gets_none(ask, refusing):
    assert "content-encoding" not in ask("plain", accept_encoding=refusing).headers


@pytest.mark.parametrize("taking", ["gzip", "GZIP", "br, gzip;q=0.5", "*", "gzip;q=0.1"])
def test_payload__a_client_that_takes_gzip__is_understood(ask, taking):
    assert ask("plain", accept_encoding=taking).headers["content-encoding"] == "gzip"


def test_payload__head__has_the_headers_and_no_body(ask):
    got, looked = ask("plain"), ask("plain", "HEAD")
    assert (looked.status, looked.body) == (200, b"")
    assert looked.headers == {**got.headers, "content-length": str(len(got.body))}


@pytest.mark.parametrize("key", ["unknown", "", "a/b", "remote"])
def test_payload__a_key_that_is_not_for_this__is_final_and_never_stored(ask, key):
    asked = ask(key)
    answer = json.loads(asked.body)
    assert (asked.status, answer["status"], asked.headers["x-unrecoverable"]) == (400, 400, "1")
    assert answer["error"]
    assert asked.headers["cache-control"] == "no-store"


def test_payload__a_revoked_key__stops(ask, keys):
    etag = ask("plain").headers["etag"]
    keys.revoked = True
    assert ask("plain", if_none_match=etag).status == 400


def test_payload__another_method__is_told_which(ask):
    asked = ask("plain", "POST")
    assert (asked.status, asked.headers["allow"]) == (405, "GET, HEAD")


def test_payloads__asked_by_many_at_once__are_packed_once(keys, monkeypatch):
    packed = []
    monkeypatch.setattr(door_module, "pack", lambda *given: packed.append(given) or _pack(*given))
    keys.served = FakeServed(payload(features={f"f{n}": {"defaultValue": "x" * 100} for n in range(2_000)}))
    payloads = Payloads()

    async def ask_together() -> None:
        await asyncio.gather(*(payloads.of(keys.connect("plain")) for _ in range(50)))

    asyncio.run(ask_together())
    assert len(packed) == 1


_pack = door_module.pack
