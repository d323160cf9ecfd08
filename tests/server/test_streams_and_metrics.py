"""One real server process: its streams end when it stops, its metrics say what it did, its exposures are on disk."""

import threading

import httpx
import pytest

from events.models import LoggedEvent
from events.row import Door
from experiments.changes import announce
from experiments.domain.access import Scope
from experiments.keys import issue_key
from experiments.models import Project
from tests import builders
from tests.assignment.conftest import wait_until
from tests.events.builders import track
from tests.server.conftest import start_server, test_database_url

FLAGS = "/ofrep/v1/evaluate/flags"


def metrics(server, **options) -> dict[str, float]:
    """Read the metrics: each sample by its name and labels, as they are written."""
    answer = httpx.get(f"{server.url}/metrics", timeout=30, **options)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def evaluate(server, key: str, path: str = f"{FLAGS}/new-ranker", unit: str = "u1", **options) -> httpx.Response:
    body = {"context": {"targetingKey": unit}}
    headers = {"x-api-key": key, **options.pop("headers", {})}
    return httpx.post(server.url + path, json=body, headers=headers, timeout=30, **options)


@pytest.fixture
def ranker(transactional_db):
    return builders.experiment(builders.project())


@pytest.fixture
def evaluate_key(ranker) -> str:
    return issue_key(ranker.project, "evaluate alone", [Scope.EVALUATE], None)[1]


@pytest.fixture
def exposing_key(ranker) -> str:
    return issue_key(ranker.project, "evaluate and ingest", [Scope.EVALUATE, Scope.INGEST], None)[1]


def test_metrics__requests__are_counted_by_door_and_status(evaluate_key, exposing_key, own_server):
    for _ in range(3):
        assert evaluate(own_server, evaluate_key).status_code == 200
    evaluate(own_server, "tl_unknown")
    httpx.post(f"{own_server.url}/v1/batch", json={"batch": [track()]}, headers={"x-api-key": exposing_key}, timeout=30)
    httpx.get(f"{own_server.url}/api/features/{evaluate_key}", timeout=30)
    httpx.get(f"{own_server.url}/nothing/", timeout=60)
    found = metrics(own_server)
    assert found['truelift_requests_total{door="ofrep",status="200"}'] == 3
    assert found['truelift_requests_total{door="ofrep",status="401"}'] == 1
    assert found['truelift_requests_total{door="events",status="200"}'] == 1
    assert found['truelift_requests_total{door="sdk_features",status="200"}'] == 1
    assert found['truelift_requests_total{door="pages",status="404"}'] == 1
    assert found['truelift_request_seconds_count{door="ofrep"}'] == 4
    assert found['truelift_request_seconds_bucket{door="ofrep",le="+Inf"}'] == 4
    assert found['truelift_request_seconds_sum{door="ofrep"}'] > 0


def test_metrics__state__says_what_is_served_and_what_waits(exposing_key, own_server):
    message = track()
    for _ in range(2):
        httpx.post(f"{own_server.url}/v1/batch", json={"batch": [message, {}]}, headers={"x-api-key": exposing_key})
    found = metrics(own_server)
    assert any(name.startswith("truelift_snapshot_info{version=") for name in found)
    assert found["truelift_snapshot_age_seconds"] < 60
    assert found["truelift_database_connected"] == found["truelift_event_log_available"] == 1
    assert found["truelift_sink_waiting_requests"] == found["truelift_streams_open"] == 0
    assert found["truelift_snapshot_refused"] == 0
    assert found['truelift_events_total{outcome="accepted"}'] == found['truelift_events_total{outcome="refused"}'] == 2
    assert found['truelift_log_rows_total{outcome="stored"}'] == 1
    assert found['truelift_log_rows_total{outcome="duplicate"}'] == 1
    assert found["process_resident_memory_bytes"] > 0
    assert found["truelift_fold_lag_seconds"] >= 0
    assert not any(value for name, value in found.items() if name.startswith("truelift_collector_failed"))


def test_exposure__asked_for__is_stored_once_and_the_answer_says_so(exposing_key, server):
    asked = [
        evaluate(server, exposing_key, params={"exposure": "true"}),
        evaluate(server, exposing_key, headers={"X-Truelift-Exposure": "1"}),
    ]
    assert [one.json()["metadata"]["exposure"] for one in asked] == ["stored", "stored"]
    exposure = LoggedEvent.objects.get()
    assert (exposure.experiment, exposure.user_id, exposure.door) == ("new-ranker", "u1", Door.EVALUATION)
    assert exposure.variant == asked[0].json()["variant"]


