"""The public GrowthBook client for Python against a real server process: locally, encrypted, streamed, remotely."""

import contextlib
import gzip
import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from django.core.management import call_command
from django.db import connection
from growthbook import GrowthBook
from growthbook.growthbook import feature_repo

from assignment.engine.program import Program, compile_features
from experiments import keys
from experiments.changes import announce
from experiments.domain.access import Scope
from experiments.domain.environments import Environment
from experiments.domain.kinds import Delivery
from experiments.domain.lifecycle import Status
from experiments.models import ApiKey, Experiment, Project
from tests import builders
from tests.assignment.conftest import wait_until
from tests.assignment.serving import Server, start_server
from tests.assignment.test_clients import database_url

UNITS = 10_000


class World:
    """A server with a project's experiments and a key of each kind."""

    def __init__(self, server: Server, issued: dict[str, tuple[ApiKey, str]], ending: contextlib.ExitStack) -> None:
        self.server = server
        self.issued = issued
        self.ending = ending

    def key(self, name: str) -> str:
        return self.issued[name][1]

    def client(self, name: str, **options) -> GrowthBook:
        row, key = self.issued[name]
        client = GrowthBook(
            api_host=self.server.url, client_key=key, decryption_key=row.encryption_key, cache_ttl=1, **options
        )
        self.ending.callback(client.destroy)
        return client

    def program(self) -> Program:
        found = httpx.get(f"{self.server.url}/api/features/{self.key('plain')}", timeout=30).json()
        return compile_features(found["features"], found["savedGroups"])


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[World]:
    with django_db_blocker.unblock(), contextlib.ExitStack() as ending:
        ending.callback(connection.close)
        ending.callback(call_command, "flush", verbosity=0, interactive=False)
        issued = make_project()
        server = start_server(tmp_path_factory.mktemp("home"), database_url())
        ending.callback(server.stop)
        feature_repo.clear_cache()
        ending.callback(feature_repo.clear_cache)
        yield World(server, issued, ending)


def make_project() -> dict[str, tuple[ApiKey, str]]:
    home = builders.project("shop")
    builders.experiment(home, "ranker")
    builders.experiment(home, "tenth", allocation=1000)
    builders.experiment(home, "canadians", targeting={"country": "CA"})
    builders.experiment(home, "growing", allocation=0)
    builders.experiment(home, "draft", status=Status.DRAFT)
    scopes = [Scope.EVALUATE]
    return {
        "plain": keys.issue_key(home, "SDK", scopes, None),
        "encrypted": keys.issue_key(home, "SDK", scopes, None, delivery=Delivery.ENCRYPTED),
        "remote": keys.issue_key(home, "SDK", scopes, None, delivery=Delivery.REMOTE),
        "staging": keys.issue_key(home, "SDK", scopes, None, environment=Environment.STAGING),
        "revoked": keys.issue_key(home, "SDK", scopes, None),
        "ingest": keys.issue_key(home, "Events", [Scope.INGEST], None),
    }


def attributes(number: int) -> dict[str, str]:
    return {"id": f"shopper-{number}", "country": "CA" if number % 2 else "DE"}


@pytest.mark.parametrize("kind", ["plain", "encrypted"])
def test_growthbook_python__ten_thousand_units__get_what_the_engine_says(world, kind):
    client, program = world.client(kind), world.program()
    client.load_features()
    for key in ("ranker", "tenth", "canadians"):
        theirs, ours = [], []
        for number in range(UNITS):
            client.set_attributes(attributes(number))
            theirs.append(client.eval_feature(key).value)
            ours.append(program.evaluate(key, attributes(number)).value)
        assert theirs == ours
        assert set(ours) == {"control", "treatment"}


def test_growthbook_python__remote_evaluation__gives_what_local_evaluation_gives(world):
    program, viewed = world.program(), []
    for number in range(20):
        client = world.client(
            "remote",
            remote_eval=True,
            attributes=attributes(number),
            on_experiment_viewed=lambda experiment, result, **_: viewed.append((experiment.key, result.key)),
        )
        for key in ("ranker", "canadians"):
            expected = program.evaluate(key, attributes(number))
            assert client.eval_feature(key).value == expected.value
            if expected.experiment_result is not None:
                assert viewed.pop() == (key, expected.experiment_result.key)
            assert viewed == []


def test_growthbook_python__local_key_asked_remotely__gets_nothing(world):
    assert world.client("plain", remote_eval=True, attributes=attributes(1)).eval_feature("ranker").value is None


def test_growthbook_python__drafts__are_served_outside_production_alone(world):
    found = {name: world.client(name) for name in ("plain", "staging")}
    for client in found.values():
        client.load_features()
        client.set_attributes(attributes(1))
    assert found["plain"].eval_feature("draft").source == "unknownFeature"
    assert found["staging"].eval_feature("draft").value in ("control", "treatment")


def test_growthbook_python__polling__is_answered_304_until_something_changes(world):
    url, seen = f"{world.server.url}/api/features/{world.key('plain')}", []
    with httpx.Client(event_hooks={"response": [lambda answer: seen.append(answer.status_code)]}) as http:
        first = http.get(url)
        again = http.get(url, headers={"if-none-match": first.headers["etag"]})
        assert (seen, again.content) == ([200, 304], b"")
        assert first.headers["content-encoding"] == "gzip"
        assert first.headers["x-sse-support"] == "enabled"
        assert "x-sse-support" in first.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize("kind", ["plain", "encrypted"])
def test_growthbook_python__its_own_etag__is_answered_304_until_something_changes(world, kind, monkeypatch):
    row, key = world.issued[kind]
    seen: list[tuple[int, bool]] = []
    get = feature_repo._get

    def watched(url, headers=None):
        answer = get(url, headers)
        seen.append((answer.status, "If-None-Match" in (headers or {})))
        return answer

    monkeypatch.setattr(feature_repo, "_get", watched)
    feature_repo.clear_cache()
    feature_repo._etag_cache.clear()

    def load():
        return feature_repo.load_features(world.server.url, key, row.encryption_key, force_refresh=True)

    first, again = load(), load()
    assert seen == [(200, False), (304, True)]
    assert again == first
    grow("tenth", 1001 if kind == "plain" else 1002)
    wait_until(lambda: load() != first)
    assert seen[-1] == (200, True)
    changed = load()
    grow("tenth", 1000)
    wait_until(lambda: load() != changed)  # else the change back meets the test that comes next


def grow(key: str, allocation: int) -> None:
    Experiment.objects.filter(key=key).update(allocation=allocation)
    announce()


@pytest.mark.parametrize("kind", ["plain", "encrypted", "remote"])
def test_growthbook_python__streaming__hears_of_a_change_by_itself(world, kind):
    grow("growing", 0)
    wait_until(lambda: not world.program().evaluate("growing", attributes(1)).experiment_result)
    viewed: list[str] = []
    client = world.client(
        kind,
        streaming=True,
        remote_eval=kind == "remote",
        attributes=attributes(1),
        on_experiment_viewed=lambda experiment, **_: viewed.append(experiment.key),
    )
    client.eval_feature("growing")
    assert viewed == []
    grow("growing", 10_000)
    wait_until(lambda: client.eval_feature("growing") and viewed == ["growing"])
    feature_repo.stopAutoRefresh(timeout=1)  # the client's own method would leave its stream to the next client


def test_growthbook_python__a_revoked_key__stops_being_answered(world):
    row, key = world.issued["revoked"]
    url = f"{world.server.url}/api/features/{key}"
    with httpx.stream("GET", f"{world.server.url}/sub/{key}", timeout=30) as stream:
        assert stream.status_code == 200
        keys.revoke(row, None)
        wait_until(lambda: httpx.get(url).status_code == 400)
        assert b"".join(stream.iter_bytes()).startswith(b"retry:")  # it ends, and long before its time
    for address in (url, f"{world.server.url}/sub/{key}"):
        answer = httpx.get(address)
        assert (answer.status_code, answer.headers["x-unrecoverable"]) == (400, "1")
    assert httpx.post(f"{world.server.url}/api/eval/{key}", content=b"{}").status_code == 400


@pytest.mark.parametrize("name", ["ingest", "remote"])
def test_sdk_payload__a_key_for_something_else__is_final(world, name):
    answer = httpx.get(f"{world.server.url}/api/features/{world.key(name)}")
    assert (answer.status_code, answer.headers["x-unrecoverable"]) == (400, "1")


def test_sdk_doors__a_path_before_them__is_passed_over(world):
    assert httpx.get(f"{world.server.url}/production/api/features/{world.key('plain')}").status_code == 200


def test_sdk_payload__without_compression_and_by_head__say_how_long_it_is(world):
    address = urlsplit(world.server.url)
    wire = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    lengths = []
    for method in ("GET", "HEAD"):
        wire.request(method, f"/api/features/{world.key('plain')}")
        answer = wire.getresponse()
        lengths.append(int(answer.headers["content-length"]))
        assert "content-encoding" not in answer.headers
        assert bool(answer.read()) == (method == "GET")
    wire.close()
    assert lengths[0] == lengths[1] > 0


def test_sdk_payload__compressed__is_the_same_document(world):
    address = urlsplit(world.server.url)
    wire = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    found = []
    for coding in ("identity", "gzip"):
        wire.request("GET", f"/api/features/{world.key('plain')}", headers={"accept-encoding": coding})
        found.append(wire.getresponse().read())
    wire.close()
    assert json.loads(gzip.decompress(found[1])) == json.loads(found[0])


def test_sdk_eval__a_browsers_body_as_plain_text__is_read(world):
    body = json.dumps({"attributes": attributes(1)}).encode()
    url = f"{world.server.url}/api/eval/{world.key('remote')}"
    answer = httpx.post(url, content=body, headers={"content-type": "text/plain", "origin": "https://shop.example"})
    assert answer.json()["features"]["ranker"]["defaultValue"] in ("control", "treatment")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"


def test_sdk_doors__whatever_is_asked__no_key_is_in_the_log(world):
    for name, (_, key) in world.issued.items():
        for address in (f"/api/features/{key}", f"/x/y/api/features/{key}", f"/sub/{key}x", f"/nowhere/{key}/"):
            httpx.get(world.server.url + address, timeout=60)
        httpx.post(f"{world.server.url}/api/eval/{key}", content=b"[" * 1000)
        assert key not in world.server.log.read_text(), name


def test_project__of_another_key__is_not_seen(world):
    other = Project.objects.create(slug="other", name="Other")
    _, key = keys.issue_key(other, "SDK", [Scope.EVALUATE], None)
    url = f"{world.server.url}/api/features/{key}"
    wait_until(lambda: httpx.get(url).status_code == 200)
    assert httpx.get(url).json()["features"] == {}