def test_exposure__not_asked_for__is_not_stored(exposing_key, server):
    assert "exposure" not in evaluate(server, exposing_key).json()["metadata"]
    assert evaluate(server, exposing_key, FLAGS, params={"exposure": "true"}).status_code == 200
    assert evaluate(server, exposing_key, params={"exposure": "false"}).status_code == 200
    assert LoggedEvent.objects.count() == 0


def test_exposure__unit_outside__is_answered_and_nothing_stored(ranker, exposing_key, request):
    type(ranker).objects.filter(pk=ranker.pk).update(allocation=0)
    server = request.getfixturevalue("server")
    answer = evaluate(server, exposing_key, params={"exposure": "true"}).json()
    assert (answer["metadata"]["outcome"], answer["metadata"]["exposure"]) == ("not_in_traffic", "nothing")
    assert LoggedEvent.objects.count() == 0


def test_exposure__key_that_may_not_send_events__is_403_with_words(evaluate_key, server):
    answer = evaluate(server, evaluate_key, params={"exposure": "true"})
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "GENERAL")
    assert "ingest" in answer.json()["errorDetails"]


class Listening:
    """Reads a stream in a thread."""

    def __init__(self, url: str) -> None:
        self.text = ""
        self.status = 0
        self._url = url
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with httpx.stream("GET", self._url, timeout=60) as stream:
            self.status = stream.status_code
            for piece in stream.iter_text():
                self.text += piece

    def ended(self) -> bool:
        return not self._thread.is_alive()


def stream_address(server, key: str) -> str:
    (stream,) = evaluate(server, key, FLAGS).json()["eventStreams"]
    return server.url + stream["endpoint"]["requestUri"]


def test_ofrep_stream__a_change__tells_web_clients_to_ask_again(ranker, evaluate_key, server):
    listening = Listening(stream_address(server, evaluate_key))
    wait_until(lambda: "retry:" in listening.text)
    before = listening.text.count("refetchEvaluation")
    assert metrics(server)["truelift_streams_open"] == 1
    type(ranker).objects.filter(pk=ranker.pk).update(allocation=1234)
    announce()
    wait_until(lambda: listening.text.count("refetchEvaluation") == before + 1)
    event = listening.text.split("\n\n")[-2]
    assert "event: message\n" in event
    assert '"lastModified":' in event
    assert '"etag":' in event


def test_streams__of_two_processes__both_hear_of_a_change_and_serve_the_same(
    ranker, evaluate_key, server, tmp_path, static_root
):
    home = tmp_path / "other"
    home.mkdir()
    other = start_server(home, test_database_url(), static_root)
    try:
        listening = [Listening(f"{one.url}/sub/{evaluate_key}") for one in (server, other)]
        wait_until(lambda: all("retry:" in one.text for one in listening))
        before = [one.text.count("event: features") for one in listening]
        type(ranker).objects.filter(pk=ranker.pk).update(allocation=1234)
        announce()
        wait_until(lambda: [one.text.count("event: features") for one in listening] == [n + 1 for n in before])
        found = [
            httpx.get(f"{one.url}/api/features/{evaluate_key}", timeout=30).json()["features"]
            for one in (server, other)
        ]
        assert found[0] == found[1]
        assert '"coverage":0.1234' in listening[1].text
    finally:
        other.stop()


def test_ofrep_stream__without_a_good_token__is_401(evaluate_key, server):
    for query in ("", "?token=", "?token=abc.def", f"?token={evaluate_key}"):
        answer = httpx.get(f"{server.url}/ofrep/v1/stream{query}", timeout=30)
        assert (answer.status_code, answer.json()["errorCode"]) == (401, "GENERAL")


def test_server__stopped_with_open_streams__ends_them_and_itself(evaluate_key, own_server):
    listening = [Listening(stream_address(own_server, evaluate_key)), Listening(f"{own_server.url}/sub/{evaluate_key}")]
    wait_until(lambda: all("retry:" in one.text for one in listening))
    assert own_server.stop() == 0
    wait_until(lambda: all(one.ended() for one in listening))


def test_log__of_the_server__holds_no_token_of_a_stream(evaluate_key, own_server):
    address = stream_address(own_server, evaluate_key)
    httpx.post(address, timeout=30)
    httpx.get(address.replace("/ofrep/v1/stream", "/nowhere/stream/"), timeout=60)
    assert Project.objects.exists()
    assert address.partition("token=")[2] not in own_server.log.read_text()
